package backup

import (
	"context"
	"fmt"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// LastSuccess returns the newest backup that succeeded, whoever asked for it; the zero value where none has.
func LastSuccess(ctx context.Context, db *store.DB) (b domain.Backup, err error) {
	err = db.View(ctx, func(tx *store.Tx) (err error) { b, err = tx.LastBackup(ctx); return err })
	return b, err
}

// Known returns what the settings and the database tell of a server's backups.
func Known(ctx context.Context, db *store.DB, set config.Backup, now domain.Clock) (s domain.BackupState, err error) {
	s = domain.BackupState{Daily: set.Daily, Folder: set.Folder, KeepDaily: set.KeepDaily, KeepWeekly: set.KeepWeekly}
	if s.Daily != "" {
		due, err := domain.DueBackup(s.Daily, now())
		if err != nil {
			return s, err
		}
		s.Next = due.AddDate(0, 0, 1)
	}
	err = db.View(ctx, func(tx *store.Tx) (err error) {
		if s.LastGood, err = tx.LastBackup(ctx); err != nil {
			return err
		}
		s.Newest, err = tx.Backups(ctx, shownBackups)
		return err
	})
	return s, err
}

// shownBackups is how many tries are listed.
const shownBackups = 20

// Note records a try to back the server up, with its audit entry.
func Note(ctx context.Context, db *store.DB, actor domain.Actor, b *domain.Backup) error {
	e := domain.AuditEntry{At: b.EndedAt, Actor: actor, Action: "backup.made", ObjectKind: "backup", Detail: map[string]string{"file": b.File,
		"bytes": fmt.Sprint(b.Size), "encrypted": fmt.Sprint(!b.Clear), "kind": string(b.Kind), "verified": string(b.Verified)}}
	if b.Error != "" {
		e.Action, e.Detail = "backup.failed", map[string]string{"kind": string(b.Kind), "error": b.Error}
		if b.File != "" { // it is there, but not as it should be
			e.Detail["file"], e.Detail["verified"] = b.File, string(b.Verified)
		}
	}
	return db.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.InsertBackup(ctx, b); err != nil {
			return err
		}
		e.ObjectID = fmt.Sprint(b.ID)
		return tx.InsertAudit(ctx, e)
	})
}
