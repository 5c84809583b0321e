package store

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/domain"
)

// tallyFresh bounds how long a tally is believed: the server makes all changes itself, but for what commands write beside it.
const tallyFresh = 5 * time.Second

// tallies keeps the newest tally of each federation until a transaction has changed any SuperNode or request: every page of a federation
// shows it, and counting thousands costs more than the rest of the page.
type tallies struct {
	version atomic.Uint64 // increased after each such transaction

	mu    sync.Mutex
	byFed map[int64]countedTally
}

type countedTally struct {
	domain.NodeTally
	version uint64
	at      time.Time
}

func (t *tallies) find(fedID int64, version uint64) (domain.NodeTally, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c, ok := t.byFed[fedID]
	return c.NodeTally, ok && c.version == version && time.Since(c.at) < tallyFresh
}

func (t *tallies) keep(fedID int64, version uint64, tally domain.NodeTally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byFed == nil {
		t.byFed = map[int64]countedTally{}
	}
	t.byFed[fedID] = countedTally{tally, version, time.Now()}
}

// NodeTally counts a federation's SuperNodes and the people who hold its partitions, from indexes alone. The result is shared and must
// not be changed.
func (tx *Tx) NodeTally(ctx context.Context, fedID int64) (domain.NodeTally, error) {
	if tx.tallies == nil {
		return tx.countNodes(ctx, fedID)
	}
	if t, ok := tx.tallies.find(fedID, tx.version); ok {
		return t, nil
	}
	t, err := tx.countNodes(ctx, fedID)
	if err == nil {
		tx.tallies.keep(fedID, tx.version, t)
	}
	return t, err
}

func (tx *Tx) countNodes(ctx context.Context, fedID int64) (domain.NodeTally, error) {
	t := domain.NodeTally{By: map[domain.NodeStatus]int{}, Releases: map[string]int{}}
	type group struct {
		status domain.NodeStatus
		flwr   string
		n      int
	}
	groups, err := list(ctx, tx, "key", func(s scanner) (g group, err error) { return g, s.Scan(&g.status, &g.flwr, &g.n) },
		"SELECT status, flwr, COUNT(*) FROM node_key WHERE federation_id = $1 GROUP BY status, flwr", fedID)
	if err != nil {
		return t, err
	}
	for _, g := range groups {
		t.By[g.status] += g.n
		if g.status == domain.NodeOnline {
			t.Releases[g.flwr] = g.n
		}
	}
	t.Approved, err = get(ctx, tx, "request", scanInt, "SELECT COUNT(*) FROM request WHERE federation_id = $1 AND state = 'approved'", fedID)
	t.By[domain.NodeNotConnected] = max(t.Approved-t.Count().Good, 0)
	return t, err
}
