package drive

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// writeNotice writes what people and webhooks are notified of when a run has come into its state, in the transaction of that change.
func writeNotice(ctx context.Context, tx Tx, run domain.Run, now time.Time) error {
	kind := domain.NoticeOf(run)
	if kind == "" {
		return nil
	}
	who, err := tx.RunContributors(ctx, run.ID, domain.NoticeNamed)
	if err != nil {
		return err
	}
	return tx.InsertNotice(ctx, &domain.Notice{Kind: kind, FederationID: run.FederationID, About: domain.AboutRun(run.ID), At: now,
		Facts: domain.NoticeFacts{Run: &domain.NoticeRun{ID: run.ID, Name: run.Name, App: run.AppID, AppVersion: run.AppVersion, State: run.State,
			Round: run.Round, Rounds: run.Rounds, Asked: run.Asked, Contributed: run.Contributed, Who: who, StartedAt: run.StartingAt,
			EndedAt: run.EndedAt, Code: string(run.Cause.Code), Cause: run.Cause.Message, Remedy: run.Cause.Remedy}}})
}

// noticed says that a notice may have been written.
func (s *Driver) noticed() {
	if s.Noticed != nil {
		s.Noticed()
	}
}
