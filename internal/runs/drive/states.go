package drive

import (
	"context"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// The states of a run and what moves it. Each move is one transaction with its audit entry ([Driver.move]); domain.RunState.May has
// the moves that are allowed, so of two that race one is without effect.
//
//	           Launch (package runs)
//	              │            ┌─ Requeue, within an hour ─┐
//	              ▼            ▼                           │
//	           queued ──────────────── Stop ──────────► stopped
//	              │ startNext: there is room, it is due     ▲
//	              ▼                                         │
//	          starting ── Stop asked, SuperLink stopped ────┤
//	              │ advance: its ServerApp gave a first     │
//	              ▼          sign of life                   │
//	           running ── Stop asked, SuperLink stopped ────┘
//	              │ settle: its ServerApp ended, or the SuperLink finished the run
//	              ├──────────► completed   the SuperLink says so
//	              └──────────► failed      anything else, with a cause; also by a limit (limits.go)
//
// A starting run can complete or fail without having been seen running. EndRestored fails what was in progress in a backup.

// move brings a run into its next state, in one transaction with its audit row. It reports false, and changes nothing,
// when the run's state does not allow it (somebody else was faster).
func (s *Driver) move(ctx context.Context, actor domain.Actor, id int64, next domain.RunState, change func(*domain.Run)) (run domain.Run,
	moved bool, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		moved = false
		if run, err = tx.RunByID(ctx, id); err != nil {
			return err
		}
		if !run.State.May(next) {
			return nil
		}
		before, now := run.State, s.Clock().UTC()
		enter(&run, next, now)
		if err := keepParticipants(ctx, tx, &run, now); err != nil {
			return err
		}
		if change != nil {
			change(&run)
		}
		if err := tx.UpdateRun(ctx, run); err != nil {
			return err
		}
		if next.Ended() {
			if err := tx.SummariseMeans(ctx, run.FederationID, run.EngineRunID); err != nil {
				return err
			}
		}
		if err := writeNotice(ctx, tx, run, now); err != nil {
			return err
		}
		moved = true
		return tx.InsertAudit(ctx, s.Reporter.Entry(actor, run, "run."+string(next),
			map[string]string{"from": string(before), "cause": run.Cause.Message}))
	})
	if err == nil && moved {
		s.Reporter.Publish(run, "state")
		s.noticed()
	}
	return run, moved, err
}

// enter puts a run into a state and notes when.
func enter(run *domain.Run, next domain.RunState, now time.Time) {
	run.State = next
	switch {
	case next == domain.Starting:
		run.StartingAt, run.ParticipantsAt = now, now
	case next == domain.Running:
		run.RunningAt = now
	case next.Ended():
		run.EndedAt = now
	}
}

// startNext takes queued runs while there is room. The row is committed as starting before the engine hears of it.
func (s *Driver) startNext(ctx context.Context, fedID int64) error {
	next, err := s.nextDue(ctx, fedID)
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

// nextDue is the first queued run that may start, if there is room for it; nil if there is none.
func (s *Driver) nextDue(ctx context.Context, fedID int64) (next *domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		next = nil
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil {
			return err
		}
		busy, err := tx.Runs(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Starting, domain.Running},
			Limit: max(fed.Parallel, 1)})
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
	return next, err
}

// advance reconciles one run that is starting or running with what the engine says.
func (s *Driver) advance(ctx context.Context, run domain.Run, v view) error {
	if run.EngineRunID == 0 {
		if run.StopAsked {
			return s.end(ctx, run, domain.Stopped, run.Cause) // an engine run that it may have left is stopped by this step
		}
		return s.startEngineRun(ctx, run)
	}
	engine, known := v.runs[run.EngineRunID]
	task, launched := v.tasks[run.EngineRunID]
	if !known {
		return s.lost(ctx, run, task, launched)
	}
	s.Follower.Follow(run)
	switch {
	case run.StopAsked:
		return s.stopEngineRun(ctx, run, engine)
	case launched && task.Ended:
		return s.settle(ctx, run, engine, task)
	case engine.Finished():
		return s.settle(ctx, run, engine, task)
	}
	if !launched && s.Engine.Status(run.FederationID).Leaving {
		return nil // it is launched after the restart; until then no limit counts
	}
	if over, err := s.overrun(ctx, run); over || err != nil {
		return err
	}
	if !launched {
		if err := s.Engine.Launch(ctx, run); err != nil {
			return err
		}
	}
	if task.Alive && run.State == domain.Starting {
		_, _, err := s.move(ctx, domain.System, run.ID, domain.Running, nil)
		return err
	}
	return nil
}

