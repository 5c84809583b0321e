package runs

import (
	"context"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// Get returns a run by its id. A deleted one is a [domain.NotFound].
func (s *Service) Get(ctx context.Context, id int64) (run domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { run, err = tx.RunByID(ctx, id); return err })
	if err == nil {
		err = checkThere(run)
	}
	return run, err
}

// ByName returns a run by its Run ID.
func (s *Service) ByName(ctx context.Context, name string) (run domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { run, err = tx.RunByName(ctx, name); return err })
	return run, err
}

// List returns runs, newest first.
func (s *Service) List(ctx context.Context, f domain.RunFilter) (out []domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.Runs(ctx, f); return err })
	return out, err
}

// Part returns what a SuperNode has taken part in; nothing for one that the SuperLink does not know yet.
func (s *Service) Part(ctx context.Context, fedID int64, nodeID uint64) (p domain.Part, err error) {
	if nodeID == 0 {
		return p, nil
	}
	err = s.Store.View(ctx, func(tx Tx) (err error) { p, err = tx.Part(ctx, fedID, nodeID); return err })
	return p, err
}

// NewestContributions returns what a SuperNode contributed to the newest n rounds in which something was asked of it, the newest first.
func (s *Service) NewestContributions(ctx context.Context, fedID int64, nodeID uint64, n int) (cs []domain.Contribution, err error) {
	if nodeID == 0 {
		return nil, nil
	}
	err = s.Store.View(ctx, func(tx Tx) (err error) { cs, err = tx.NewestContributions(ctx, fedID, nodeID, n); return err })
	return cs, err
}

// Sees reports whether a participant of a run's federation may see the run: while it is queued, if it began after they were enrolled,
// or if they took part in it. Viewers and managers see every run; who they are is for the caller to know.
func (s *Service) Sees(ctx context.Context, run domain.Run, personID int64) (is bool, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { is, err = tx.SeesRun(ctx, run.ID, personID); return err })
	return is, err
}

// WaitFor is [Service.Wait] as a participant may read it: it names no run that they may not see. With 0 it is for those who see every run.
func (s *Service) WaitFor(ctx context.Context, run domain.Run, personID int64) (diagnose.Wait, error) {
	w, err := s.Wait(ctx, run)
	if err != nil || personID == 0 || run.State != domain.Queued || w.What == "" {
		return w, err
	}
	err = s.Store.View(ctx, func(tx Tx) error {
		ahead, err := tx.Runs(ctx, domain.RunFilter{FederationID: run.FederationID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: 100})
		for _, r := range ahead {
			if w.What != "waits for "+r.Name {
				continue
			}
			sees, err := tx.SeesRun(ctx, r.ID, personID)
			if err == nil && !sees {
				w.What = "waits for 1 run ahead"
			}
			return err
		}
		return err
	})
	return w, err
}
