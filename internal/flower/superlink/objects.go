package superlink

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"blossomtune/internal/domain"
)

const (
	smallObject = 64 << 10 // up to this size an object is in the store, else in a file
	cacheMost   = 64 << 20 // bytes of small objects that are kept in memory beside the store
)

// object is a piece of messages and replies, named by the SHA-256 of its content.
type object struct {
	users   []user // the runs whose messages and replies need it; it counts for the first
	sender  uint64 // the SuperNode that sent it, for which it counts; 0: none
	here    bool
	size    int64
	file    bool
	content []byte    // of a small one; nil: it is to be read from the store
	dirty   bool      // its row is not committed yet
	waiting []*letter // those that wait for it
}

// user is a run that needs an object.
type user struct {
	run  uint64
	refs int // messages and replies
}

// used notes that by more messages or replies of a run need the object. It reports whether something needs it.
func (o *object) used(run uint64, by int) bool {
	i := slices.IndexFunc(o.users, func(u user) bool { return u.run == run })
	if i < 0 {
		o.users, i = append(o.users, user{run: run}), len(o.users)
	}
	if o.users[i].refs += by; o.users[i].refs <= 0 {
		o.users = slices.Delete(o.users, i, i+1)
	}
	return len(o.users) > 0
}

// of reports whether a message or reply of the run needs the object.
func (o *object) of(run uint64) bool {
	return slices.ContainsFunc(o.users, func(u user) bool { return u.run == run })
}

// hold notes that a message or reply needs its objects.
func (l *Link) hold(c *letter) {
	for _, id := range c.objects {
		o := l.objects[id]
		if o == nil {
			o = &object{}
			l.objects[id] = o
		}
		o.used(c.row.RunID, 1)
		if !o.here {
			c.missing++
			o.waiting = append(o.waiting, c)
		}
	}
}

// release lets go of the objects of a message or reply. It does so once.
func (l *Link) release(c *letter) (out []Change) {
	for _, id := range c.objects {
		o := l.objects[id]
		if o == nil {
			continue
		}
		if !o.here {
			o.waiting = slices.DeleteFunc(o.waiting, func(w *letter) bool { return w == c })
		}
		payer := o.users[0].run
		if o.used(c.row.RunID, -1) {
			l.pay(o, payer)
			continue
		}
		delete(l.objects, id)
		l.charge(payer, -o.size)
		l.chargeNode(o.sender, -o.size)
		l.cached -= int64(len(o.content))
		if o.here {
			out = append(out, DropObject(id))
		}
		if o.file {
			l.stale = append(l.stale, id)
		}
	}
	c.objects, c.has = nil, nil
	return out
}

// charge counts bytes of objects for a run.
func (l *Link) charge(run uint64, size int64) {
	if r := l.runs[run]; r != nil {
		r.bytes += size
	}
}

// chargeNode counts bytes of objects for the SuperNode that sent them; 0 is none.
func (l *Link) chargeNode(id uint64, size int64) {
	if n := l.nodes[id]; n != nil {
		n.bytes += size
	}
}

// pay lets another run count for an object when the one that did does not need it any more.
func (l *Link) pay(o *object, payer uint64) {
	if next := o.users[0].run; next != payer {
		l.charge(payer, -o.size)
		l.charge(next, o.size)
	}
}

// put notes that an object is here, sent by a SuperNode or, with 0, by another. content is nil for one in a file.
func (l *Link) put(id string, sender uint64, size int64, content []byte, now time.Time) []Change {
	o := l.objects[id]
	if o == nil || o.here {
		return nil
	}
	o.here, o.size, o.file, o.content, o.dirty, o.sender = true, size, content == nil, content, true, sender
	l.charge(o.users[0].run, size)
	l.chargeNode(sender, size)
	l.cached += int64(len(content))
	waiting := o.waiting
	o.waiting = nil
	for _, c := range waiting {
		c.until = now.Add(uploadWithin)
		if c.missing--; c.whole() {
			l.arrived(c)
		}
	}
	return []Change{ObjectRow{ID: id, Size: size, Content: content}}
}

// room checks that an object may come: a message or reply of the run lists it, and the run and the SuperNode that sends it have room for
// it.
func (l *Link) room(runID, sender uint64, id string, size int64) (wanted bool, err error) {
	o, r, n := l.objects[id], l.runs[runID], l.nodes[sender]
	switch {
	case l.fault != nil:
		return false, errUnavailable
	case o == nil || r == nil || !o.of(runID):
		return false, nil
	case !o.here && r.bytes+size > l.o.MostBytes:
		return false, errFull
	case !o.here && n != nil && n.bytes+size > l.o.MostNodeBytes:
		return false, errNodeFull
	}
	return true, nil
}

// store takes the content of a small object, whose name the caller has checked. It reports false for one that nothing lists. One that is
// here already is taken in silence: the call is repeated.
func (l *Link) store(runID, sender uint64, id string, content []byte, meter bool) (stored bool, err error) {
	err = l.change(func(now time.Time) ([]Change, error) {
		if stored, err = l.room(runID, sender, id, int64(len(content))); err != nil || !stored || l.objects[id].here {
			return nil, err
		}
		out := l.put(id, sender, int64(len(content)), content, now)
		return l.meter(runID, meter, 0, len(content), out), nil
	})
	if err == nil && stored {
		l.committed(id)
	}
	return stored, err
}

