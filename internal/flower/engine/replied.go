package engine

import (
	"context"
	"net/http"
	"sync"
	"time"
	"weak"

	"blossomtune/internal/flower/runtimeproxy"
	"blossomtune/internal/safely"
)

// With Flower's SuperLink, the gateway sees the last object of a reply pass. It is in the server, the Runtime proxy that waits for the
// reply in the keeper, so the server tells the keeper. This only saves time: the Runtime proxy also polls, and finds a reply of which it
// was not told.

// replies are those that a keeper is still to be told of. Telling never blocks.
type replies struct {
	mu      sync.Mutex
	pending []runtimeproxy.Reply
	telling bool
}

func newReplies() *replies { return &replies{} }

const (
	maxPending = 10_000 // a keeper that does not listen is not told of more
	toldAtOnce = 200    // fits an order
)

// Replied tells the federation's keeper that all of a SuperNode's reply has reached the SuperLink. It returns at once. Nothing depends
// on its success.
func (m *Manager) Replied(fedID int64, r runtimeproxy.Reply) {
	if m.Keyed(fedID) {
		return // the builtin SuperLink has the reply itself
	}
	e := m.engine(fedID)
	q := e.replies
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pending) < maxPending && m.ctx.Err() == nil {
		q.pending = append(q.pending, r)
	}
	if !q.telling {
		q.telling = true
		go safely.Go(m.o.Log, "telling a keeper of replies", func() { q.tell(m.ctx, e.link) })
	}
}

// tell sends what is pending, in batches, until nothing is.
func (q *replies) tell(ctx context.Context, l *link) {
	for {
		q.mu.Lock()
		part := q.pending[:min(len(q.pending), toldAtOnce)]
		q.pending = q.pending[len(part):]
		if q.telling = len(part) > 0; !q.telling {
			q.pending = nil
		}
		q.mu.Unlock()
		if len(part) == 0 {
			return
		}
		l.replied(ctx, part)
	}
}

const repliedWithin = 5 * time.Second

func (l *link) replied(ctx context.Context, part []runtimeproxy.Reply) {
	ctx, cancel := context.WithTimeout(ctx, repliedWithin)
	defer cancel()
	if res, err := l.do(ctx, http.MethodPost, "/replied", part); err == nil {
		_ = res.Body.Close()
	}
}

// proxies finds the Runtime proxy of a run. The launcher owns the proxies, and drops them with their runs.
type proxies struct {
	mu    sync.Mutex
	byRun map[uint64]weak.Pointer[runtimeproxy.Proxy]
}

func (ps *proxies) add(engineRunID uint64, p *runtimeproxy.Proxy) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.byRun == nil {
		ps.byRun = map[uint64]weak.Pointer[runtimeproxy.Proxy]{}
	}
	for id, old := range ps.byRun {
		if old.Value() == nil {
			delete(ps.byRun, id)
		}
	}
	ps.byRun[engineRunID] = weak.Make(p)
}

func (ps *proxies) replied(rs []runtimeproxy.Reply) {
	for _, r := range rs {
		ps.mu.Lock()
		p := ps.byRun[r.EngineRunID].Value()
		ps.mu.Unlock()
		if p != nil {
			p.Arrived(r.MessageID)
		}
	}
}
