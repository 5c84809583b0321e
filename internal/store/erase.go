package store

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// leastName is how long a name must be to be looked for in texts: shorter ones are in other words.
const leastName = 4

// ErasePerson removes what is known of a person: address, name, organisation, texts, sign-ins and mails. Their row stays with a label in place
// of the name, so that what they did still belongs to one person. The caller writes the entry of the erasure, at the end of the transaction.
func (tx *Tx) ErasePerson(ctx context.Context, p domain.Person, at time.Time) (domain.Erasure, error) {
	label := domain.ErasedLabel(p.ID)
	names, err := tx.namesToErase(ctx, p)
	if err != nil {
		return domain.Erasure{}, err
	}
	words := personWords{label: label}
	var addresses []string
	for _, name := range names {
		if strings.Contains(name, "@") {
			addresses = append(addresses, regexp.QuoteMeta(name))
		}
		words.names = append(words.names, strings.ToLower(name))
	}
	if len(addresses) > 0 {
		words.address = regexp.MustCompile(`(?i)(^|[^\pL\pN._+-])(?:` + strings.Join(addresses, "|") + `)($|[^\pL\pN-])`)
	}
	refs, err := list(ctx, tx, "request", scanText, "SELECT ref FROM request WHERE person_id = $1", p.ID)
	if err != nil {
		return domain.Erasure{}, err
	}
	if err := tx.eraseCauses(ctx, words, names); err != nil {
		return domain.Erasure{}, err
	}
	if err := tx.eraseRows(ctx, p, label, at); err != nil {
		return domain.Erasure{}, err
	}
	for _, name := range names {
		for _, c := range writtenBy {
			if err := tx.exec(ctx, c[0], fmt.Sprintf("UPDATE %[1]s SET %[2]s = $2 WHERE %[2]s = $1", c[0], c[1]), name, label); err != nil {
				return domain.Erasure{}, err
			}
		}
	}
	n, digest, err := tx.eraseAudit(ctx, p, words, refs, names)
	return domain.Erasure{Entries: n, Digest: digest}, err
}

// writtenBy are the columns that hold the name of who did something, without their id.
var writtenBy = [][2]string{{"request", "decided_by"}, {"invitation", "created_by"}, {"approval_rule", "created_by"}, {"app_origin", "added_by"},
	{"app_preset", "created_by"}, {"run", "created_by"}, {"run", "deleted_by"}, {"share", "created_by"}, {"webhook", "created_by"}}

// namesToErase are the texts that mean this person and nobody else: their address, their accounts elsewhere, and the names that they gave.
func (tx *Tx) namesToErase(ctx context.Context, p domain.Person) (out []string, err error) {
	all, err := list(ctx, tx, "name", scanText, `SELECT email FROM person WHERE id = $1 AND email IS NOT NULL UNION SELECT email FROM identity WHERE person_id = $1
		UNION SELECT login FROM identity WHERE person_id = $1 UNION SELECT name FROM identity WHERE person_id = $1
		UNION SELECT name FROM person WHERE id = $1 UNION SELECT name FROM request WHERE person_id = $1 ORDER BY 1`, p.ID)
	if err != nil {
		return nil, err
	}
	for _, name := range all {
		if name = strings.TrimSpace(name); len(name) < leastName {
			continue
		}
		others, err := get(ctx, tx, "name", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
			"SELECT COUNT(*) FROM person WHERE id <> $1 AND (LOWER(name) = LOWER($2) OR email = LOWER($2))", p.ID, name)
		if err != nil {
			return nil, err
		}
		if others == 0 {
			out = append(out, name)
		}
	}
	return out, nil
}

// eraseCauses takes the person out of the causes of runs that they stopped.
func (tx *Tx) eraseCauses(ctx context.Context, words personWords, names []string) error {
	for _, name := range names {
		quoted, err := asJSON(name)
		if err != nil {
			return err
		}
		type run struct {
			id    int64
			cause string
		}
		all, err := list(ctx, tx, "run", func(s scanner) (r run, err error) { return r, s.Scan(&r.id, &r.cause) },
			`SELECT id, cause FROM run WHERE state = 'stopped' AND LOWER(cause) LIKE $1 ESCAPE '\'`, like(strings.Trim(quoted, `"`)))
		if err != nil {
			return err
		}
		for _, r := range all {
			var cause domain.Cause
			if err := json.Unmarshal([]byte(r.cause), &cause); err != nil {
				return fmt.Errorf("reading a cause: %w", err)
			}
			cause.Message = strings.ReplaceAll(cause.Message, " by "+name+".", " by "+words.label+".")
			text, err := asJSON(cause)
			if err != nil {
				return err
			}
			if err := tx.one(ctx, "run", "UPDATE run SET cause = $2 WHERE id = $1", r.id, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// eraseRows removes the person from the rows that are theirs.
func (tx *Tx) eraseRows(ctx context.Context, p domain.Person, label string, at time.Time) error {
	type change struct {
		query string
		args  []any
	}
	changes := []change{
		{`UPDATE request SET name = $2, organisation = '', message = '', reason = '', search = LOWER($2 || ' ' || ref) WHERE person_id = $1`, []any{p.ID, label}},
		{"UPDATE run_participant SET name = $2, organisation = '' WHERE person_id = $1", []any{p.ID, label}},
		{"UPDATE app_approval SET reason = '' WHERE request_id IN (SELECT id FROM request WHERE person_id = $1)", []any{p.ID}},
	}
	for _, table := range []string{"session", "api_token", "link", "identity", "role_grant", "notice_pref", "notice_item", "notice_meter"} {
		changes = append(changes, change{"DELETE FROM " + table + " WHERE person_id = $1", []any{p.ID}})
	}
	if p.Email != "" {
		changes = append(changes, change{"DELETE FROM ask WHERE email = $1", []any{p.Email}},
			change{"DELETE FROM mail WHERE LOWER(recipient) = $1", []any{p.Email}},
			// An address that nobody can have: an empty one would let everybody use the invitation.
			change{"UPDATE invitation SET email = $2 WHERE email = $1", []any{p.Email, domain.ErasedPersonRef(p.ID) + "@invalid"}})
	}
	for _, c := range changes {
		if err := tx.exec(ctx, "person", c.query, c.args...); err != nil {
			return err
		}
	}
	return tx.one(ctx, "person", "UPDATE person SET email = NULL, name = $2, organisation = '', erased_at = $3 WHERE id = $1", p.ID, label, millis(at))
}
