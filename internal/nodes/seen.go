package nodes

import (
	"context"
	"fmt"
	"log/slog"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/fleet"
	"blossomtune/internal/runs"
	"blossomtune/internal/safely"
)

// Tx is what is stored of SuperNodes, in one transaction.
type Tx interface {
	NodeKeyByFingerprint(ctx context.Context, fingerprint string) (domain.NodeKey, error)
	UpdateNodeMachine(ctx context.Context, keyID int64, v domain.NodeSeen) error
	UpdateNodesSeen(ctx context.Context, byKey map[int64]domain.NodeSeen) error
	InsertPresence(ctx context.Context, v domain.Presence) error
	SaveTimings(ctx context.Context, all []domain.Timing) error
	Runs(ctx context.Context, f domain.RunFilter) ([]domain.Run, error)
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

var (
	_ fleet.SeenStore   = (*Seen)(nil)
	_ fleet.TimingStore = (*Seen)(nil)
)

// SeenOptions are the parts of a [Seen].
type SeenOptions struct {
	Store  Store
	Events *events.Bus
	Runs   *runs.Service
	Jobs   *safely.Jobs
	Clock  domain.Clock
	Log    *slog.Logger
}

// Seen stores what the gateway sees of SuperNodes and what agents report, and publishes it. It is safe for concurrent use.
type Seen struct {
	o    SeenOptions
	news news
}

// NewSeen returns what stores through its parts.
func NewSeen(o SeenOptions) *Seen { return &Seen{o: o} }

// ActiveRuns returns the engine ids of a federation's runs that have not ended.
func (s *Seen) ActiveRuns(ctx context.Context, fedID int64) (map[uint64]bool, error) {
	out := map[uint64]bool{}
	err := s.o.Store.View(ctx, func(tx Tx) error {
		all, err := tx.Runs(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: 1000})
		for _, r := range all {
			out[r.EngineRunID] = true
		}
		return err
	})
	return out, err
}

// Reported stores what an agent reports of itself. A sandbox that was switched on or off is in the audit.
func (s *Seen) Reported(ctx context.Context, k domain.NodeKey, v domain.NodeSeen) error {
	return s.o.Store.InTx(ctx, func(tx Tx) error {
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
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.o.Clock().UTC(),
			Actor:  domain.Actor{Kind: "node", Name: fmt.Sprintf("partition %d", now.Partition)},
			Action: "node_key.containment", ObjectKind: "node_key", ObjectID: now.Fingerprint, FederationID: now.FederationID,
			Detail: map[string]string{"contain": domain.OnOff(after != domain.ContainmentOff)}})
	})
}

// SaveTimings stores the times of messages, and tells those who watch the runs that they belong to. What changes here changes nobody's
// rights, so it has no audit row.
func (s *Seen) SaveTimings(ctx context.Context, all []domain.Timing) error {
	if err := s.o.Store.InTx(ctx, func(tx Tx) error { return tx.SaveTimings(ctx, all) }); err != nil {
		return err
	}
	feds := map[int64]bool{}
	for _, t := range all {
		feds[t.FederationID] = true
	}
	for id := range feds {
		s.o.Runs.Observed(id)
	}
	return nil
}

// SaveSeen stores what the gateway has seen. What changes here changes nobody's rights, so it has no audit row.
func (s *Seen) SaveSeen(ctx context.Context, seen []fleet.Seen) error {
	byKey := make(map[int64]domain.NodeSeen, len(seen))
	for _, v := range seen {
		v.Seen.Agent, v.Seen.Python = "", "" // the gateway hears of flwr alone
		byKey[v.Key.ID] = v.Seen
	}
	return s.o.Store.InTx(ctx, func(tx Tx) error { return tx.UpdateNodesSeen(ctx, byKey) })
}