// has reports whether an object of a run is here.
func (l *Link) has(runID uint64, id string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	known, err := l.room(runID, 0, id, 0)
	return known && l.objects[id].here, err
}

// storeFile is store for a large object, whose content is in a file of the Link's directory.
func (l *Link) storeFile(runID uint64, in *pushed, meter bool) (stored bool, err error) {
	id, size := in.GetObjectId(), in.size
	err = l.change(func(now time.Time) ([]Change, error) {
		l.unreserve(in)
		if stored, err = l.room(runID, in.sender, id, size); err != nil || !stored || l.objects[id].here {
			return nil, err
		}
		// Under the lock, so that sweep does not remove an older file of this name meanwhile.
		if err := os.Rename(in.path, l.path(id)); err != nil {
			l.o.Log.Error("keeping an object", "err", err)
			return nil, errUnavailable
		}
		return l.meter(runID, meter, 0, int(size), l.put(id, in.sender, size, nil, now)), nil
	})
	return stored, err
}

func (l *Link) path(id string) string { return filepath.Join(l.o.Dir, id) }

// meter counts what passed between SuperNodes and the SuperLink; it is stored when something else of the run is.
func (l *Link) meter(runID uint64, on bool, sent, received int, out []Change) []Change {
	if r := l.runs[runID]; on && r != nil {
		r.BytesSent += uint64(sent)
		r.BytesReceived += uint64(received)
	}
	return out
}

// found is an object that is asked for.
type found struct {
	known   bool
	here    bool
	size    int64
	content []byte   // of a small one
	file    *os.File // of a large one; the caller closes it
}

// fetch finds an object of a run. A SuperNode (node is not 0) gets those of its messages alone.
func (l *Link) fetch(ctx context.Context, nodeID, runID uint64, id string) (found, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return found{}, errUnavailable
	}
	if nodeID != 0 {
		if err := l.open(runID); err != nil {
			return found{}, err
		}
		if !l.addressed(nodeID, runID, id) {
			return found{}, nil
		}
	}
	o := l.objects[id]
	if o == nil || !o.of(runID) {
		return found{}, nil
	}
	out := found{known: true, here: o.here, size: o.size, content: o.content}
	if !o.here {
		return out, nil
	}
	l.meter(runID, nodeID != 0, int(o.size), 0, nil)
	if o.file {
		var err error
		out.file, err = os.Open(l.path(id))
		switch {
		case errors.Is(err, os.ErrNotExist):
			l.o.Log.Error("an object's file is gone", "err", err)
			return found{known: true}, nil
		case err != nil:
			l.o.Log.Error("opening an object's file", "err", err)
			return found{}, errUnavailable
		}
		return out, nil
	}
	if out.content != nil {
		return out, nil
	}
	l.mu.Unlock()
	content, err := l.o.Store.Object(ctx, id)
	l.mu.Lock()
	switch {
	case domain.CodeOf(err) == domain.NotFound:
		l.o.Log.Error("an object's row is gone", "err", err)
		return found{known: true}, nil
	case err != nil:
		return found{}, errUnavailable
	}
	out.content = content
	return out, nil
}

// addressed reports whether one of a SuperNode's messages has the object, and notes that the SuperNode fetches it.
func (l *Link) addressed(nodeID, runID uint64, id string) bool {
	n := l.nodes[nodeID]
	if n == nil {
		return false
	}
	for _, m := range n.mail {
		if m.row.RunID == runID && m.holds(id) {
			m.touched = l.o.Clock()
			return true
		}
	}
	return false
}

// committed notes that an object's row is in the store. Contents that are there are forgotten when they take more memory than they may.
func (l *Link) committed(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if o := l.objects[id]; o != nil {
		o.dirty = false
	}
	if l.cached <= cacheMost {
		return
	}
	for _, o := range l.objects {
		if o.here && o.content != nil && !o.dirty {
			l.cached -= int64(len(o.content))
			o.content = nil
		}
		if l.cached <= cacheMost/2 {
			return
		}
	}
}

// sweep removes the files of objects that are gone, once the store knows that they are.
func (l *Link) sweep() {
	l.mu.Lock()
	gone := l.stale
	l.stale = nil
	l.mu.Unlock()
	if len(gone) == 0 || l.commit.add([]Change{DropObject("")}).wait() != nil {
		return // what is left is removed when the Link is opened again
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range gone {
		if o := l.objects[id]; o != nil && o.file {
			continue
		}
		if err := os.Remove(l.path(id)); err != nil && !errors.Is(err, os.ErrNotExist) {
			l.o.Log.Warn("removing an object's file", "err", err)
		}
	}
}

// spool writes a large object into a new file of the Link's directory.
func (l *Link) spool(r io.Reader, sum io.Writer) (path string, size int64, err error) {
	f, err := os.CreateTemp(l.o.Dir, "new-*")
	if err != nil {
		return "", 0, err
	}
	size, err = io.Copy(io.MultiWriter(f, sum), r)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", 0, err
	}
	return f.Name(), size, nil
}
