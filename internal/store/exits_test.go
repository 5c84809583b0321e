package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// A failed ClientApp is read back as it was kept, with where its app failed.
func TestAppExitsAreReadBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, _ := manyRuns(t, db, 1)
		want := domain.AppExit{FederationID: f.ID, EngineRunID: 1<<64 - 5, NodeID: 1<<63 + 9, ExitCode: 1, Signal: "SIGKILL", Kind: "ImportError", Module: "torch", Output: "last lines", At: now,
			Trouble: "name", Address: "example.org:443", File: "tiny/client_app.py", FileLine: 1 << 40, Func: "train", Code: "int(v)"}
		in(t, db, func(tx *store.Tx) error {
			if kept, err := tx.InsertAppExit(ctx, want); err != nil || !kept {
				t.Fatalf("kept %v, %v", kept, err)
			}
			got, err := tx.AppExits(ctx, f.ID, want.EngineRunID)
			if d := cmp.Diff([]domain.AppExit{want}, got); d != "" {
				t.Error(d)
			}
			return err
		})
		// A failure kept before the columns came keeps what it had; a new one is kept whole beside it.
		if err := db.Again(ctx, "20261129014500_app_exit_place.sql", dropped("app_exit", "trouble", "address", "file", "file_line", "func", "code")...); err != nil {
			t.Fatal(err)
		}
		old := want
		old.Trouble, old.Address, old.File, old.FileLine, old.Func, old.Code = "", "", "", 0, "", ""
		in(t, db, func(tx *store.Tx) error {
			if _, err := tx.InsertAppExit(ctx, want); err != nil {
				return err
			}
			got, err := tx.AppExits(ctx, f.ID, want.EngineRunID)
			if d := cmp.Diff([]domain.AppExit{old, want}, got); d != "" {
				t.Errorf("after the migration: %s", d)
			}
			return err
		})
	})
}

func dropped(table string, columns ...string) (out []string) {
	for _, c := range columns {
		out = append(out, "ALTER TABLE "+table+" DROP COLUMN "+c)
	}
	return out
}
