package server

import (
	"context"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/fleet"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/store"
)

// newsPause is how long nodeNews gathers after it has stored something: thousands of SuperNodes that come at once cost some transactions
// and events, not thousands.
const newsPause = 100 * time.Millisecond

// nodeNews stores and tells that SuperNodes came, went or got stuck. The gateway's own flush is seconds later.
type nodeNews struct {
	app *Server

	mu      sync.Mutex
	pending newsOfNodes
	running bool
}

// newsOfNodes is what one pass stores and tells.
type newsOfNodes struct {
	seen     []fleet.Seen
	presence []domain.Presence
	observed map[int64]bool // federations whose runs are looked at again
}

// nodeSeen tells pages that a SuperNode came or went.
func (a *Server) nodeSeen(s fleet.Seen) {
	a.news.add(func(p *newsOfNodes) {
		p.seen = append(p.seen, s)
		if s.Key.NodeID != 0 {
			p.presence = append(p.presence, domain.Presence{FederationID: s.Key.FederationID, NodeID: s.Key.NodeID, At: a.o.Clock().UTC(),
				Online: s.Seen.Online})
		}
	})
}

// nodeStuck shows that a SuperNode got stuck, or is no longer.
func (a *Server) nodeStuck(s fleet.Seen) {
	cause, _ := s.Key.Stuck()
	a.o.Log.Info("a SuperNode's state changed", "federation", s.Key.FederationID, "partition", s.Key.Partition, "stuck", cause)
	a.news.add(func(p *newsOfNodes) {
		p.seen = append(p.seen, s)
		p.observed[s.Key.FederationID] = true
	})
}

// add takes news and returns at once. The first is stored at once; what comes meanwhile is stored together.
func (n *nodeNews) add(what func(*newsOfNodes)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending.observed == nil {
		n.pending.observed = map[int64]bool{}
	}
	what(&n.pending)
	if n.running {
		return
	}
	n.running = true
	n.app.background(n.run)
}

func (n *nodeNews) run() {
	over := false
	defer func() {
		if !over { // a panic: the next news start it again
			n.mu.Lock()
			n.running = false
			n.mu.Unlock()
		}
	}()
	for {
		n.mu.Lock()
		p := n.pending
		n.pending = newsOfNodes{}
		if len(p.seen) == 0 {
			n.running, over = false, true
			n.mu.Unlock()
			return
		}
		n.mu.Unlock()
		n.tell(p)
		pause := time.NewTimer(newsPause)
		select {
		case <-n.app.ctx.Done(): // what is left is stored without a pause
		case <-pause.C:
		}
		pause.Stop()
	}
}

func (n *nodeNews) tell(p newsOfNodes) {
	a := n.app
	ctx := context.WithoutCancel(a.ctx)
	if err := (seenStore{a.db}).SaveSeen(ctx, p.seen); err != nil {
		a.o.Log.Warn("keeping what was seen of SuperNodes", "err", err)
	}
	err := a.db.InTx(ctx, func(tx *store.Tx) error {
		for _, v := range p.presence {
			if err := tx.InsertPresence(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		a.o.Log.Warn("keeping that SuperNodes came or went", "err", err)
	}
	feds := map[int64]bool{}
	for _, s := range p.seen {
		feds[s.Key.FederationID] = true
		a.bus.Publish(events.Event{Topic: onboarding.RequestTopic(s.Key.RequestID), Kind: "node"})
	}
	for id := range feds {
		a.bus.Publish(events.Event{Topic: onboarding.RequestsTopic(id), Kind: "node"})
	}
	for id := range p.observed {
		a.Runs.Observed(id)
	}
}
