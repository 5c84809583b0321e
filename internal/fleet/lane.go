package fleet

import (
	"context"
	"slices"
	"sync"
	"time"
)

// lane bounds what is done at the same time, and gives those who wait their turn: urgent work first, then one piece of each owner in
// turn, so that an owner who asks for much delays the others by one piece. It is safe for concurrent use.
type lane[K comparable] struct {
	places  int // in all
	reserve int // of them, for urgent work alone
	each    int // that one owner may have; 0: all
	most    int // pieces of work that may wait, urgent and others each

	mu     sync.Mutex
	busy   int
	by     map[K]int          // places by owner
	queues map[K][]*ticket[K] // who waits
	turns  []K                // the owners of queues, in the order of their turn
	count  int                // tickets in queues
	first  []*ticket[K]       // urgent ones
}

// ticket is a piece of work that waits; ready is closed when it has its place.
type ticket[K comparable] struct {
	owner K
	ready chan struct{}
}

// enter waits for a place for as long as it may, and returns what gives it back; nil when there was none.
func (l *lane[K]) enter(ctx context.Context, owner K, urgent bool, wait time.Duration) (leave func()) {
	l.mu.Lock()
	if l.free(owner, urgent) && (urgent || len(l.turns) == 0) {
		l.take(owner)
		l.mu.Unlock()
		return func() { l.leave(owner) }
	}
	t := l.queue(owner, urgent)
	l.give() // those before may have all that they may have
	l.mu.Unlock()
	if t == nil {
		return nil
	}
	limit := time.NewTimer(wait)
	defer limit.Stop()
	select {
	case <-t.ready:
		return func() { l.leave(owner) }
	case <-limit.C:
	case <-ctx.Done():
	}
	if l.abandon(t) {
		return nil
	}
	if ctx.Err() == nil { // it was given a place in the same moment
		return func() { l.leave(owner) }
	}
	l.leave(owner)
	return nil
}

// free reports whether the owner may have a place now. The caller holds the lock, as for all that follow.
func (l *lane[K]) free(owner K, urgent bool) bool {
	if urgent {
		return l.busy < l.places
	}
	return l.busy < l.places-l.reserve && (l.each == 0 || l.by[owner] < l.each)
}

func (l *lane[K]) take(owner K) {
	if l.by == nil {
		l.by = map[K]int{}
	}
	l.busy++
	l.by[owner]++
}

// queue returns nil when too many wait already.
func (l *lane[K]) queue(owner K, urgent bool) *ticket[K] {
	t := &ticket[K]{owner: owner, ready: make(chan struct{})}
	switch {
	case urgent && len(l.first) < l.most:
		l.first = append(l.first, t)
	case !urgent && l.count < l.most:
		if l.queues == nil {
			l.queues = map[K][]*ticket[K]{}
		}
		if len(l.queues[owner]) == 0 {
			l.turns = append(l.turns, owner)
		}
		l.queues[owner] = append(l.queues[owner], t)
		l.count++
	default:
		return nil
	}
	return t
}

// leave gives a place back and gives free ones to those who wait.
func (l *lane[K]) leave(owner K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	if l.by[owner]--; l.by[owner] <= 0 {
		delete(l.by, owner)
	}
	l.give()
}

// give gives free places to those who wait.
func (l *lane[K]) give() {
	for len(l.first) > 0 && l.busy < l.places {
		t := l.first[0]
		l.first = l.first[1:]
		l.take(t.owner)
		close(t.ready)
	}
	for i := 0; i < len(l.turns) && l.busy < l.places-l.reserve; {
		owner := l.turns[i]
		if !l.free(owner, false) {
			i++ // it has its share; the next one's turn
			continue
		}
		l.turns = slices.Delete(l.turns, i, i+1)
		t := l.queues[owner][0]
		l.drop(t)
		if len(l.queues[owner]) > 0 {
			l.turns = append(l.turns, owner)
		}
		l.take(owner)
		close(t.ready)
	}
}

// drop takes a ticket out of its owner's queue.
func (l *lane[K]) drop(t *ticket[K]) {
	l.count--
	l.queues[t.owner] = slices.DeleteFunc(l.queues[t.owner], func(o *ticket[K]) bool { return o == t })
	if len(l.queues[t.owner]) == 0 {
		delete(l.queues, t.owner)
	}
}

// abandon takes back a ticket; it reports false when that has its place already.
func (l *lane[K]) abandon(t *ticket[K]) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-t.ready:
		return false
	default:
	}
	if i := slices.Index(l.first, t); i >= 0 {
		l.first = slices.Delete(l.first, i, i+1)
		return true
	}
	l.drop(t)
	if len(l.queues[t.owner]) == 0 {
		l.turns = slices.DeleteFunc(l.turns, func(o K) bool { return o == t.owner })
	}
	return true
}
