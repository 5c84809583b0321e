package store_test

import (
	"context"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// With a full disk everything that reads goes on, what writes says why it cannot, and both are well again with space.
func TestAFullDiskStopsNoReading(t *testing.T) {
	db := storetest.SQLite(t)
	ctx := t.Context()
	put := func(value string) error {
		return db.InTx(ctx, func(tx *store.Tx) error { return tx.PutSetting(ctx, "x", value) })
	}
	if err := put("kept"); err != nil {
		t.Fatal(err)
	}
	limit := func(pages string) {
		t.Helper()
		if err := db.Exec(context.WithoutCancel(ctx), "PRAGMA max_page_count = "+pages); err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // SQLite takes the present size instead
	if err := put(strings.Repeat("x", 1<<20)); domain.CodeOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "The disk that holds the database is full") {
		t.Errorf("writing: %v", err)
	}
	var found string
	if err := db.View(ctx, func(tx *store.Tx) (err error) { found, err = tx.Setting(ctx, "x"); return err }); err != nil || found != "kept" {
		t.Errorf("reading: %q, %v", found, err)
	}
	limit("1000000")
	if err := put(strings.Repeat("x", 1<<20)); err != nil {
		t.Errorf("writing with space again: %v", err)
	}
}