// lost decides about a run whose engine run the SuperLink does not know.
func (s *Driver) lost(ctx context.Context, run domain.Run, task domain.Task, launched bool) error {
	switch {
	case !launched && run.State == domain.Starting:
		return s.unbind(ctx, run)
	case run.StopAsked:
		if err := s.Engine.Kill(ctx, run.FederationID, run.EngineRunID, domain.KilledStop); err != nil {
			return err
		}
		return s.end(ctx, run, domain.Stopped, run.Cause)
	case task.Ended && task.Reason != "": // it was lost before, as when its keeper was killed and the next one has another SuperLink
		return s.fail(ctx, run, s.cause(ctx, run, domain.EngineRun{}, task))
	}
	return s.fail(ctx, run, domain.Cause{Code: domain.CauseEngineLost, ExitCode: -1, Where: "SuperLink",
		Message: "The SuperLink does not know this run any more; its database was lost or replaced.", Remedy: "Launch it again."})
}

// exitGrace is how long a ServerApp may take to end after it has told the SuperLink so: it tidies up, and its last lines are to come.
const exitGrace = 15 * time.Second

// settle ends a run whose ServerApp has exited or whose engine run has finished.
//
// A ServerApp that has reached its end reports that to the SuperLink and exits with 0; until the SuperLink says "finished" too, the run
// waits for it, so that "completed" is never our guess. Any other exit is final: the engine run is stopped if it still stands.
func (s *Driver) settle(ctx context.Context, run domain.Run, e domain.EngineRun, t domain.Task) error {
	if e.Finished() && e.SubStatus == "completed" {
		if !t.Ended {
			return nil // the process is about to exit; its last lines are still to come
		}
		return s.end(ctx, run, domain.Completed, domain.Cause{})
	}
	if t.Ended && t.ExitCode == 0 && !t.ToldAt.IsZero() && t.Signal == "" && t.Reason == "" && t.Killed == "" && !e.Finished() {
		return nil
	}
	if e.Finished() && !t.Ended && t.Alive {
		if !t.ToldAt.IsZero() && s.Clock().Sub(t.ToldAt) < exitGrace {
			return nil
		}
		// The SuperLink gave it up (no heartbeats) while the process stands: end that first, so that its log is whole.
		return s.Engine.Kill(ctx, run.FederationID, run.EngineRunID, domain.KilledSilence)
	}
	if !e.Finished() {
		if err := s.halt(ctx, run, domain.KilledStop); err != nil {
			return err
		}
	}
	if t.Killed == domain.KilledEngine {
		return s.end(ctx, run, domain.Stopped, superLinkStopped)
	}
	if e.SubStatus == "stopped" && !t.Ended {
		return s.end(ctx, run, domain.Stopped, domain.Cause{Code: domain.CauseStoppedOutside, ExitCode: -1, Where: "SuperLink",
			Message: "It was stopped at the SuperLink, not from here."})
	}
	return s.fail(ctx, run, s.cause(ctx, run, e, t))
}

func (s *Driver) fail(ctx context.Context, run domain.Run, c domain.Cause) error {
	return s.end(ctx, run, domain.Failed, c)
}

// end reads the rest of the run's log, so that every metric in it is stored, and then ends the run.
func (s *Driver) end(ctx context.Context, run domain.Run, state domain.RunState, c domain.Cause) error {
	if err := s.Follower.Drain(ctx, run); err != nil {
		return err
	}
	var failures []diagnose.AppFailure
	var facts diagnose.Facts
	if state == domain.Completed {
		var err error
		if failures, err = s.AppFailures(ctx, run); err != nil {
			return err
		}
		facts = s.facts(ctx, run)
	}
	run, _, err := s.move(ctx, domain.System, run.ID, state, func(r *domain.Run) {
		if r.Cause = c; r.Outcome() == domain.NothingTrained {
			facts.Run = *r
			r.Cause = facts.NothingTrained(failures)
		}
	})
	if err != nil {
		return err
	}
	s.Reporter.Publish(run, "log")
	if s.Ended != nil {
		s.Ended()
	}
	s.Wake(run.FederationID) // the next in the queue
	return nil
}

func (s *Driver) stopEngineRun(ctx context.Context, run domain.Run, e domain.EngineRun) error {
	if e.Finished() && e.SubStatus == "completed" {
		return s.end(ctx, run, domain.Completed, domain.Cause{})
	}
	if err := s.halt(ctx, run, domain.KilledStop); err != nil {
		return err
	}
	return s.end(ctx, run, domain.Stopped, run.Cause)
}

// endWithout ends, while there is no SuperLink, the runs that were asked to stop before the engine heard of them. When it was
// stopped, and so with every ServerApp, the runs at the engine have ended too: nothing that is gone may say that it runs.
func (s *Driver) endWithout(ctx context.Context, runs []domain.Run, state domain.SuperLinkState) error {
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
var superLinkStopped = domain.Cause{Code: domain.CauseSuperLinkStopped, ExitCode: -1, Where: "SuperLink",
	Message: "The federation's SuperLink was stopped.",
	Remedy:  "Start it, then launch the run again."}
