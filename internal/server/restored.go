package server

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// afterRestore ends what was under way when the backup was made that this data directory comes from. It runs once, at the first start
// after the restore, before any engine starts.
func (s *Server) afterRestore(ctx context.Context) error {
	mark, found, err := backup.ReadMark(s.o.Config.Data)
	if err != nil || !found {
		return err
	}
	ended, err := s.Runs.EndRestored(ctx, mark.Made)
	if err != nil {
		return fmt.Errorf("ending the runs of before the restore: %w", err)
	}
	detail := map[string]string{"backup_of": mark.Made.Format(time.RFC3339), "runs_ended": fmt.Sprint(ended)}
	err = s.DB.InTx(ctx, func(tx *store.Tx) error {
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.o.Clock().UTC(), Actor: domain.System, Action: "server.restored",
			ObjectKind: "backup", Detail: detail})
	})
	if err != nil {
		return fmt.Errorf("noting the restore: %w", err)
	}
	s.o.Log.Info("the server was restored from a backup", "made", mark.Made, "runs_ended", ended)
	return backup.RemoveMark(s.o.Config.Data)
}
