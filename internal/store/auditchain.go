package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"blossomtune/internal/domain"
)

// auditRow is an audit entry as it is stored.
type auditRow struct {
	id                             int64
	at, person, federation         int64
	kind, name, action, object, of string // of: the object's id
	detail                         string // JSON
	hash                           []byte
	erased                         bool // personal data was erased from it: the hash is the one from before
}

const auditRowColumns = "id, at, actor_kind, actor_person_id, actor_name, action, object_kind, object_id, federation_id, detail, hash, erased"

func scanAuditRow(s scanner) (r auditRow, err error) {
	var erased int64
	err = s.Scan(&r.id, &r.at, &r.kind, &r.person, &r.name, &r.action, &r.object, &r.of, &r.federation, &r.detail, &r.hash, &erased)
	r.erased = erased == 1
	return r, err
}

// chained is the row's hash where it follows a row with another: SHA-256 over that hash, then over each of the row's columns but id
// and hash, in the order of the table, numbers in decimal, each after its length in bytes as eight bytes, the highest first.
func (r auditRow) chained(before []byte) []byte {
	h := sha256.New()
	h.Write(before)
	for _, text := range []string{fmt.Sprint(r.at), r.kind, fmt.Sprint(r.person), r.name, r.action, r.object, r.of, fmt.Sprint(r.federation), r.detail} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(text)))
		h.Write(size[:])
		h.Write([]byte(text))
	}
	return h.Sum(nil)
}

// auditHead is the newest link of the chain.
type auditHead struct {
	last, entries, since int64
	hash                 []byte
	whole                bool
}

// auditHead reads the newest link; on PostgreSQL it locks it, so that of those who write at once each follows another. SQLite has
// one writer anyway.
func (tx *Tx) auditHead(ctx context.Context, lock bool) (auditHead, error) {
	query := "SELECT last_id, entries, hash, since, whole FROM audit_head WHERE id = 1"
	if lock && tx.postgres {
		query += " FOR UPDATE"
	}
	return get(ctx, tx, "audit chain", func(s scanner) (h auditHead, err error) {
		var whole int64
		err = s.Scan(&h.last, &h.entries, &h.hash, &h.since, &whole)
		h.whole = whole == 1
		return h, err
	}, query)
}

func (tx *Tx) putAuditHead(ctx context.Context, h auditHead) error {
	return tx.one(ctx, "audit chain", "UPDATE audit_head SET last_id = $1, entries = $2, hash = $3, since = $4, whole = $5 WHERE id = 1", h.last, h.entries, h.hash, h.since, bit(h.whole))
}

// InsertAudit adds an audit entry, chained to the one before it; it belongs into the transaction of the change that it tells of, at its
// end: from then on nobody else's entry is written until the transaction ends.
func (tx *Tx) InsertAudit(ctx context.Context, e domain.AuditEntry) error {
	head, err := tx.auditHead(ctx, true)
	if err != nil {
		return err
	}
	if !head.whole {
		return domain.Errorf(domain.Unavailable, "The audit's older entries are being chained.").Fix("Try again in a minute.")
	}
	detail := e.Detail
	if detail == nil {
		detail = map[string]string{}
	}
	text, err := asJSON(detail)
	if err != nil {
		return err
	}
	// The hash is over what is stored, so the texts are made storable before.
	r := auditRow{at: millis(e.At), kind: e.Actor.Kind, person: e.Actor.PersonID, name: domain.ToStorable(e.Actor.Name), action: domain.ToStorable(e.Action), object: domain.ToStorable(e.ObjectKind), of: domain.ToStorable(e.ObjectID),
		federation: e.FederationID, detail: text}
	head.hash = r.chained(head.hash)
	err = tx.insert(ctx, "audit entry", &head.last, `INSERT INTO audit (at, actor_kind, actor_person_id, actor_name, action, object_kind, object_id, federation_id, detail, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		r.at, r.kind, r.person, r.name, r.action, r.object, r.of, r.federation, r.detail, head.hash)
	if err != nil {
		return err
	}
	head.entries++
	if head.since == 0 {
		head.since = r.at
	}
	return tx.putAuditHead(ctx, head)
}

// chainBatch is how many old entries are chained in one transaction.
const chainBatch = 2000

// chainAudit chains the entries from before the chain, once.
func (db *DB) chainAudit(ctx context.Context) error {
	for whole := false; !whole; {
		err := db.InTx(ctx, func(tx *Tx) error {
			head, err := tx.auditHead(ctx, true)
			if whole = head.whole; err != nil || whole {
				return err
			}
			rows, err := list(ctx, tx, "audit entry", scanAuditRow, fmt.Sprintf("SELECT %s FROM audit WHERE id > $1 ORDER BY id LIMIT %d", auditRowColumns, chainBatch), head.last)
			if err != nil {
				return err
			}
			for _, r := range rows {
				head.hash, head.last = r.chained(head.hash), r.id
				head.entries++
				if err := tx.one(ctx, "audit entry", "UPDATE audit SET hash = $2 WHERE id = $1", r.id, head.hash); err != nil {
					return err
				}
			}
			whole = len(rows) < chainBatch
			head.whole = whole
			return tx.putAuditHead(ctx, head)
		})
		if err != nil {
			return fmt.Errorf("chaining the audit: %w", err)
		}
	}
	return nil
}

// CountChained returns how many entries the chain has.
func (tx *Tx) CountChained(ctx context.Context) (int, error) {
	h, err := tx.auditHead(ctx, false)
	return int(h.entries), err
}

// CheckAudit goes through the whole chain, from the first entry to the newest.
func (tx *Tx) CheckAudit(ctx context.Context) (domain.AuditVerdict, error) {
	head, err := tx.auditHead(ctx, false)
	if err != nil {
		return domain.AuditVerdict{}, err
	}
	check, columns := newChainCheck(head), auditRowColumns
	if known, err := tx.knowsErasures(ctx); err != nil {
		return domain.AuditVerdict{}, err
	} else if !known {
		columns = strings.TrimSuffix(columns, "erased") + "0"
	} else if check.erasures.rows, err = list(ctx, tx, "erasure", func(s scanner) (r erasureRow, err error) {
		return r, s.Scan(&r.audit, &r.person, &r.hash)
	}, "SELECT audit_id, person_id, hash FROM audit_erasure ORDER BY person_id, audit_id"); err != nil {
		return domain.AuditVerdict{}, err
	}
	rows, err := tx.q.QueryContext(ctx, "SELECT "+columns+" FROM audit ORDER BY id")
	if err != nil {
		return domain.AuditVerdict{}, fmt.Errorf("reading the audit: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scanAuditRow(rows)
		if err != nil {
			return domain.AuditVerdict{}, fmt.Errorf("reading the audit: %w", err)
		}
		if !check.add(r) {
			break
		}
	}
	return check.verdict(), rows.Err()
}

// knowsErasures reports whether the schema has erasures: a copy of a database may be older than this program.
func (tx *Tx) knowsErasures(ctx context.Context) (found bool, err error) {
	if tx.postgres {
		return true, nil // copies are always of SQLite; see DumpChain
	}
	err = tx.q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'audit_erasure')").Scan(&found)
	return found, err
}
