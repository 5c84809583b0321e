package drive

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// keepParticipants notes with a run that comes into its next state who takes part in it.
func keepParticipants(ctx context.Context, tx Tx, run *domain.Run, now time.Time) (err error) {
	switch {
	case run.State == domain.Starting || run.State == domain.Running:
		return tx.EnrolParticipants(ctx, *run, now)
	case run.State.Ended():
		run.Asked, run.Contributed, err = tx.SettleParticipants(ctx, *run, now)
	}
	return err
}

// followParticipants notes who came to a run since it started, and what was asked of whom. It writes only where something is new.
func (s *Driver) followParticipants(ctx context.Context, run domain.Run) error {
	changed := false
	err := s.Store.View(ctx, func(tx Tx) (err error) { changed, err = tx.ParticipantsChanged(ctx, run); return err })
	if err != nil || !changed {
		return err
	}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		now, err := tx.RunByID(ctx, run.ID)
		if err != nil || now.State.Ended() {
			return err
		}
		return tx.FollowParticipants(ctx, now, s.Clock().UTC())
	})
	if err == nil {
		s.Reporter.Publish(run, "participants")
	}
	return err
}
