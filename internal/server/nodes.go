package server

import (
	"context"
	"fmt"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/fleet"
	"blossomtune/internal/flower/runtimeproxy"
	"blossomtune/internal/safely"
	"blossomtune/internal/store"
)

// nodeSync keeps the SuperLinks' lists of nodes in line with the enrolled keys, one goroutine per federation.
type nodeSync struct {
	app *Server

	mu      sync.Mutex
	wakes   map[int64]chan struct{}
	adopted map[int64]int // the keepers that know all earlier node ids, by federation
	wg      sync.WaitGroup
}

// changed makes the federation be looked at; it returns at once.
func (n *nodeSync) changed(fedID int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.app.ctx.Err() != nil {
		return
	}
	wake, ok := n.wakes[fedID]
	if !ok {
		wake = make(chan struct{}, 1)
		n.wakes[fedID] = wake
		n.wg.Go(func() { safely.Keep(n.app.ctx, n.app.o.Log, "nodes", func() { n.loop(fedID, wake) }) })
	}
	select {
	case wake <- struct{}{}:
	default: // one wake waits already
	}
}

func (n *nodeSync) wait() { n.wg.Wait() }

func (n *nodeSync) loop(fedID int64, wake <-chan struct{}) {
	ctx := n.app.ctx
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}
		n.cutEnded(ctx, fedID)
		if n.app.manager.Status(fedID).State != domain.SuperLinkUp {
			continue // it is looked at again when the SuperLink is up
		}
		if err := n.sync(ctx, fedID); err != nil && ctx.Err() == nil {
			n.app.o.Log.Warn("telling the SuperLink of keys; it is tried again", "federation", fedID, "err", err)
			time.AfterFunc(2*time.Second, func() { n.changed(fedID) })
		}
	}
}

// cutEnded makes the gateway refuse revoked and suspended keys at once, before the SuperLink hears of it, and take resumed ones.
func (n *nodeSync) cutEnded(ctx context.Context, fedID int64) {
	keys, err := n.app.Onboarding.NodeKeys(ctx, fedID)
	if err != nil {
		n.app.gateway.Doubt(fedID)
		if ctx.Err() == nil {
			n.app.o.Log.Warn("reading a federation's keys; it is tried again", "federation", fedID, "err", err)
			time.AfterFunc(time.Second, func() { n.changed(fedID) })
		}
		return
	}
	for _, k := range keys {
		switch {
		case !k.RevokedAt.IsZero():
			n.app.gateway.Cut(k.Fingerprint)
		case !k.SuspendedAt.IsZero():
			n.app.gateway.Pause(k.Fingerprint)
		}
	}
}

func (n *nodeSync) sync(ctx context.Context, fedID int64) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := n.adopt(ctx, fedID); err != nil {
		return err
	}
	changed, err := n.app.Onboarding.SyncNodes(ctx, registrar{n.app}, fedID)
	for _, fp := range changed {
		n.app.gateway.Forget(fp)
	}
	return err
}

// registrar is a SuperLink as onboarding uses it.
type registrar struct{ app *Server }

func (r registrar) RegisterNode(ctx context.Context, fedID int64, publicPEM []byte, name string) (uint64, error) {
	c, err := r.app.manager.Control(fedID)
	if err != nil {
		return 0, err
	}
	return c.RegisterNode(ctx, publicPEM, name, 0)
}

func (r registrar) UnregisterNode(ctx context.Context, fedID int64, nodeID uint64) error {
	c, err := r.app.manager.Control(fedID)
	if err != nil {
		return err
	}
	return c.UnregisterNode(ctx, nodeID)
}

func (r registrar) RegisteredNodes(ctx context.Context, fedID int64) (map[string]uint64, error) {
	c, err := r.app.manager.Control(fedID)
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

// activeRuns returns the engine ids of a federation's runs that have not ended.
func (a *Server) activeRuns(ctx context.Context, fedID int64) (map[uint64]bool, error) {
	out := map[uint64]bool{}
	err := a.db.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Runs(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: 1000})
		for _, r := range all {
			out[r.EngineRunID] = true
		}
		return err
	})
	return out, err
}

// replyArrived tells the keeper, whose Runtime proxy may be waiting for this reply.
func (a *Server) replyArrived(r fleet.Reply) {
	a.manager.Replied(r.FederationID, runtimeproxy.Reply{EngineRunID: r.EngineRunID, MessageID: r.MessageID})
}

// nodeUnknown registers a key anew that the SuperLink has lost.
func (a *Server) nodeUnknown(k domain.NodeKey) {
	a.background(func() {
		if err := a.Onboarding.ForgetNode(a.ctx, k); err != nil {
			a.o.Log.Warn("registering a SuperNode anew", "err", err)
			return
		}
		a.gateway.Forget(k.Fingerprint)
		a.nodes.changed(k.FederationID)
	})
}

// reported keeps what an agent told of itself.
func (a *Server) reported(ctx context.Context, k domain.NodeKey, v domain.NodeSeen) error {
	return a.db.InTx(ctx, func(tx *store.Tx) error {
		now, err := tx.NodeKeyByFingerprint(ctx, k.Fingerprint)
		if err != nil {
			return err
		}
		if err := tx.UpdateNodeMachine(ctx, now.ID, v); err != nil {
			return err
		}
		before, after := now.Seen.Contained, v.Contained
		if before == after || before != domain.ContainmentOff && after != domain.ContainmentOff {
			return nil
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: a.o.Clock().UTC(), Actor: domain.Actor{Kind: "node", Name: fmt.Sprintf("partition %d", now.Partition)},
			Action: "node_key.containment", ObjectKind: "node_key", ObjectID: now.Fingerprint, FederationID: now.FederationID,
			Detail: map[string]string{"contain": domain.OnOff(after != domain.ContainmentOff)}})
	})
}

// timingStore keeps the times of messages, and tells those who watch the runs that they belong to.
type timingStore struct{ app *Server }

// SaveTimings stores them; what changes here changes nobody's rights, so it has no audit row.
func (s timingStore) SaveTimings(ctx context.Context, all []domain.Timing) error {
	if err := s.app.db.InTx(ctx, func(tx *store.Tx) error { return tx.SaveTimings(ctx, all) }); err != nil {
		return err
	}
	feds := map[int64]bool{}
	for _, t := range all {
		feds[t.FederationID] = true
	}
	for id := range feds {
		s.app.Runs.Observed(id)
	}
	return nil
}

// seenStore keeps what the gateway has seen.
type seenStore struct{ db *store.DB }

// SaveSeen stores it; what changes here changes nobody's rights, so it has no audit row.
func (s seenStore) SaveSeen(ctx context.Context, seen []fleet.Seen) error {
	byKey := make(map[int64]domain.NodeSeen, len(seen))
	for _, v := range seen {
		v.Seen.Agent, v.Seen.Python = "", "" // the gateway hears of flwr alone
		byKey[v.Key.ID] = v.Seen
	}
	return s.db.InTx(ctx, func(tx *store.Tx) error { return tx.UpdateNodesSeen(ctx, byKey) })
}
