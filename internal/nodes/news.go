package nodes

import (
	"context"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/fleet"
	"blossomtune/internal/onboarding"
)

// newsPause is how long news are gathered after it has stored something: thousands of SuperNodes that come at once cost some transactions
// and events, not thousands.
const newsPause = 100 * time.Millisecond

// news are SuperNodes that came, went or got stuck. They are stored at once; the gateway's own flush is seconds later.
type news struct {
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

// Came tells pages that a SuperNode came or went.
func (s *Seen) Came(v fleet.Seen) {
	s.add(func(p *newsOfNodes) {
		p.seen = append(p.seen, v)
		if v.Key.NodeID != 0 {
			p.presence = append(p.presence, domain.Presence{FederationID: v.Key.FederationID, NodeID: v.Key.NodeID, At: s.o.Clock().UTC(),
				Online: v.Seen.Online})
		}
	})
}

// Stuck shows that a SuperNode got stuck, or is no longer.
func (s *Seen) Stuck(v fleet.Seen) {
	cause, _ := v.Key.Stuck()
	s.o.Log.Info("a SuperNode's state changed", "federation", v.Key.FederationID, "partition", v.Key.Partition, "stuck", cause)
	s.add(func(p *newsOfNodes) {
		p.seen = append(p.seen, v)
		p.observed[v.Key.FederationID] = true
	})
}

// add takes news and returns at once. The first is stored at once; what comes meanwhile is stored together.
func (s *Seen) add(what func(*newsOfNodes)) {
	s.news.mu.Lock()
	defer s.news.mu.Unlock()
	if s.news.pending.observed == nil {
		s.news.pending.observed = map[int64]bool{}
	}
	what(&s.news.pending)
	if s.news.running {
		return
	}
	s.news.running = true
	s.o.Jobs.Go(s.run)
}

func (s *Seen) run(ctx context.Context) {
	over := false
	defer func() {
		if !over { // a panic: the next news start it again
			s.news.mu.Lock()
			s.news.running = false
			s.news.mu.Unlock()
		}
	}()
	for {
		s.news.mu.Lock()
		p := s.news.pending
		s.news.pending = newsOfNodes{}
		if len(p.seen) == 0 {
			s.news.running, over = false, true
			s.news.mu.Unlock()
			return
		}
		s.news.mu.Unlock()
		s.tell(context.WithoutCancel(ctx), p)
		pause := time.NewTimer(newsPause)
		select {
		case <-ctx.Done(): // what is left is stored without a pause
		case <-pause.C:
		}
		pause.Stop()
	}
}

func (s *Seen) tell(ctx context.Context, p newsOfNodes) {
	if err := s.SaveSeen(ctx, p.seen); err != nil {
		s.o.Log.Warn("keeping what was seen of SuperNodes", "err", err)
	}
	err := s.o.Store.InTx(ctx, func(tx Tx) error {
		for _, v := range p.presence {
			if err := tx.InsertPresence(ctx, v); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.o.Log.Warn("keeping that SuperNodes came or went", "err", err)
	}
	feds := map[int64]bool{}
	for _, v := range p.seen {
		feds[v.Key.FederationID] = true
		s.o.Events.Publish(events.Event{Topic: onboarding.RequestTopic(v.Key.RequestID), Kind: "node"})
	}
	for id := range feds {
		s.o.Events.Publish(events.Event{Topic: onboarding.RequestsTopic(id), Kind: "node"})
	}
	for id := range p.observed {
		s.o.Runs.Observed(id)
	}
}
