package runs

import (
	"context"
	"time"

	"blossomtune/internal/domain"
)

// EndRestored ends the runs that were under way when the backup was made from which the server was restored. Their ServerApps are not
// part of a backup. Queued runs stay queued. It returns how many it ended.
func (s *Service) EndRestored(ctx context.Context, made time.Time) (int, error) {
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
