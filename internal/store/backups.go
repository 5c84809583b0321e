package store

import (
	"context"
	"fmt"

	"blossomtune/internal/domain"
)

const backupColumns = "id, kind, started_at, ended_at, file, size, sha256, clear, verified, error"

func scanBackup(s scanner) (b domain.Backup, err error) {
	var started, ended int64
	var plain bool
	err = s.Scan(&b.ID, &b.Kind, &started, &ended, &b.File, &b.Size, &b.SHA256, &plain, &b.Verified, &b.Error)
	b.StartedAt, b.EndedAt, b.Clear = moment(started), moment(ended), plain
	return b, err
}

// keepBackups is how many tries are remembered.
const keepBackups = 1000

// InsertBackup remembers a try to back the server up; the oldest ones are forgotten.
func (tx *Tx) InsertBackup(ctx context.Context, b *domain.Backup) error {
	err := tx.insert(ctx, "backup", &b.ID, `INSERT INTO backup (kind, started_at, ended_at, file, size, sha256, clear, verified, error)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, b.Kind, millis(b.StartedAt), millis(b.EndedAt), b.File,
		b.Size, b.SHA256, bit(b.Clear), b.Verified, b.Error)
	if err != nil {
		return err
	}
	return tx.exec(ctx, "backup", "DELETE FROM backup WHERE id <= $1", b.ID-keepBackups)
}

// Backups returns the newest tries, the newest first.
func (tx *Tx) Backups(ctx context.Context, n int) ([]domain.Backup, error) {
	return list(ctx, tx, "backup", scanBackup,
		fmt.Sprintf("SELECT %s FROM backup ORDER BY ended_at DESC, id DESC LIMIT %d", backupColumns, limit(n)))
}

// LastBackup returns the newest backup that succeeded; the zero value where none has.
func (tx *Tx) LastBackup(ctx context.Context) (domain.Backup, error) {
	b, err := get(ctx, tx, "backup", scanBackup,
		"SELECT "+backupColumns+" FROM backup WHERE error = '' ORDER BY ended_at DESC, id DESC LIMIT 1")
	if domain.CodeOf(err) == domain.NotFound {
		return domain.Backup{}, nil
	}
	return b, err
}
