package drive

import (
	"context"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/diagnose"
)

// noteProgress is how often the moment at which a run last came along is written down, for whoever watches it next.
const noteProgress = 30 * time.Second

// overrun ends a run that has passed one of its limits, with the cause. It reports false where none is passed.
func (s *Driver) overrun(ctx context.Context, run domain.Run) (bool, error) {
	x, err := s.activity(ctx, run)
	if err != nil {
		return false, err
	}
	if !x.OverLimit() {
		return false, s.note(ctx, x)
	}
	if x, err = s.Situation(ctx, run); err != nil { // the cause names those who are waited for
		return false, err
	}
	cause, over := x.Passed()
	if !over {
		return false, nil // something happened meanwhile
	}
	if err := s.halt(ctx, run, domain.KilledLimit); err != nil {
		return true, err
	}
	return true, s.fail(ctx, run, cause)
}

// note writes down when a run last came along.
func (s *Driver) note(ctx context.Context, x diagnose.Situation) error {
	if x.Run.State != domain.Running || x.Since.Sub(later(x.Run.ProgressAt, x.Run.RunningAt)) < noteProgress {
		return nil
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		run, err := tx.RunByID(ctx, x.Run.ID)
		if err != nil || run.State.Ended() {
			return err
		}
		run.ProgressAt = x.Since
		return tx.UpdateRun(ctx, run)
	})
}

// later is the later one of two times.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
