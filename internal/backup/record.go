package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// recordKey is the setting with what is known of backups.
const recordKey = "backup"

// Record is what a server knows of its newest backup.
type Record struct {
	Made  time.Time `json:"made"`
	File  string    `json:"file"`
	Size  int64     `json:"size"`
	Clear bool      `json:"clear,omitempty"` // it is not encrypted
}

// ReadRecord returns what is known of the newest backup; the zero record where none was made.
func ReadRecord(ctx context.Context, db *store.DB) (r Record, err error) {
	var text string
	err = db.View(ctx, func(tx *store.Tx) (err error) { text, err = tx.Setting(ctx, recordKey); return err })
	if err != nil || text == "" {
		return r, err
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("reading the record of backups: %w", err)
	}
	return r, nil
}

// NoteMade records a backup, with its audit entry.
func NoteMade(ctx context.Context, db *store.DB, actor domain.Actor, res Result, p Protection) error {
	text, err := json.Marshal(Record{Made: res.Manifest.Made, File: res.File, Size: res.Size, Clear: p.Clear})
	if err != nil {
		return err
	}
	detail := map[string]string{"file": res.File, "bytes": fmt.Sprint(res.Size), "encrypted": fmt.Sprint(!p.Clear)}
	return db.InTx(ctx, func(tx *store.Tx) error {
		if err := tx.PutSetting(ctx, recordKey, string(text)); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: res.Manifest.Made, Actor: actor, Action: "backup.made", ObjectKind: "backup",
			Detail: detail})
	})
}
