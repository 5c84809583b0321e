package store_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// overriding lets PostgreSQL take a given id.
func overriding(t *testing.T) string {
	if strings.HasSuffix(t.Name(), "/postgres") {
		return "OVERRIDING SYSTEM VALUE"
	}
	return ""
}

func addAudit(t *testing.T, db *store.DB, n int) {
	t.Helper()
	for i := range n {
		in(t, db, func(tx *store.Tx) error {
			return tx.InsertAudit(ctx, domain.AuditEntry{At: now, Actor: domain.Actor{Kind: "person", PersonID: 7, Name: "Ada"}, Action: "run.launched", ObjectKind: "run", ObjectID: fmt.Sprint("r-", i), FederationID: 3, Detail: map[string]string{"a": "b"}})
		})
	}
}

func checkAudit(t *testing.T, db *store.DB) (v domain.AuditVerdict) {
	t.Helper()
	if err := db.View(ctx, func(tx *store.Tx) (err error) { v, err = tx.CheckAudit(ctx); return err }); err != nil {
		t.Fatal(err)
	}
	return v
}

// Whoever changes, removes, adds or swaps an entry in the database breaks the chain there, and it is told where.
func TestWhatIsDoneToTheAuditIsFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		addAudit(t, db, 9)
		if v := checkAudit(t, db); !v.Whole() || v.Entries != 9 || !v.Since.Equal(now) || len(v.Hash) != 64 {
			t.Fatalf("untouched: %+v", v)
		}
		set := func(what string) []string { return []string{"UPDATE audit SET " + what + " WHERE id = 5"} }
		for what, do := range map[string][]string{
			"at": set("at = at + 1"), "kind": set("actor_kind = 'token'"), "person": set("actor_person_id = 8"), "name": set("actor_name = 'Bo'"), "action": set("action = 'run.stopped'"),
			"object": set("object_kind = 'request'"), "its id": set("object_id = 'r-x'"), "federation": set("federation_id = 4"), "detail": set(`detail = '{"a":"c"}'`),
			"moved over a border": set("action = 'run.launchedr', object_kind = 'un'"), "hash": set("hash = NULL"),
			"removed": {"DELETE FROM audit WHERE id = 5"}, "swapped": {"DELETE FROM audit WHERE id IN (5, 6)", "INSERT INTO audit " + overriding(t) + " SELECT 11 - id, at, actor_kind, actor_person_id, actor_name, action, object_kind, object_id, federation_id, detail, hash, 0 FROM kept WHERE id IN (5, 6)"},
		} {
			keep := []string{"CREATE TABLE kept AS SELECT * FROM audit"}
			back := []string{"DELETE FROM audit", "INSERT INTO audit " + overriding(t) + " SELECT * FROM kept", "DROP TABLE kept"}
			for _, q := range append(keep, do...) {
				if err := db.Exec(ctx, q); err != nil {
					t.Fatalf("%s: %s: %v", what, q, err)
				}
			}
			want := int64(5)
			if what == "removed" {
				want = 6
			}
			if v := checkAudit(t, db); v.Fault != want || v.Whole() || v.Entries != 4 {
				t.Errorf("%s: %+v, want the fault at %d", what, v, want)
			}
			for _, q := range back {
				if err := db.Exec(ctx, q); err != nil {
					t.Fatalf("%s: %s: %v", what, q, err)
				}
			}
			if v := checkAudit(t, db); !v.Whole() {
				t.Fatalf("%s, taken back: %+v", what, v)
			}
		}
		if err := db.Exec(ctx, "DELETE FROM audit WHERE id > 7"); err != nil {
			t.Fatal(err)
		}
		if v := checkAudit(t, db); v.Whole() || !v.Short || v.Entries != 7 {
			t.Errorf("cut at the end: %+v", v)
		}
	})
}

// Of those who write at once, in two processes, each entry follows another, and none is lost.
func TestTheAuditIsOneChainWhoeverWrites(t *testing.T) {
	addresses := map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "postgres": storetest.PostgresURL(t)}
	for name, address := range addresses {
		t.Run(name, func(t *testing.T) {
			handles := []*store.DB{storetest.Open(t, address), storetest.Open(t, address)}
			var wg sync.WaitGroup
			for _, db := range handles {
				for range 6 {
					wg.Go(func() {
						for i := range 20 {
							err := db.InTx(ctx, func(tx *store.Tx) error {
								for range 1 + i%2 {
									if err := tx.InsertAudit(ctx, domain.AuditEntry{At: now, Actor: domain.System, Action: "a.b"}); err != nil {
										return err
									}
								}
								return nil
							})
							if err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			wg.Wait()
			if v := checkAudit(t, handles[0]); !v.Whole() || v.Entries != 12*30 {
				t.Errorf("%+v", v)
			}
		})
	}
}

// Entries from before there was a chain are chained when the database is migrated, however many, and only then.
func TestOldEntriesAreChainedOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const old = 4500
		for _, q := range []string{
			fmt.Sprintf(`INSERT INTO audit (at, actor_kind, actor_person_id, actor_name, action, object_kind, object_id, federation_id, detail)
				WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT i, 'person', 1, 'Ada', 'a.b', 'run', 'r', 0, '{}' FROM n`, old),
			"UPDATE audit_head SET whole = 0",
		} {
			if err := db.Exec(ctx, q); err != nil {
				t.Fatal(err)
			}
		}
		err := db.InTx(ctx, func(tx *store.Tx) error { return tx.InsertAudit(ctx, domain.AuditEntry{At: now}) })
		code(t, err, domain.Unavailable)
		if err := db.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		addAudit(t, db, 1)
		if v := checkAudit(t, db); !v.Whole() || v.Entries != old+1 || !v.Since.Equal(now) {
			t.Errorf("%+v", v)
		}
		if err := db.Exec(ctx, "INSERT INTO audit (at, actor_kind, actor_person_id, actor_name, action, object_kind, object_id, federation_id, detail) VALUES (1, 'person', 1, 'Ada', 'a.b', 'run', 'r', 0, '{}')"); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		if v := checkAudit(t, db); v.Whole() || v.Entries != old+1 {
			t.Errorf("an entry beside the chain is taken into it at the next start: %+v", v)
		}
	})
}
