package store

import (
	"context"
	"fmt"
	"time"
)

// About is what can be told of a database.
type About struct {
	Engine string // "SQLite" or "PostgreSQL", with its version
	Size   int64  // bytes
	Schema int64  // the newest migration

	Newest time.Time // when the newest audit entry was made; zero where there is none
	Oldest time.Time // likewise the oldest
	Now    time.Time // by the clock of the database's server; zero for SQLite, which has none
	Admins int       // people who administer the instance
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
		if err := tx.q.QueryRowContext(ctx, "SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied").
			Scan(&a.Schema); err != nil {
			return fmt.Errorf("reading the schema's version: %w", err)
		}
		return tx.times(ctx, db.engine, &a)
	})
	a.Engine = name + " " + a.Engine
	return a, err
}

// times reads the clock of the database's server and the times of the audit, and counts admins.
func (tx *Tx) times(ctx context.Context, engine string, a *About) (err error) {
	var newest, oldest, now int64
	if err := tx.q.QueryRowContext(ctx, "SELECT COALESCE(MAX(at), 0), COALESCE(MIN(at), 0) FROM audit").Scan(&newest, &oldest); err != nil {
		return fmt.Errorf("reading the audit's times: %w", err)
	}
	if newest > 0 {
		a.Newest, a.Oldest = moment(newest), moment(oldest)
	}
	if engine == "postgres" {
		if err := tx.q.QueryRowContext(ctx, "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint").Scan(&now); err != nil {
			return fmt.Errorf("reading the database's clock: %w", err)
		}
		a.Now = moment(now)
	}
	a.Admins, err = tx.CountAdmins(ctx)
	return err
}

// CountMails counts the mails of the outbox by their state.
func (tx *Tx) CountMails(ctx context.Context) (map[string]int, error) {
	return tx.counted(ctx, "SELECT state, COUNT(*) FROM mail GROUP BY state")
}
