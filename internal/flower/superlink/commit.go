package superlink

import (
	"context"
	"errors"
	"sync"
	"time"
)

// commitWithin bounds one commit: a store that hangs must not hold all callers for ever.
const commitWithin = 30 * time.Second

var errClosed = errors.New("the SuperLink is closed")

// committer gathers the changes of all callers while a commit is under way, and commits them together afterwards. Changes are
// committed in the order in which they were added.
type committer struct {
	store Store

	mu      sync.Mutex
	pending []Change
	ticket  *ticket // of what is pending
	wake    chan struct{}
	closed  bool
}

// ticket is done when the changes it stands for are committed, or cannot be.
type ticket struct {
	done chan struct{}
	err  error
}

func (t *ticket) wait() error {
	if t == nil {
		return nil
	}
	<-t.done
	return t.err
}

func newCommitter(store Store) *committer {
	return &committer{store: store, ticket: &ticket{done: make(chan struct{})}, wake: make(chan struct{}, 1)}
}

// add queues changes. It never waits, so the order can be that of a lock which the caller holds.
func (c *committer) add(changes []Change) *ticket {
	if len(changes) == 0 {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		t := &ticket{done: make(chan struct{}), err: errClosed}
		close(t.done)
		return t
	}
	c.pending = append(c.pending, changes...)
	select {
	case c.wake <- struct{}{}:
	default:
	}
	return c.ticket
}

// run commits until ctx ends, then once more what is pending. The first error ends it: what is in memory is ahead of the store then.
func (c *committer) run(ctx context.Context) error {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			c.mu.Lock()
			c.closed = true
			c.mu.Unlock()
			return c.once()
		}
		if err := c.once(); err != nil {
			return err
		}
	}
}

func (c *committer) once() error {
	c.mu.Lock()
	changes, t := c.pending, c.ticket
	c.pending, c.ticket = nil, &ticket{done: make(chan struct{})}
	c.mu.Unlock()
	if len(changes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	defer cancel()
	t.err = c.store.Commit(ctx, changes)
	if t.err != nil {
		c.fail(t.err)
	}
	close(t.done)
	return t.err
}

// fail refuses what comes, and what came during the commit that failed.
func (c *committer) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.ticket.err = err
	close(c.ticket.done)
	c.pending = nil
}
