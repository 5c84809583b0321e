// Package nodes keeps the SuperLinks' lists of nodes in line with the enrolled keys, and stores what the gateway sees of SuperNodes.
// Who may enrol is not here, but in onboarding; who may speak to a SuperLink is in fleet.
package nodes

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleet"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/onboarding"
	"blossomtune/internal/safely"
)

// Options are the parts of a [Sync].
type Options struct {
	Signal     *Signal
	Manager    *engine.Manager
	Onboarding *onboarding.Service
	Gateway    *fleet.Gateway
	Adopted    *Adopted
	Jobs       *safely.Jobs
	Log        *slog.Logger
}

// Sync keeps the SuperLinks' lists of nodes in line with the enrolled keys, one goroutine per federation.
type Sync struct {
	o  Options
	wg sync.WaitGroup
}

// NewSync returns what runs with [Sync.Run].
func NewSync(o Options) *Sync { return &Sync{o: o} }

// Run follows the federations that [Signal.Changed] names until ctx ends, and returns when its goroutines have ended.
func (s *Sync) Run(ctx context.Context) {
	defer s.wg.Wait()
	loops := map[int64]chan struct{}{}
	for {
		for _, fedID := range s.o.Signal.take() {
			wake, ok := loops[fedID]
			if !ok {
				wake = make(chan struct{}, 1)
				loops[fedID] = wake
				s.wg.Go(func() { safely.Keep(ctx, s.o.Log, "nodes", func() { s.loop(ctx, fedID, wake) }) })
			}
			select {
			case wake <- struct{}{}:
			default: // one wake waits already
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.o.Signal.poke:
		}
	}
}

func (s *Sync) loop(ctx context.Context, fedID int64, wake <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}
		s.cutEnded(ctx, fedID)
		if s.o.Manager.Status(fedID).State != domain.SuperLinkUp {
			continue // it is looked at again when the SuperLink is up
		}
		if err := s.sync(ctx, fedID); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("telling the SuperLink of keys; it is tried again", "federation", fedID, "err", err)
			time.AfterFunc(2*time.Second, func() { s.o.Signal.Changed(fedID) })
		}
	}
}

// cutEnded makes the gateway refuse revoked and suspended keys at once, before the SuperLink hears of it, and take resumed ones.
func (s *Sync) cutEnded(ctx context.Context, fedID int64) {
	keys, err := s.o.Onboarding.NodeKeys(ctx, fedID)
	if err != nil {
		s.o.Gateway.Doubt(fedID)
		if ctx.Err() == nil {
			s.o.Log.Warn("reading a federation's keys; it is tried again", "federation", fedID, "err", err)
			time.AfterFunc(time.Second, func() { s.o.Signal.Changed(fedID) })
		}
		return
	}
	for _, k := range keys {
		switch {
		case !k.RevokedAt.IsZero():
			s.o.Gateway.Cut(k.Fingerprint)
		case !k.SuspendedAt.IsZero():
			s.o.Gateway.Pause(k.Fingerprint)
		}
	}
}

func (s *Sync) sync(ctx context.Context, fedID int64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := s.adopt(ctx, fedID); err != nil {
		return err
	}
	changed, err := s.o.Onboarding.SyncNodes(ctx, registrar{s.o.Manager}, fedID)
	for _, fp := range changed {
		s.o.Gateway.Forget(fp)
	}
	return err
}

// Unknown registers a key again that the SuperLink has lost. It returns at once.
func (s *Sync) Unknown(k domain.NodeKey) {
	s.o.Jobs.Go(func(ctx context.Context) {
		if err := s.o.Onboarding.ForgetNode(ctx, k); err != nil {
			s.o.Log.Warn("registering a SuperNode again", "err", err)
			return
		}
		s.o.Gateway.Forget(k.Fingerprint)
		s.o.Signal.Changed(k.FederationID)
	})
}

// registrar is a SuperLink as onboarding uses it.
type registrar struct{ manager *engine.Manager }

func (r registrar) RegisterNode(ctx context.Context, fedID int64, publicPEM []byte, name string) (uint64, error) {
	c, err := r.manager.Control(fedID)
	if err != nil {
		return 0, err
	}
	return c.RegisterNode(ctx, publicPEM, name, 0)
}

func (r registrar) UnregisterNode(ctx context.Context, fedID int64, nodeID uint64) error {
	c, err := r.manager.Control(fedID)
	if err != nil {
		return err
	}
	return c.UnregisterNode(ctx, nodeID)
}

func (r registrar) RegisteredNodes(ctx context.Context, fedID int64) (map[string]uint64, error) {
	c, err := r.manager.Control(fedID)
	if err != nil {
		return nil, err
	}
	nodes, err := c.ListNodes(ctx)
	out := make(map[string]uint64, len(nodes))
	for _, n := range nodes {
		out[string(n.PublicPEM)] = n.ID
	}
	return out, err
}
