package store

import (
	"context"
	"fmt"
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

// Rehash makes the hashes of the audit's first n entries fit what they say now, as somebody who knows how they are made could.
func (db *DB) Rehash(ctx context.Context, n int) error {
	return db.InTx(ctx, func(tx *Tx) error {
		rows, err := list(ctx, tx, "audit entry", scanAuditRow, "SELECT "+auditRowColumns+" FROM audit ORDER BY id LIMIT $1", n)
		hash := make([]byte, 32)
		for _, r := range rows {
			hash = r.chained(hash)
			if err == nil {
				err = tx.one(ctx, "audit entry", "UPDATE audit SET hash = $2 WHERE id = $1", r.id, hash)
			}
		}
		return err
	})
}

// Rows returns every row of every table, in words.
func (tx *Tx) Rows(ctx context.Context) (out []string, err error) {
	query := "SELECT name FROM sqlite_master WHERE type = 'table'"
	if tx.postgres {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
	}
	tables, err := list(ctx, tx, "table", scanText, query)
	for _, table := range tables {
		if err != nil {
			return nil, err
		}
		rows, err := tx.rowsOf(ctx, table)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, err
}

func (tx *Tx) rowsOf(ctx context.Context, table string) (out []string, err error) {
	rows, err := tx.q.QueryContext(ctx, "SELECT * FROM "+table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		if err := rows.Scan(values...); err != nil {
			return nil, err
		}
		row := table + ":"
		for i, v := range values {
			value := *v.(*any)
			if b, ok := value.([]byte); ok {
				value = string(b)
			}
			row += fmt.Sprintf(" %s=%v", columns[i], value)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
