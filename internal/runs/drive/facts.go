package drive

import (
	"context"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// Situation collects what a run's waiting and its limits are judged by.
func (s *Driver) Situation(ctx context.Context, run domain.Run) (x diagnose.Situation, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		fed, err := tx.FederationByID(ctx, run.FederationID)
		if err != nil {
			return err
		}
		if run.State == domain.Queued {
			x = s.SituationOf(run, fed, nil, nil)
			x.Ahead, err = s.aheadOf(ctx, tx, run)
			return err
		}
		asked, err := tx.NewestExchanges(ctx, run.FederationID, run.EngineRunID)
		if err != nil {
			return err
		}
		keys, err := tx.NodeStates(ctx, []int64{run.FederationID})
		x = s.SituationOf(run, fed, keys[run.FederationID], asked)
		return err
	})
	return x, err
}

// SituationOf is the situation of a run in a federation, with its keys that are not revoked and what was asked in the newest round.
func (s *Driver) SituationOf(run domain.Run, fed domain.Federation, keys []domain.NodeKey, asked []domain.Exchange) diagnose.Situation {
	doing, needs := s.Follower.Doing(run)
	return diagnose.Situation{Run: run, Fed: fed, Keys: keys, Asked: asked, Link: s.Engine.Status(run.FederationID),
		Doing: doing, Needs: needs, Now: s.Clock().UTC()}.Complete(s.began)
}

// activity is a situation that knows when something last happened, and no SuperNodes: the driver needs it each second, and reading
// the keys and exchanges of thousands costs five times as much.
func (s *Driver) activity(ctx context.Context, run domain.Run) (diagnose.Situation, error) {
	var a domain.RoundActivity
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		a, err = tx.RoundActivity(ctx, run.FederationID, run.EngineRunID)
		return err
	})
	doing, needs := s.Follower.Doing(run)
	return diagnose.Situation{Run: run, Link: s.Engine.Status(run.FederationID), Doing: doing, Needs: needs,
		Now: s.Clock().UTC()}.Active(s.began, a), err
}

// aheadOf lists what runs, where that leaves no room, and what is before a run in its queue and may start.
func (s *Driver) aheadOf(ctx context.Context, tx Tx, run domain.Run) ([]domain.Run, error) {
	fed, err := tx.FederationByID(ctx, run.FederationID)
	if err != nil {
		return nil, err
	}
	busy, err := tx.Runs(ctx, domain.RunFilter{FederationID: run.FederationID, States: []domain.RunState{domain.Starting, domain.Running},
		Limit: 100})
	if err != nil {
		return nil, err
	}
	queue, err := tx.QueuedRuns(ctx, run.FederationID)
	if err != nil {
		return nil, err
	}
	out := busy
	for _, r := range queue {
		if r.ID == run.ID {
			break
		}
		if r.Due(s.Clock()) {
			out = append(out, r)
		}
	}
	if len(out) < max(fed.Parallel, 1) {
		return nil, nil
	}
	return out, nil
}

// cause says why a run failed.
func (s *Driver) cause(ctx context.Context, run domain.Run, e domain.EngineRun, t domain.Task) domain.Cause {
	f := s.facts(ctx, run)
	f.Engine, f.Task = e, t
	lines, _, err := s.Follower.Log(run).Tail(diagnose.LogLines)
	if err != nil {
		s.Logger.Error("reading a failed run's log", "run", run.Name, "err", err)
	}
	f.Log = lines
	if diagnose.Unequal(lines) {
		if f.Sent, err = s.sentIn(ctx, run); err != nil {
			s.Logger.Error("reading which metrics a failed run's participants sent", "run", run.Name, "err", err)
			f.Sent = nil
		}
	}
	if t.Killed == domain.KilledLimit {
		if x, err := s.Situation(ctx, run); err == nil {
			f.Limits = &x
		}
	}
	return f.Cause()
}

// facts collects what the database knows of a run that has ended. What cannot be read is left out: the run must end all the same.
func (s *Driver) facts(ctx context.Context, run domain.Run) diagnose.Facts {
	f := diagnose.Facts{Run: run, Flwr: s.Flwr, MaxDisk: s.MaxDisk}
	read := func(what string, fn func(tx Tx) error) {
		if err := s.Store.View(ctx, fn); err != nil {
			s.Logger.Error("reading "+what+" of a failed run", "run", run.Name, "err", err)
		}
	}
	read("the app", func(tx Tx) (err error) { f.App, err = tx.AppVersionByHash(ctx, run.AppHash, true); return err })
	read("the SuperNodes", func(tx Tx) (err error) { f.Keys, err = tx.NodeKeys(ctx, run.FederationID); return err })
	if run.EngineRunID == 0 {
		f.Unasked = true
		return f
	}
	read("the replies", func(tx Tx) (err error) {
		if f.Exits, err = tx.AppExits(ctx, run.FederationID, run.EngineRunID); err == nil {
			f.Asked, err = tx.NewestExchanges(ctx, run.FederationID, run.EngineRunID)
		}
		return err
	})
	read("the exchanges", func(tx Tx) error {
		asked, err := tx.AnyExchange(ctx, run.FederationID, run.EngineRunID)
		f.Unasked = err == nil && !asked
		return err
	})
	return f
}

// sentIn tells which metrics each SuperNode sent in a run's newest round.
func (s *Driver) sentIn(ctx context.Context, run domain.Run) (map[uint64]map[string]bool, error) {
	var all []domain.Metric
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		all, err = tx.Metrics(ctx, run.FederationID, run.EngineRunID, 0, 0)
		return err
	})
	newest := 0
	for _, m := range all {
		if m.NodeID != 0 && m.Phase == domain.PhaseTrain {
			newest = max(newest, m.Round)
		}
	}
	out := map[uint64]map[string]bool{}
	for _, m := range all {
		if m.NodeID == 0 || m.Phase != domain.PhaseTrain || m.Round != newest {
			continue
		}
		if out[m.NodeID] == nil {
			out[m.NodeID] = map[string]bool{}
		}
		out[m.NodeID][m.Name] = true
	}
	return out, err
}

// AppFailures sums up how ClientApps failed in a run, by SuperNode and cause.
func (s *Driver) AppFailures(ctx context.Context, run domain.Run) ([]diagnose.AppFailure, error) {
	if run.EngineRunID == 0 {
		return nil, nil
	}
	var exits []domain.AppExit
	var errors []domain.Exchange
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if exits, err = tx.AppExits(ctx, run.FederationID, run.EngineRunID); err != nil {
			return err
		}
		errors, err = tx.FailedExchanges(ctx, run.FederationID, run.EngineRunID)
		return err
	})
	return diagnose.AppFailures(exits, errors), err
}
