package supernode

import (
	"context"
	"sync"
	"time"
)

// lingers are ClientApps that have replied and not ended yet. The next message does not wait for them, but they end soon after it has
// come: an app that never ends must not pile up. It is safe for concurrent use.
type lingers struct {
	mu   sync.Mutex
	last int
	all  map[int]context.CancelCauseFunc
}

// lingerLimit is how long an app may take to end once the next message is here.
const lingerLimit = 5 * time.Second

// add notes an app that has replied, and returns what to call when it has ended.
func (l *lingers) add(stop context.CancelCauseFunc) (ended func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[int]context.CancelCauseFunc{}
	}
	l.last++
	id := l.last
	l.all[id] = stop
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.all, id)
	}
}

// hurry ends those that are noted now, after the limit.
func (l *lingers) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, stop := range l.all {
		time.AfterFunc(lingerLimit, func() { stop(errLingers) })
	}
}
