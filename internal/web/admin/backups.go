package admin

import (
	"context"
	"net/http"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
	"blossomtune/internal/web/visit"
)

// Backups makes backups of the server and knows those that were made.
type Backups interface {
	State(ctx context.Context) (domain.BackupState, error)
	Start(ctx context.Context, actor domain.Actor) error
}

// StartBackup asks for a backup.
func (s *Pages) StartBackup(w http.ResponseWriter, r *http.Request, v *visit.Visit) error {
	if err := s.Backups.Start(r.Context(), v.Actor()); err != nil {
		return err
	}
	return s.Done(w, r, "/admin/system#backups", "The backup is being made.")
}

func backupTone(b domain.Backup) ui.Tone {
	switch {
	case b.Error != "" && b.File != "":
		return ui.Tone{Class: "is-bad", Icon: "cross", Word: "needs attention"}
	case b.Error != "":
		return ui.Tone{Class: "is-bad", Icon: "cross", Word: "failed"}
	}
	return ui.Tone{Class: "is-ok", Icon: "tick", Word: "complete"}
}

func backupKindWords(k domain.BackupKind) string {
	switch k {
	case domain.BackupScheduled:
		return "scheduled"
	case domain.BackupByAdmin:
		return "by an admin"
	}
	return "by command"
}

func backupCheckWords(b domain.Backup) string {
	switch {
	case b.File == "":
		return "–"
	case b.Verified == domain.BackupContentChecked:
		return "content"
	case b.Verified == domain.BackupBytesChecked:
		return "bytes; the server has no key that opens it"
	}
	return "no"
}
