package store_test

import (
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// eraseWith erases a person as the rules do, with the entry that vouches for it.
func eraseWith(t *testing.T, db *store.DB, p domain.Person) (done domain.Erasure) {
	t.Helper()
	in(t, db, func(tx *store.Tx) (err error) {
		if done, err = tx.ErasePerson(ctx, p, now); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: now, Actor: domain.System, Action: domain.ActionPersonErased, ObjectKind: "person",
			ObjectID: domain.ErasedPersonRef(p.ID), Detail: map[string]string{"digest": done.Digest}})
	})
	return done
}

// Two erasures, of which the second changes an entry of the first again, leave the chain whole; whatever is done to an erased entry, to
// what vouches for it, or to another entry in the guise of an erasure is found.
func TestErasedEntriesAreVouchedFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ann, bob := person(t, db, "ann@example.org"), person(t, db, "bob@example.org")
		write := func(by domain.Person, detail map[string]string) {
			in(t, db, func(tx *store.Tx) error {
				return tx.InsertAudit(ctx, domain.AuditEntry{At: now, Actor: domain.Actor{Kind: "person", PersonID: by.ID, Name: by.Email},
					Action: "role.given", ObjectKind: "federation", ObjectID: "fed", Detail: detail})
			})
		}
		addAudit(t, db, 2)                                                                   // 1, 2
		write(ann, map[string]string{"to": "Bob@example.org", "kept": "notbob@example.org"}) // 3
		write(bob, nil)                                                                      // 4
		addAudit(t, db, 2)                                                                   // 5, 6
		if n := eraseWith(t, db, ann).Entries; n != 1 {                                      // 7
			t.Errorf("%d entries of the first are erased", n)
		}
		if n := eraseWith(t, db, bob).Entries; n != 2 { // 8
			t.Errorf("%d entries of the second are erased", n)
		}
		if v := checkAudit(t, db); !v.Whole() || v.Entries != 8 || v.Erased != 2 {
			t.Fatalf("%+v", v)
		}
		var all []domain.AuditEntry
		if err := db.View(ctx, func(tx *store.Tx) (err error) { all, err = tx.AuditEntries(ctx, domain.AuditFilter{}); return err }); err != nil {
			t.Fatal(err)
		}
		third := all[len(all)-3]
		if third.Actor.Name != domain.ErasedLabel(ann.ID) || third.Detail["to"] != domain.ErasedLabel(bob.ID) ||
			!strings.HasPrefix(third.Detail["kept"], "notbob@") {
			t.Errorf("%+v", third)
		}
		rehash := "rehash" // makes the hashes of the first two entries fit them
		for what, do := range map[string][]string{
			"an erased text":               {"UPDATE audit SET detail = '{}' WHERE id = 3"},
			"an erased name":               {"UPDATE audit SET actor_name = 'Eve' WHERE id = 4"},
			"a hash":                       {"UPDATE audit_erasure SET hash = (SELECT hash FROM audit WHERE id = 1) WHERE audit_id = 4"},
			"a missing row":                {"DELETE FROM audit_erasure WHERE audit_id = 4"},
			"another entry as erased":      {"UPDATE audit SET erased = 1, detail = '{\"a\":\"c\"}' WHERE id = 5"},
			"an erased one as its own":     {"UPDATE audit SET erased = 0 WHERE id = 3"},
			"the entries before an erased": {"DELETE FROM audit WHERE id < 3"},
			"an erased before an erased":   {"DELETE FROM audit WHERE id = 3"},
			"an entry before an erased":    {"UPDATE audit SET detail = '{\"a\":\"c\"}' WHERE id = 1", rehash},
			"an erased with its hash moved": {"DELETE FROM audit WHERE id = 4",
				"UPDATE audit SET hash = (SELECT hash FROM kept WHERE id = 4) WHERE id = 3",
				"UPDATE audit_head SET entries = entries - 1"},
			"the number of entries": {"UPDATE audit_head SET entries = entries + 1"},
		} {
			do = append([]string{"CREATE TABLE kept AS SELECT * FROM audit", "CREATE TABLE kept2 AS SELECT * FROM audit_erasure",
				"CREATE TABLE kept3 AS SELECT * FROM audit_head"}, do...)
			for _, q := range do {
				var err error
				if q == rehash {
					err = db.Rehash(ctx, 2)
				} else {
					err = db.Exec(ctx, q)
				}
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
			}
			v := checkAudit(t, db)
			if v.Whole() {
				t.Errorf("%s is not found: %+v", what, v)
			}
			if v.Fault != 0 && v.FaultAt.IsZero() {
				t.Errorf("%s: %+v does not say when", what, v)
			}
			for _, q := range []string{"DELETE FROM audit", "INSERT INTO audit " + overriding(t) + " SELECT * FROM kept", "DROP TABLE kept",
				"DELETE FROM audit_erasure", "INSERT INTO audit_erasure SELECT * FROM kept2", "DROP TABLE kept2",
				"DELETE FROM audit_head", "INSERT INTO audit_head SELECT * FROM kept3", "DROP TABLE kept3"} {
				if err := db.Exec(ctx, q); err != nil {
					t.Fatalf("%s: %v", q, err)
				}
			}
		}
		if v := checkAudit(t, db); !v.Whole() {
			t.Errorf("taken back: %+v", v)
		}
	})
}
