package runs

import (
	"context"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// exitGrace is how long a ServerApp may take to end after it has told the SuperLink so: it tidies up, and its last lines are to come.
const exitGrace = 15 * time.Second

// settle ends a run whose ServerApp has exited or whose engine run has finished.
//
// A ServerApp that has reached its end reports that to the SuperLink and exits with 0; until the SuperLink says "finished" too, the run
// waits for it, so that "completed" is never our guess. Any other exit is final: the engine run is stopped if it still stands.
func (s *Service) settle(ctx context.Context, run domain.Run, e domain.EngineRun, t domain.Task) error {
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
		return s.end(ctx, run, domain.Stopped, domain.Cause{Code: domain.CauseStoppedOutside, ExitCode: -1, Where: "SuperLink", Message: "It was stopped at the SuperLink, not from here."})
	}
	return s.fail(ctx, run, s.cause(ctx, run, e, t))
}

func (s *Service) fail(ctx context.Context, run domain.Run, c domain.Cause) error {
	return s.end(ctx, run, domain.Failed, c)
}

// end reads the rest of the run's log, so that every metric in it is stored, and then ends the run.
func (s *Service) end(ctx context.Context, run domain.Run, state domain.RunState, c domain.Cause) error {
	if err := s.drain(ctx, run); err != nil {
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
	s.publish(run, "log")
	s.receiptDue()
	s.Wake(run.FederationID) // the next in the queue
	return nil
}

// Stop ends a run: a queued one at once, one at the engine as soon as the engine answers. Stopping an ended run is a
// [domain.Conflict].
func (s *Service) Stop(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error) {
	var run domain.Run
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if run, err = tx.RunByID(ctx, id); err != nil {
			return err
		}
		if run.State.Ended() {
			return domain.Errorf(domain.Conflict, "%s is %s already.", run.Name, run.State)
		}
		if run.StopAsked {
			return nil
		}
		run.StopAsked = true
		run.Cause = domain.Cause{Code: domain.CauseStoppedBy, ExitCode: -1, Message: "Stopped by " + actor.Name + "."}
		action := "run.stop_asked"
		if run.State == domain.Queued {
			run.State, run.EndedAt, action = domain.Stopped, s.Clock().UTC(), "run.stopped"
		}
		if err := tx.UpdateRun(ctx, run); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(actor, run, action, map[string]string{}))
	})
	if err != nil {
		return domain.Run{}, err
	}
	s.publish(run, "state")
	s.Wake(run.FederationID)
	return run, nil
}
