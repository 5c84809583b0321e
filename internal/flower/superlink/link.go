package superlink

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

// ServerID is Flower's number of the SuperLink among the nodes.
const ServerID = 1

// Options are what a [Link] works with.
type Options struct {
	Dir   string // of its large objects; the Link owns it
	Store Store
	Clock domain.Clock // time.Now if nil
	Log   *slog.Logger // slog.Default if nil
	// MostBytes limits the objects of one run, in bytes, including those that are being received. Default: 64 GiB.
	MostBytes int64
	// MostNodeBytes limits the objects that one SuperNode has sent and that the SuperLink still holds, in bytes, including those that are
	// being received. Default: half of MostBytes.
	MostNodeBytes int64
	// MostPending limits the memory for the messages and replies of one run that the ServerApp has not confirmed, in bytes and without the
	// objects. Default: 1 GiB.
	MostPending int64
}

// Link is the SuperLink of one federation. It is safe for concurrent use.
type Link struct {
	o      Options
	commit *committer
	cancel context.CancelFunc
	wg     sync.WaitGroup
	broken chan struct{} // closed when a commit has failed

	mu      sync.Mutex
	fault   error
	nodes   map[uint64]*node
	byKey   map[string]*node // by the PEM of the public key
	runs    map[uint64]*run
	byToken map[[32]byte]*run
	letters map[string]*letter
	objects map[string]*object
	cached  int64 // bytes of contents in memory that could be read from the store
	stale   []string
}

// Open loads the state and starts to work. Close the Link before its store.
func Open(ctx context.Context, o Options) (*Link, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.MostBytes == 0 {
		o.MostBytes = 64 << 30
	}
	if o.MostNodeBytes == 0 {
		o.MostNodeBytes = o.MostBytes / 2
	}
	if o.MostPending == 0 {
		o.MostPending = 1 << 30
	}
	l := &Link{o: o, commit: newCommitter(o.Store), broken: make(chan struct{}), nodes: map[uint64]*node{}, byKey: map[string]*node{},
		runs: map[uint64]*run{}, byToken: map[[32]byte]*run{}, letters: map[string]*letter{}, objects: map[string]*object{}}
	if err := l.load(ctx); err != nil {
		return nil, fmt.Errorf("loading the SuperLink's state: %w", err)
	}
	work, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	l.wg.Go(func() {
		if err := l.commit.run(work); err != nil {
			l.fail(err)
		}
	})
	l.wg.Go(func() { l.look(work) })
	return l, nil
}

// Close commits what is pending and ends the work. Calls that are held end with an error.
func (l *Link) Close() {
	l.fail(errClosed)
	l.cancel()
	l.wg.Wait()
}

// Broken is closed when a commit fails or the Link is closed. The Link then rejects every call, because its memory is ahead of the store.
// Open a new Link to continue.
func (l *Link) Broken() <-chan struct{} { return l.broken }

// Err returns why the Link is broken; nil while it is not.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault
}

func (l *Link) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return
	}
	l.fault = err
	close(l.broken)
	if err != errClosed { //nolint:errorlint // it is never wrapped
		l.o.Log.Error("the SuperLink's store refused a change", "err", err)
	}
}

// change lets f change the state, and waits until what it returns is committed, also when it returns an error. f holds the lock.
func (l *Link) change(f func(now time.Time) ([]Change, error)) error {
	l.mu.Lock()
	if l.fault != nil {
		l.mu.Unlock()
		return errUnavailable
	}
	changes, err := f(l.o.Clock())
	t := l.commit.add(changes)
	l.mu.Unlock()
	if t.wait() != nil {
		return errUnavailable
	}
	return err
}

// number makes a random number that Flower can use as the id of a node, run or task.
func number() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails
		if n := binary.BigEndian.Uint64(b[:]); n > ServerID {
			return n
		}
	}
}
