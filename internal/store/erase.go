package store

import (
	"context"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// leastName is how many bytes a name must have to be looked for: shorter ones are in other words.
const leastName = 4

// ErasePerson removes what is known of a person: addresses, names, organisation, texts, sign-ins and mails. Their row stays with a label in
// place of the name, so that what they did still belongs to one person. The caller writes the entry of the erasure, at the end of the
// transaction.
func (tx *Tx) ErasePerson(ctx context.Context, p domain.Person, at time.Time) (domain.Erasure, error) {
	words, err := tx.wordsOf(ctx, p)
	if err != nil {
		return domain.Erasure{}, err
	}
	refs, err := list(ctx, tx, "request", scanText, "SELECT ref FROM request WHERE person_id = $1", p.ID)
	if err != nil {
		return domain.Erasure{}, err
	}
	for _, erase := range []func(context.Context, personWords) error{tx.eraseWriters, tx.eraseAddresses, tx.eraseCauses, tx.eraseNotices,
		tx.eraseMails, tx.eraseAnswers} {
		if err := erase(ctx, words); err != nil {
			return domain.Erasure{}, err
		}
	}
	if err := tx.eraseRows(ctx, p, words.label, at); err != nil {
		return domain.Erasure{}, err
	}
	n, digest, err := tx.eraseAudit(ctx, p, words, refs)
	return domain.Erasure{Entries: n, Digest: digest}, err
}

// wordsOf are the texts that mean this person and nobody else: their addresses, the names that they gave, and their accounts elsewhere.
func (tx *Tx) wordsOf(ctx context.Context, p domain.Person) (personWords, error) {
	names, err := list(ctx, tx, "name", scanText, `SELECT email FROM person WHERE id = $1 AND email IS NOT NULL
		UNION SELECT email FROM identity WHERE person_id = $1 UNION SELECT name FROM identity WHERE person_id = $1
		UNION SELECT name FROM person WHERE id = $1 UNION SELECT name FROM request WHERE person_id = $1
		UNION SELECT name FROM run_participant WHERE person_id = $1 ORDER BY 1`, p.ID)
	if err != nil {
		return personWords{}, err
	}
	logins, err := list(ctx, tx, "login", scanText, "SELECT DISTINCT login FROM identity WHERE person_id = $1", p.ID)
	if err != nil {
		return personWords{}, err
	}
	organisations, err := list(ctx, tx, "organisation", scanText, `SELECT organisation FROM person WHERE id = $1 AND organisation <> ''
		UNION SELECT organisation FROM request WHERE person_id = $1 AND organisation <> ''`, p.ID)
	if err != nil {
		return personWords{}, err
	}
	others, err := tx.otherPersons(ctx, p.ID)
	if err != nil {
		return personWords{}, err
	}
	means := func(all []string) (out []string) {
		for _, name := range all {
			if name = strings.TrimSpace(name); len(name) >= leastName && !others(name) {
				out = append(out, name)
			}
		}
		return out
	}
	return newPersonWords(p.ID, means(names), means(logins), organisations)
}

// otherPersons tells which texts mean, or could mean, another person. An address means only the one whose it is, whatever name others gave.
func (tx *Tx) otherPersons(ctx context.Context, id int64) (others func(string) bool, err error) {
	names, addresses := map[string]bool{}, map[string]bool{}
	err = each(ctx, tx, "person", func(s scanner) (v [2]string, err error) { return v, s.Scan(&v[0], &v[1]) }, func(v [2]string) error {
		names[simple(v[0])], addresses[simple(v[1])] = true, true
		return nil
	}, "SELECT name, COALESCE(email, '') FROM person WHERE id <> $1", id)
	return func(text string) bool {
		return addresses[simple(text)] || names[simple(text)] && !strings.Contains(text, "@")
	}, err
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
	for _, table := range []string{"session", "api_token", "link", "identity", "role_grant", "notice_pref", "notice_item", "notice_meter",
		"idempotent_call"} {
		changes = append(changes, change{"DELETE FROM " + table + " WHERE person_id = $1", []any{p.ID}})
	}
	for _, c := range changes {
		if err := tx.exec(ctx, "person", c.query, c.args...); err != nil {
			return err
		}
	}
	return tx.one(ctx, "person", "UPDATE person SET email = NULL, name = $2, organisation = '', erased_at = $3 WHERE id = $1", p.ID, label, millis(at))
}
