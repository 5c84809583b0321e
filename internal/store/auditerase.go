package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"

	"blossomtune/internal/domain"
)

// An entry of the audit from which personal data is erased keeps the hash that it had in the chain, so the entries after it still fit.
// Its own text, and that it follows the entry before it, is vouched for by the entry of the erasure: that one has the digest of all entries
// as the erasure left them, and is itself in the chain. Rewriting an old entry therefore always leaves a later entry that says so.

// erasureRow is an audit entry as an erasure left it: hash is of its new text behind the hash that the entry before it has in the chain.
type erasureRow struct {
	audit, person int64
	hash          []byte
}

// erasureDigest sums an erasure up: over its rows in the order of the entries.
type erasureDigest struct{ hash.Hash }

func newErasureDigest() erasureDigest { return erasureDigest{sha256.New()} }

func (d erasureDigest) add(r erasureRow) { fmt.Fprintf(d, "%d:%x\n", r.audit, r.hash) }

func (d erasureDigest) text() string { return hex.EncodeToString(d.Sum(nil)) }

// nameKeys are details that hold a person's name.
var nameKeys = []string{"name", "by", "as", "cause", "deleted_by", "note", "login"}

// personalKeys are details of entries about a person that are personal whatever they say.
var personalKeys = []string{"address", "login", "reason", "message", "organisation", "email"}

// eraseAudit removes a person from the entries of the audit: those that they wrote, those about them or their requests, and those that name
// them. It returns how many entries it changed and the digest that the entry of the erasure must have.
func (tx *Tx) eraseAudit(ctx context.Context, p domain.Person, words personWords, refs []string) (n int, digest string, err error) {
	if _, err := tx.auditHead(ctx, true); err != nil { // nobody else erases meanwhile
		return 0, "", err
	}
	changes, err := tx.auditWithout(ctx, p, words, refs)
	if err != nil {
		return 0, "", err
	}
	sum := newErasureDigest()
	for _, now := range changes {
		e := erasureRow{now.id, p.ID, now.hash}
		sum.add(e)
		if err := tx.one(ctx, "audit entry", "UPDATE audit SET actor_name = $2, object_id = $3, detail = $4, erased = 1 WHERE id = $1",
			now.id, now.name, now.of, now.detail); err != nil {
			return 0, "", err
		}
		if err := tx.exec(ctx, "erasure", "INSERT INTO audit_erasure (audit_id, person_id, hash) VALUES ($1, $2, $3)", e.audit, e.person,
			e.hash); err != nil {
			return 0, "", err
		}
	}
	return len(changes), sum.text(), nil
}

// auditWithout returns the entries that have something of the person, without it. Their hash is that of the new text behind the entry
// before, which is why every entry is read.
func (tx *Tx) auditWithout(ctx context.Context, p domain.Person, words personWords, refs []string) (out []auditRow, err error) {
	before := make([]byte, sha256.Size)
	err = each(ctx, tx, "audit entry", scanAuditRow, func(r auditRow) error {
		follows := before
		before = r.hash
		about := r.object == "person" && slices.Contains(words.addresses, simple(r.of)) ||
			r.object == "request" && slices.Contains(refs, r.of)
		if r.person != p.ID && !about && !words.maybe(r.name, r.of, r.detail) {
			return nil
		}
		now, err := r.without(p, words, about)
		if err != nil || now == nil {
			return err
		}
		now.hash = now.chained(follows)
		out = append(out, *now)
		return nil
	}, "SELECT "+auditRowColumns+" FROM audit ORDER BY id")
	return out, err
}

// without returns the entry without the person, nil where it has nothing of them. about says that it is about the person.
func (r auditRow) without(p domain.Person, words personWords, about bool) (*auditRow, error) {
	now := r
	if r.person == p.ID {
		now.name = words.label
	}
	now.name, now.of = words.eraseName(now.name), words.eraseAddress(now.of)
	var detail map[string]string
	if err := json.Unmarshal([]byte(r.detail), &detail); err != nil {
		return nil, fmt.Errorf("reading audit entry %d: %w", r.id, err)
	}
	for k, v := range detail {
		if detail[k] = words.eraseAddress(v); slices.Contains(nameKeys, k) {
			detail[k] = words.eraseName(v)
		}
	}
	if about {
		for _, k := range personalKeys {
			if detail[k] != "" {
				detail[k] = words.label
			}
		}
	}
	text, err := asJSON(detail)
	if err != nil {
		return nil, err
	}
	if now.detail = text; now.name == r.name && now.of == r.of && text == r.detail {
		return nil, nil //nolint:nilnil // nothing of them is in it
	}
	return &now, nil
}
