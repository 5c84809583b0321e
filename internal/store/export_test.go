package store

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"
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

// SetSessionEvery changes how often the session of the one server is checked, and returns what takes that back.
func SetSessionEvery(d time.Duration) (restore func()) {
	before := sessionEvery
	sessionEvery = d
	return func() { sessionEvery = before }
}

// LockHolder returns the name of the session that holds the lock of the one server, "" if none does.
func (tx *Tx) LockHolder(ctx context.Context) (name string, err error) {
	err = tx.q.QueryRowContext(ctx, `SELECT coalesce((SELECT min(a.application_name) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1 AND a.datname = current_database()), '')`, ownKey).Scan(&name)
	return name, err
}

// TallyVersion tells whether tallies have to be counted again.
func (db *DB) TallyVersion() uint64 { return db.tallies.version.Load() }

// TablesOfRuns are the tables from which the rows of a purged run are removed.
func TablesOfRuns() []string {
	return slices.Concat(ofRun, ofEngineRun, slices.Collect(maps.Keys(largeOfRun)))
}
