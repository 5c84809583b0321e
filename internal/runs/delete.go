package runs

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// ToDelete returns the runs that [Service.Delete] would delete, and changes nothing. A run that does not exist in the federation is a
// [domain.NotFound], one that has not ended a [domain.Conflict].
func (s *Service) ToDelete(ctx context.Context, d domain.RunDeletion) (out []domain.Run, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = s.toDelete(ctx, tx, d); return err })
	return out, err
}

func (s *Service) toDelete(ctx context.Context, tx Tx, d domain.RunDeletion) (out []domain.Run, err error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if len(d.Names) == 0 {
		return tx.RunsToDelete(ctx, d, s.Clock())
	}
	seen := map[int64]bool{}
	for _, name := range d.Names {
		run, err := tx.RunByName(ctx, name)
		if domain.CodeOf(err) == domain.NotFound || err == nil && run.FederationID != d.FederationID {
			return nil, domain.Errorf(domain.NotFound, "There is no run %q in this federation.", name).At("runs")
		}
		if err != nil {
			return nil, err
		}
		if !run.State.Ended() {
			return nil, domain.Errorf(domain.Conflict, "%s is %s.", run.Name, run.State).Fix("Stop it first; only ended runs can be deleted.")
		}
		if !seen[run.ID] {
			seen[run.ID], out = true, append(out, run)
		}
	}
	return out, nil
}

// Delete hides runs from everyone at once, and returns them. Their data is removed after [domain.RunKeptDays] days; until then
// [Service.Restore] brings them back. Errors are those of [Service.ToDelete]; then none is deleted.
func (s *Service) Delete(ctx context.Context, actor domain.Actor, d domain.RunDeletion) (out []domain.Run, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if out, err = s.toDelete(ctx, tx, d); err != nil {
			return err
		}
		for i, run := range out {
			run.DeletedAt, run.DeletedBy = s.Clock().UTC(), actor.Name
			if err := tx.MarkRunDeleted(ctx, run); err != nil {
				return err
			}
			out[i] = run
			if err := tx.InsertAudit(ctx, s.reporter.Entry(actor, run, "run.deleted",
				map[string]string{"restorable_until": run.RestorableUntil().Format(time.RFC3339)})); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.published(out)
	return out, nil
}

// published tells those who watch runs, or a link to one, that these are gone or back.
func (s *Service) published(all []domain.Run) {
	for _, run := range all {
		s.reporter.Publish(run, LinkEnded)
		s.reporter.Publish(run, "state")
	}
}

// Deleted returns the deleted runs of a federation that can be restored, newest first.
func (s *Service) Deleted(ctx context.Context, fedID int64) ([]domain.Run, error) {
	return s.List(ctx, domain.RunFilter{FederationID: fedID, Deleted: true, Limit: domain.MaxRunsDeleted})
}

// Restore brings deleted runs of a federation back; for those that are not deleted nothing changes. One that is not there, or whose data
// was removed, is a [domain.NotFound]; then none is restored.
func (s *Service) Restore(ctx context.Context, actor domain.Actor, fedID int64, names []string) (out []domain.Run, err error) {
	if len(names) == 0 || len(names) > domain.MaxRunsDeleted {
		return nil, domain.Errorf(domain.Invalid, "Choose 1 to %d runs to restore.", domain.MaxRunsDeleted).At("runs")
	}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		out = nil
		for _, name := range names {
			run, err := tx.RunNamed(ctx, name)
			if err != nil && domain.CodeOf(err) != domain.NotFound {
				return err
			}
			if err != nil || run.FederationID != fedID || !run.PurgingAt.IsZero() {
				return domain.Errorf(domain.NotFound, "There is no deleted run %q in this federation.", name).
					Fix("Runs can be restored for %d days.", domain.RunKeptDays).At("runs").Because(err)
			}
			if run.DeletedAt.IsZero() {
				continue
			}
			run.DeletedAt, run.DeletedBy = time.Time{}, ""
			if err := tx.MarkRunDeleted(ctx, run); err != nil {
				return err
			}
			out = append(out, run)
			if err := tx.InsertAudit(ctx, s.reporter.Entry(actor, run, "run.restored", map[string]string{})); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.published(out)
	return out, nil
}

// checkThere returns a [domain.NotFound] error for a deleted run.
func checkThere(run domain.Run) error {
	if !run.DeletedAt.IsZero() {
		return domain.Errorf(domain.NotFound, "There is no such run.").Fix("A manager can restore it for %d days.", domain.RunKeptDays)
	}
	return nil
}
