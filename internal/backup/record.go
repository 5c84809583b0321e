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

// Record is what a server knows of its backups.
type Record struct {
	Made   time.Time `json:"made,omitzero"` // the newest backup
	File   string    `json:"file,omitempty"`
	Size   int64     `json:"size,omitempty"`
	Clear  bool      `json:"clear,omitempty"`  // it is not encrypted
	Failed time.Time `json:"failed,omitzero"`  // the newest failure, if no backup was made since
	Reason string    `json:"reason,omitempty"` // of the failure
}

// ReadRecord returns what is known of backups; the zero record where none was made.
func ReadRecord(ctx context.Context, db *store.DB) (r Record, err error) {
	err = db.View(ctx, func(tx *store.Tx) (err error) { r, err = readRecord(ctx, tx); return err })
	return r, err
}

func readRecord(ctx context.Context, tx *store.Tx) (r Record, err error) {
	text, err := tx.Setting(ctx, recordKey)
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
	return note(ctx, db, actor, "backup.made", map[string]string{"file": res.File, "bytes": fmt.Sprint(res.Size), "encrypted": fmt.Sprint(!p.Clear)}, func(r *Record) {
		*r = Record{Made: res.Manifest.Made, File: res.File, Size: res.Size, Clear: p.Clear}
	})
}

// NoteFailed records that a backup could not be made, with its audit entry.
func NoteFailed(ctx context.Context, db *store.DB, actor domain.Actor, at time.Time, cause error) error {
	reason := Words(cause)
	return note(ctx, db, actor, "backup.failed", map[string]string{"reason": reason}, func(r *Record) { r.Failed, r.Reason = at.UTC(), reason })
}

func note(ctx context.Context, db *store.DB, actor domain.Actor, action string, detail map[string]string, change func(*Record)) error {
	return db.InTx(ctx, func(tx *store.Tx) error {
		r, err := readRecord(ctx, tx)
		if err != nil {
			return err
		}
		change(&r)
		text, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if err := tx.PutSetting(ctx, recordKey, string(text)); err != nil {
			return err
		}
		at := r.Made
		if action == "backup.failed" {
			at = r.Failed
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: at, Actor: actor, Action: action, ObjectKind: "backup", Detail: detail})
	})
}

// Words says for people why something failed, with its remedy.
func Words(err error) string {
	if e := known(err); e != nil {
		if e.Remedy != "" {
			return e.Message + " " + e.Remedy
		}
		return e.Message
	}
	return err.Error()
}
