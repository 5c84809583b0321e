package runs

import (
	"context"
	"errors"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/safely"
)

const (
	busyLook = time.Second      // while a run is active: the driver's look without being woken
	idleLook = 10 * time.Second // otherwise
	newFeds  = 2 * time.Second  // how soon a new federation gets its driver
)

// Run drives all federations until ctx ends. It takes up what an earlier process left: every run that had not ended is
// reconciled with the engine.
func (s *Service) Run(ctx context.Context) error {
	known := map[int64]bool{}
	tick := time.NewTicker(newFeds)
	defer tick.Stop()
	done := make(chan struct{})
	drivers := 2
	go func() {
		safely.Keep(ctx, s.Logger, "receipts", func() { s.makeReceipts(ctx) })
		done <- struct{}{}
	}()
	go func() {
		safely.Keep(ctx, s.Logger, "sweeping", func() { s.sweepFiles(ctx) })
		done <- struct{}{}
	}()
	defer func() {
		for range drivers {
			<-done
		}
		s.stopTailers()
	}()
	for {
		var feds []domain.Federation
		err := s.Store.View(ctx, func(tx Tx) (err error) { feds, err = tx.Federations(ctx); return err })
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("listing federations", "err", err)
		}
		for _, f := range feds {
			if !known[f.ID] {
				known[f.ID] = true
				drivers++
				go func() { s.drive(ctx, f.ID); done <- struct{}{} }()
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s *Service) drive(ctx context.Context, fedID int64) {
	wake := s.wake(fedID)
	for ctx.Err() == nil {
		active := true
		err := safely.Do(s.Logger, "driving runs", func() (err error) { active, err = s.step(ctx, fedID); return err })
		if err != nil && ctx.Err() == nil && domain.CodeOf(err) != domain.Unavailable {
			s.Logger.Error("driving runs", "federation", fedID, "err", err)
		}
		wait := idleLook
		if active || err != nil {
			wait = busyLook
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// step brings a federation's runs and its engine one step closer. It reports whether any run is at the engine or about to be.
func (s *Service) step(ctx context.Context, fedID int64) (active bool, err error) {
	runs, err := s.unended(ctx, fedID)
	if err != nil {
		return true, err
	}
	if err := s.rest(ctx, fedID, runs); err != nil {
		return true, err
	}
	active = s.needsEngine(runs)
	if state := s.Engine.Status(fedID).State; state != domain.SuperLinkUp {
		return active, s.endWithout(ctx, runs, state)
	}
	engine, err := s.Engine.EngineRuns(ctx, fedID)
	if err != nil {
		return active, err
	}
	tasks, err := s.Engine.Tasks(ctx, fedID)
	if err != nil {
		return active, err
	}
	view := newView(engine, tasks)
	var errs []error
	for _, r := range runs {
		if r.State != domain.Queued {
			errs = append(errs, s.followParticipants(ctx, r), s.advance(ctx, r, view))
		}
	}
	errs = append(errs, s.stopLeft(ctx, fedID, engine))
	if !s.Engine.Status(fedID).Leaving { // else the next waits for its restart
		errs = append(errs, s.startNext(ctx, fedID))
	}
	return active, errors.Join(errs...)
}

func (s *Service) unended(ctx context.Context, fedID int64) ([]domain.Run, error) {
	var out []domain.Run
	err := s.Store.View(ctx, func(tx Tx) error {
		out = nil
		all, err := tx.ActiveRuns(ctx)
		for _, r := range all {
			if r.FederationID == fedID {
				out = append(out, r)
			}
		}
		return err
	})
	return out, err
}

// endWithout ends, while there is no SuperLink, the runs that were asked to stop before the engine heard of them. When it was
// stopped, and so with every ServerApp, the runs at the engine have ended too: nothing that is gone may say that it runs.
func (s *Service) endWithout(ctx context.Context, runs []domain.Run, state domain.SuperLinkState) error {
	for _, r := range runs {
		var err error
		switch {
		case r.State == domain.Queued && r.StopAsked:
			err = s.end(ctx, r, domain.Stopped, r.Cause)
		case r.State != domain.Queued && state == domain.SuperLinkStopped:
			cause := r.Cause
			if !r.StopAsked {
				cause = superLinkStopped
			}
			err = s.end(ctx, r, domain.Stopped, cause)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// superLinkStopped is the cause of a run whose SuperLink was stopped on purpose, and every ServerApp with it.
var superLinkStopped = domain.Cause{Code: domain.CauseSuperLinkStopped, ExitCode: -1, Where: "SuperLink", Message: "The federation's SuperLink was stopped.",
	Remedy: "Start it, then launch the run again."}

// startNext takes queued runs while there is room. The row is committed as starting before the engine hears of it.
func (s *Service) startNext(ctx context.Context, fedID int64) error {
	var next *domain.Run
	err := s.Store.View(ctx, func(tx Tx) error {
		next = nil
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil {
			return err
		}
		busy, err := tx.Runs(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: max(fed.Parallel, 1)})
		if err != nil || len(busy) >= max(fed.Parallel, 1) {
			return err
		}
		queued, err := tx.QueuedRuns(ctx, fedID)
		for i := range queued {
			if queued[i].Due(s.Clock()) {
				next = &queued[i]
				break
			}
		}
		return err
	})
	if err != nil || next == nil {
		return err
	}
	if next.StopAsked {
		return s.end(ctx, *next, domain.Stopped, next.Cause)
	}
	run, moved, err := s.move(ctx, domain.System, next.ID, domain.Starting, nil)
	if err != nil || !moved {
		return err
	}
	return s.startEngineRun(ctx, run)
}

// view is what the engine says at one moment.
type view struct {
	runs  map[uint64]domain.EngineRun
	tasks map[uint64]domain.Task
}

func newView(runs []domain.EngineRun, tasks []domain.Task) view {
	v := view{runs: map[uint64]domain.EngineRun{}, tasks: map[uint64]domain.Task{}}
	for _, r := range runs {
		v.runs[r.ID] = r
	}
	for _, t := range tasks {
		v.tasks[t.EngineRunID] = t
	}
	return v
}
