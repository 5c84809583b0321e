package store

import (
	"context"
	"encoding/json"
	"fmt"

	"blossomtune/internal/domain"
)

func scanAudit(s scanner) (e domain.AuditEntry, err error) {
	var at int64
	var detail string
	if err = s.Scan(&e.ID, &at, &e.Actor.Kind, &e.Actor.PersonID, &e.Actor.Name, &e.Action, &e.ObjectKind, &e.ObjectID, &e.FederationID,
		&detail); err != nil {
		return e, err
	}
	e.At = moment(at)
	return e, json.Unmarshal([]byte(detail), &e.Detail)
}

// AuditEntries returns the audit entries that a filter chooses, newest first.
func (tx *Tx) AuditEntries(ctx context.Context, f domain.AuditFilter) ([]domain.AuditEntry, error) {
	w := chooseAudit(f)
	if f.BeforeID != 0 {
		w.add("id < ?", f.BeforeID)
	}
	return list(ctx, tx, "audit entry", scanAudit, fmt.Sprintf(`SELECT id, at, actor_kind, actor_person_id, actor_name, action, object_kind,
		object_id, federation_id, detail
		FROM audit%s ORDER BY id DESC LIMIT %d`, w.String(), limit(f.Limit)), w.args...)
}

func chooseAudit(f domain.AuditFilter) (w where) {
	if f.FederationID != 0 {
		w.add("federation_id = ?", f.FederationID)
	}
	if f.Actor != "" {
		w.add(`LOWER(actor_name) LIKE ? ESCAPE '\'`, like(f.Actor))
	}
	if f.Action != "" {
		w.add("action = ?", f.Action)
	}
	if f.ObjectKind != "" {
		w.add("object_kind = ?", f.ObjectKind)
	}
	if f.ObjectID != "" {
		w.add("object_id = ?", f.ObjectID)
	}
	if f.Object != "" {
		w.add(`LOWER(object_id) LIKE ? ESCAPE '\'`, like(f.Object))
	}
	if !f.From.IsZero() {
		w.add("at >= ?", millis(f.From))
	}
	if !f.Until.IsZero() {
		w.add("at < ?", millis(f.Until))
	}
	return w
}

// CountAudit counts the audit entries that a filter chooses, up to most; its cursor and limit do not matter.
func (tx *Tx) CountAudit(ctx context.Context, f domain.AuditFilter, most int) (int, error) {
	w := chooseAudit(f)
	return get(ctx, tx, "audit entry", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM audit%s LIMIT %d) a", w.String(), most), w.args...)
}

// AuditActions returns every action that the audit knows, by name.
func (tx *Tx) AuditActions(ctx context.Context) ([]string, error) {
	return list(ctx, tx, "audit action", func(s scanner) (v string, err error) { return v, s.Scan(&v) }, `WITH RECURSIVE a(action) AS (
			SELECT MIN(action) FROM audit
			UNION ALL SELECT (SELECT MIN(n.action) FROM audit n WHERE n.action > a.action) FROM a WHERE a.action IS NOT NULL
		) SELECT action FROM a WHERE action IS NOT NULL ORDER BY action`)
}
