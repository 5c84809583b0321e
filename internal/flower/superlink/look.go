package superlink

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"blossomtune/internal/flower/wire"
	"blossomtune/internal/flower/wire/flwrpb"

	"google.golang.org/protobuf/proto"
)

const (
	lookEvery = time.Second
	// grace is what each SuperNode gets after a restart to be heard again: a SuperNode backs off for up to 20 s.
	grace = time.Minute
)

// look does what time brings: SuperNodes go offline, messages expire, replies never become whole.
func (l *Link) look(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if l.change(l.overdue) == nil {
				l.sweep()
			}
		}
	}
}

func (l *Link) overdue(now time.Time) (out []Change, err error) {
	for _, n := range l.nodes {
		if n.Status == Online && now.After(n.until) && n.polls == 0 {
			out = append(out, l.offline(n, now)...)
		}
	}
	for _, r := range l.runs {
		if r.Status == Finished {
			continue
		}
		for _, m := range r.letters {
			out = append(out, l.late(m, now)...)
		}
	}
	return out, nil
}

// late answers a message whose time is over, or whose reply never came whole. A message that its ServerApp never sent whole is given up.
func (l *Link) late(m *letter, now time.Time) []Change {
	switch {
	case m.answered():
		return nil
	case !now.Before(m.expires()):
		return l.stand(m, codeMessageUnavailable, reasonMessage, now)
	case !m.whole() && now.After(m.until):
		return l.stand(m, codeMessageUnavailable, reasonUnsent, now)
	case m.reply != nil && now.After(m.reply.until):
		return l.stand(m, codeMessageUnavailable, reasonUpload, now)
	}
	return nil
}

// load takes over what the store holds.
func (l *Link) load(ctx context.Context) error {
	if err := os.MkdirAll(l.o.Dir, 0o700); err != nil {
		return err
	}
	s, err := l.o.Store.Load(ctx)
	if err != nil {
		return err
	}
	now := l.o.Clock()
	for _, row := range s.Nodes {
		n := newNode(row)
		n.until = now.Add(max(grace, patience*n.Interval))
		l.nodes[n.ID], l.byKey[string(n.PublicPEM)] = n, n
	}
	for _, row := range s.Runs {
		r := newRun(row)
		l.runs[r.ID] = r
		if len(r.TokenHash) > 0 {
			l.byToken[[32]byte(r.TokenHash)] = r
		}
	}
	for _, row := range s.Letters {
		if err := l.loadLetter(row, now); err != nil {
			return err
		}
	}
	drop := l.loadObjects(s.Objects)
	l.relate()
	if len(drop) > 0 {
		return l.o.Store.Commit(ctx, drop)
	}
	return nil
}

func (l *Link) loadLetter(row LetterRow, now time.Time) error {
	var m flwrpb.Message
	var tree flwrpb.ObjectTree
	if err := errors.Join(proto.Unmarshal(row.Message, &m), proto.Unmarshal(row.Tree, &tree)); err != nil {
		return err
	}
	c := &letter{row: row, meta: m.GetMetadata(), until: now.Add(uploadWithin)}
	l.add(c)
	if row.ReplyTo == "" && row.State == Confirmed {
		return nil // its objects are not needed any more
	}
	ids, err := wire.TreeIDs(&tree, maxTree)
	if err != nil {
		return err
	}
	c.objects = ids
	l.hold(c)
	return nil
}

// loadObjects notes which objects are here. It returns the rows that nothing needs, and removes such files.
func (l *Link) loadObjects(rows []ObjectRow) (drop []Change) {
	files := map[string]int64{}
	if entries, err := os.ReadDir(l.o.Dir); err == nil {
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				files[e.Name()] = info.Size()
			}
		}
	}
	senders := l.senders()
	for _, row := range rows {
		o := l.objects[row.ID]
		size, inFile := files[row.ID]
		if o == nil || row.Content == nil && row.Size > smallObject && (!inFile || size != row.Size) {
			drop = append(drop, DropObject(row.ID))
			continue
		}
		o.here, o.size, o.file = true, row.Size, row.Size > smallObject
		o.sender = senders[row.ID]
		l.charge(o.users[0].run, o.size)
		l.chargeNode(o.sender, o.size)
		for _, c := range o.waiting {
			c.missing--
		}
		o.waiting = nil
		if o.file {
			delete(files, row.ID)
		}
	}
	for name := range files {
		if err := os.Remove(filepath.Join(l.o.Dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.o.Log.Warn("removing a file that nothing needs", "err", err)
		}
	}
	return drop
}

// senders tells which SuperNode sent an object, from the replies that need it. An object that a message also needs came from the ServerApp.
func (l *Link) senders() map[string]uint64 {
	out := map[string]uint64{}
	for _, c := range l.letters {
		if c.row.ReplyTo != "" {
			for _, id := range c.objects {
				if _, known := out[id]; !known {
					out[id] = c.row.NodeID
				}
			}
		}
	}
	for _, c := range l.letters {
		if c.row.ReplyTo == "" {
			for _, id := range c.objects {
				delete(out, id)
			}
		}
	}
	return out
}

// relate ties replies to messages and messages to runs and SuperNodes.
func (l *Link) relate() {
	for _, c := range l.letters {
		if to := l.letters[c.row.ReplyTo]; c.row.ReplyTo != "" && to != nil {
			c.to, to.reply = to, c
		}
	}
	for _, c := range l.letters {
		r := l.runs[c.row.RunID]
		switch {
		case c.to != nil || r == nil:
			continue
		case c.row.ReplyTo != "":
			r.unknown[c.row.ReplyTo] = c
			continue
		}
		r.letters[c.row.ID] = c
		if n := l.nodes[c.row.NodeID]; n != nil && !c.answered() {
			n.mail = append(n.mail, c)
		}
	}
	for _, n := range l.nodes {
		slices.SortFunc(n.mail, func(a, b *letter) int { return a.expires().Compare(b.expires()) })
	}
}
