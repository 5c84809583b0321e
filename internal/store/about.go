package store

import (
	"context"
	"fmt"
)

// About is what can be told of a database.
type About struct {
	Engine string // "SQLite" or "PostgreSQL", with its version
	Size   int64  // bytes
	Schema int64  // the newest migration
}

// About looks at the database itself.
func (db *DB) About(ctx context.Context) (a About, err error) {
	name, version, size := "SQLite", "SELECT sqlite_version()", "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
	if db.engine == "postgres" {
		name, version, size = "PostgreSQL", "SELECT current_setting('server_version')", "SELECT pg_database_size(current_database())"
	}
	err = db.View(ctx, func(tx *Tx) error {
		if err := tx.q.QueryRowContext(ctx, version).Scan(&a.Engine); err != nil {
			return fmt.Errorf("reading the database's version: %w", err)
		}
		if err := tx.q.QueryRowContext(ctx, size).Scan(&a.Size); err != nil {
			return fmt.Errorf("reading the database's size: %w", err)
		}
		// goose itself would take a connection that may write, and wait where the database is locked.
		if err := tx.q.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&a.Schema); err != nil {
			return fmt.Errorf("reading the schema's version: %w", err)
		}
		return nil
	})
	a.Engine = name + " " + a.Engine
	return a, err
}

// CountMails counts the mails of the outbox by their state.
func (tx *Tx) CountMails(ctx context.Context) (map[string]int, error) {
	type row struct {
		state string
		n     int
	}
	rows, err := list(ctx, tx, "mail", func(s scanner) (r row, err error) { return r, s.Scan(&r.state, &r.n) }, "SELECT state, COUNT(*) FROM mail GROUP BY state")
	out := map[string]int{}
	for _, r := range rows {
		out[r.state] = r.n
	}
	return out, err
}
