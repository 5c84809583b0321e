package store

import (
	"context"
	"strings"
)

// Again drops what a migration made, and runs it again over what is there.
func (db *DB) Again(ctx context.Context, migration string, drop ...string) error {
	text, err := migrations.ReadFile("migrations/" + db.engine + "/" + migration)
	if err != nil {
		return err
	}
	return db.InTx(ctx, func(tx *Tx) error {
		for _, what := range append(drop, strings.TrimPrefix(string(text), "-- +goose Up")) {
			if _, err := tx.q.ExecContext(ctx, what); err != nil {
				return err
			}
		}
		return nil
	})
}

// SetMaxMetrics changes how many metrics of a run are kept, and returns what takes that back.
func SetMaxMetrics(n int64) (restore func()) {
	before := maxMetrics
	maxMetrics = n
	return func() { maxMetrics = before }
}

// Exec runs a statement that the store has no method for, as somebody with the database in their hands could.
func (db *DB) Exec(ctx context.Context, query string, args ...any) error {
	_, err := db.write.ExecContext(ctx, query, args...)
	return err
}

// SetMaxRenamed lowers how many metrics a run may have for some to be renamed, and returns what undoes it.
func SetMaxRenamed(n int64) (undo func()) {
	before := maxRenamed
	maxRenamed = n
	return func() { maxRenamed = before }
}
