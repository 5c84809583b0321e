package drive

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// Stop ends a run: a queued one at once, one at the engine as soon as the engine answers. Stopping an ended run is a
// [domain.Conflict].
func (s *Driver) Stop(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error) {
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
		if run.State.Ended() {
			if err := writeNotice(ctx, tx, run, run.EndedAt); err != nil {
				return err
			}
		}
		return tx.InsertAudit(ctx, s.Reporter.Entry(actor, run, action, map[string]string{}))
	})
	if err != nil {
		return domain.Run{}, err
	}
	s.Reporter.Publish(run, "state")
	s.noticed()
	s.Wake(run.FederationID)
	return run, nil
}

// requeueLimit is how long a cancelled run can be put back.
const requeueLimit = time.Hour

// Requeue takes the cancelling of a queued run back: it has the place again that it had. A run that had begun, and one that was
// cancelled more than an hour ago, is a [domain.Conflict].
func (s *Driver) Requeue(ctx context.Context, actor domain.Actor, id int64) (domain.Run, error) {
	var run domain.Run
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if run, err = tx.RunByID(ctx, id); err != nil {
			return err
		}
		if !run.DeletedAt.IsZero() {
			return domain.Errorf(domain.NotFound, "There is no such run.").Fix("Restore it first.")
		}
		if run.State != domain.Stopped || !run.StartingAt.IsZero() || run.EngineRunID != 0 {
			return domain.Errorf(domain.Conflict, "%s was not cancelled in the queue; it is %s.", run.Name,
				run.State).Fix("Clone it to run it again.")
		}
		if s.Clock().Sub(run.EndedAt) > requeueLimit {
			return domain.Errorf(domain.Conflict, "%s was cancelled more than an hour ago.", run.Name).Fix("Clone it to run it again.")
		}
		run.State, run.StopAsked, run.Cause, run.EndedAt = domain.Queued, false, domain.Cause{}, time.Time{}
		if err := tx.UpdateRun(ctx, run); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.Reporter.Entry(actor, run, "run.requeued", map[string]string{}))
	})
	if err != nil {
		return domain.Run{}, err
	}
	s.Reporter.Publish(run, "state")
	s.Wake(run.FederationID)
	return run, nil
}

// EndRestored ends the runs that were under way when the backup was made from which the server was restored. Their ServerApps are not
// part of a backup. Queued runs stay queued. It returns how many it ended.
func (s *Driver) EndRestored(ctx context.Context, made time.Time) (int, error) {
	var active []domain.Run
	err := s.Store.View(ctx, func(tx Tx) (err error) { active, err = tx.ActiveRuns(ctx); return err })
	if err != nil {
		return 0, err
	}
	n := 0
	for _, r := range active {
		if r.State == domain.Queued {
			continue
		}
		_, moved, err := s.move(ctx, domain.System, r.ID, domain.Failed, func(r *domain.Run) {
			r.Cause = domain.Cause{Code: domain.CauseRestored, ExitCode: -1, Where: "server",
				Message: "The server was restored from a backup of " + made.UTC().Format("2 January 2006, 15:04 UTC") +
					", which was made while the run was under way.",
				Remedy: "Launch the run again. The original server, if it still exists, may have finished it."}
		})
		if err != nil {
			return n, err
		}
		if moved {
			n++
		}
	}
	return n, nil
}
