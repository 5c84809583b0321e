package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// Earlier versions stored an address as it was typed, with its domain in any letters. Now each has one form, see [domain.NormalEmail],
// and a person is found by that alone. So what is left in other forms is rewritten at the start.

// normalAddresses rewrites stored addresses and domains that are not in their normal form, each in a transaction of its own.
func (db *DB) normalAddresses(ctx context.Context) error {
	odd := "email GLOB '*[^ -~]*'" // only those can have another form
	if db.engine == "postgres" {
		odd = "email ~ '[^ -~]'"
	}
	var people []domain.Person
	err := db.View(ctx, func(tx *Tx) (err error) {
		people, err = list(ctx, tx, "person", scanPerson, "SELECT "+personColumns+" FROM person WHERE "+odd+" ORDER BY id")
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range people {
		if normal, err := domain.NormalEmail(p.Email); err == nil && normal != p.Email {
			if err := db.InTx(ctx, func(tx *Tx) error { return tx.normalAddress(ctx, p, normal) }); err != nil {
				return fmt.Errorf("rewriting an e-mail address: %w", err)
			}
		}
	}
	if err := db.InTx(ctx, func(tx *Tx) error { return tx.normalInvitations(ctx, odd) }); err != nil {
		return err
	}
	return db.InTx(ctx, func(tx *Tx) error { return tx.normalRules(ctx, strings.ReplaceAll(odd, "email", "value")) })
}

// normalAddress gives a person the normal form of their address. If somebody has it already, that is the same person: they get all that
// the older account has, so that either sign-in leads to one account.
func (tx *Tx) normalAddress(ctx context.Context, p domain.Person, normal string) error {
	same, err := tx.PersonByEmail(ctx, normal)
	if domain.CodeOf(err) == domain.NotFound {
		if err := tx.exec(ctx, "person", "UPDATE person SET email = $2 WHERE id = $1", p.ID, normal); err != nil {
			return err
		}
		if err := tx.exec(ctx, "request", "UPDATE request SET search = REPLACE(search, $2, $3) WHERE person_id = $1", p.ID,
			strings.ToLower(p.Email), normal); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, addressEntry(p.ID, "person.address", map[string]string{"from": p.Email, "to": normal}))
	}
	if err != nil {
		return err
	}
	return tx.unite(ctx, p, same)
}

func addressEntry(person int64, action string, detail map[string]string) domain.AuditEntry {
	return domain.AuditEntry{At: time.Now().UTC(), Actor: domain.System, Action: action, ObjectKind: "person",
		ObjectID: strconv.FormatInt(person, 10), Detail: detail}
}

// unite gives a person what another account of theirs has, and removes that one. A request stays with it, and it with its address, where
// the person has another active request in the same federation: a manager then decides which of the two partitions goes.
func (tx *Tx) unite(ctx context.Context, from, to domain.Person) error {
	steps := []string{
		"UPDATE identity SET person_id = $2 WHERE person_id = $1",
		"UPDATE session SET person_id = $2 WHERE person_id = $1",
		"UPDATE api_token SET person_id = $2 WHERE person_id = $1",
		"UPDATE link SET person_id = $2 WHERE person_id = $1",
		`INSERT INTO role_grant (person_id, federation_id, role) SELECT CAST($2 AS BIGINT), federation_id, role FROM role_grant
			WHERE person_id = $1
			ON CONFLICT (person_id, federation_id) DO UPDATE SET role = CASE WHEN excluded.role = 'manager' THEN 'manager' ELSE role_grant.role END`,
		`UPDATE request SET person_id = $2 WHERE person_id = $1 AND NOT (state IN ('unverified', 'pending', 'approved') AND EXISTS (
			SELECT 1 FROM request o WHERE o.person_id = $2 AND o.federation_id = request.federation_id
			AND o.state IN ('unverified', 'pending', 'approved')))`,
	}
	moved := int64(0)
	for _, step := range steps {
		res, err := tx.q.ExecContext(ctx, step, from.ID, to.ID)
		if err != nil {
			return fmt.Errorf("uniting accounts: %w", err)
		}
		n, err := res.RowsAffected()
		if moved += n; err != nil {
			return err
		}
	}
	if err := tx.exec(ctx, "role", "DELETE FROM role_grant WHERE person_id = $1", from.ID); err != nil {
		return err
	}
	if err := tx.exec(ctx, "person", "UPDATE person SET admin = $2 WHERE id = $1", to.ID, bit(to.Admin || from.Admin)); err != nil {
		return err
	}
	if err := tx.exec(ctx, "request", "UPDATE request SET search = REPLACE(search, $2, $3) WHERE person_id = $1", to.ID,
		strings.ToLower(from.Email), to.Email); err != nil {
		return err
	}
	left, err := get(ctx, tx, "request", func(s scanner) (n int, err error) { return n, s.Scan(&n) },
		"SELECT COUNT(*) FROM request WHERE person_id = $1", from.ID)
	switch {
	case err != nil:
		return err
	case left > 0 && moved == 0:
		return nil // it was united before
	case left == 0:
		err = tx.exec(ctx, "person", "DELETE FROM person WHERE id = $1", from.ID)
	default:
		err = tx.exec(ctx, "person", "UPDATE person SET admin = 0 WHERE id = $1", from.ID)
	}
	if err != nil {
		return err
	}
	return tx.InsertAudit(ctx,
		addressEntry(to.ID, "person.united",
			map[string]string{"from": strconv.FormatInt(from.ID, 10), "address": from.Email, "requests_left": strconv.Itoa(left)}))
}

// stored is a text of a row.
type stored struct {
	id, fed     int64
	kind, value string
}

func scanStored(s scanner) (v stored, err error) { return v, s.Scan(&v.id, &v.fed, &v.kind, &v.value) }

func (tx *Tx) normalInvitations(ctx context.Context, odd string) error {
	all, err := list(ctx, tx, "invitation", scanStored, "SELECT id, federation_id, '', email FROM invitation WHERE "+odd)
	for _, v := range all {
		if normal, bad := domain.NormalEmail(v.value); err == nil && bad == nil && normal != v.value {
			err = tx.exec(ctx, "invitation", "UPDATE invitation SET email = $2 WHERE id = $1", v.id, normal)
		}
	}
	return err
}

func (tx *Tx) normalRules(ctx context.Context, odd string) error {
	all, err := list(ctx, tx, "rule", scanStored, "SELECT id, federation_id, kind, value FROM approval_rule WHERE kind = 'domain' AND "+odd)
	for _, v := range all {
		normal, bad := domain.NormalDomain(v.value, "value")
		if err != nil || bad != nil || normal == v.value {
			continue
		}
		// the same rule
		if err = tx.exec(ctx, "rule", "DELETE FROM approval_rule WHERE federation_id = $1 AND kind = $2 AND value = $3", v.fed, v.kind,
			normal); err == nil {
			err = tx.exec(ctx, "rule", "UPDATE approval_rule SET value = $2 WHERE id = $1", v.id, normal)
		}
	}
	return err
}
