package drive

import (
	"context"
	"errors"
	"sync"
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
func (s *Driver) Run(ctx context.Context) {
	known := map[int64]bool{}
	tick := time.NewTicker(newFeds)
	defer tick.Stop()
	var drivers sync.WaitGroup
	defer drivers.Wait()
	for ctx.Err() == nil {
		var feds []domain.Federation
		err := s.Store.View(ctx, func(tx Tx) (err error) { feds, err = tx.Federations(ctx); return err })
		if err != nil && ctx.Err() == nil {
			s.Logger.Error("listing federations", "err", err)
		}
		for _, f := range feds {
			if !known[f.ID] {
				known[f.ID] = true
				drivers.Go(func() { s.drive(ctx, f.ID) })
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

func (s *Driver) drive(ctx context.Context, fedID int64) {
	wake := s.wake(fedID)
	for ctx.Err() == nil {
		active := true
		err := safely.Do(s.Logger, "driving runs", func() (err error) { active, err = s.Step(ctx, fedID); return err })
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

// Step brings a federation's runs and its engine one step closer; [Driver.Run] calls it again and again. It reports whether any run is at
// the engine or about to be.
func (s *Driver) Step(ctx context.Context, fedID int64) (active bool, err error) {
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

func (s *Driver) unended(ctx context.Context, fedID int64) (out []domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.UnendedRuns(ctx, fedID); return err })
	return out, err
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
