package store

import (
	"context"
	"encoding/json"
	"fmt"

	"blossomtune/internal/domain"
)

// InsertAudit adds an audit entry; it belongs into the transaction of the change that it tells of.
func (tx *Tx) InsertAudit(ctx context.Context, e domain.AuditEntry) error {
	detail := e.Detail
	if detail == nil {
		detail = map[string]string{}
	}
	return tx.exec(ctx, "audit entry", `INSERT INTO audit (at, actor_kind, actor_person_id, actor_name, action, object_kind, object_id, federation_id, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		millis(e.At), e.Actor.Kind, e.Actor.PersonID, e.Actor.Name, e.Action, e.ObjectKind, e.ObjectID, e.FederationID, asJSON(detail))
}

func scanAudit(s scanner) (e domain.AuditEntry, err error) {
	var at int64
	var detail string
	if err = s.Scan(&e.ID, &at, &e.Actor.Kind, &e.Actor.PersonID, &e.Actor.Name, &e.Action, &e.ObjectKind, &e.ObjectID, &e.FederationID, &detail); err != nil {
		return e, err
	}
	e.At = moment(at)
	return e, json.Unmarshal([]byte(detail), &e.Detail)
}

// AuditEntries returns the audit entries that a filter chooses, newest first.
func (tx *Tx) AuditEntries(ctx context.Context, f domain.AuditFilter) ([]domain.AuditEntry, error) {
	var w where
	if f.FederationID != 0 {
		w.add("federation_id = ?", f.FederationID)
	}
	if f.ObjectKind != "" {
		w.add("object_kind = ?", f.ObjectKind)
	}
	if f.ObjectID != "" {
		w.add("object_id = ?", f.ObjectID)
	}
	if f.BeforeID != 0 {
		w.add("id < ?", f.BeforeID)
	}
	return list(ctx, tx, "audit entry", scanAudit, fmt.Sprintf(`SELECT id, at, actor_kind, actor_person_id, actor_name, action, object_kind, object_id, federation_id, detail
		FROM audit%s ORDER BY id DESC LIMIT %d`, w.String(), limit(f.Limit)), w.args...)
}
