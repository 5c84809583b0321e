package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
)

// ownWait is how long an earlier server may take to let go: one that was killed still ends its connections.
const ownWait = 3 * time.Second

// Own makes this process the only server on the database until [DB.Close]. Commands and keepers do not need to own it. If
// another server does, the error is [domain.Conflict] and names its process.
//
// On PostgreSQL the lock belongs to a session of its own, so a pooler between must keep sessions (PgBouncer: pool_mode session).
func (db *DB) Own(ctx context.Context) error {
	take, owner := db.ownFile, func() string { return filelock.Owner(db.file + ".lock") }
	if db.engine == "postgres" {
		take, owner = db.ownSession, func() string { return db.sessionOwner(ctx) }
	}
	err := filelock.Wait(ctx, ownWait, take)
	if errors.Is(err, filelock.ErrHeld) {
		return domain.Errorf(domain.Conflict, "Another BlossomTune server (%s) uses this database.", owner()).Fix("Stop it first, or choose another database with --database.")
	}
	return err
}

func (db *DB) ownFile(context.Context) error {
	l, err := filelock.Take(db.file + ".lock")
	if err == nil {
		db.release = l.Release
	}
	return err
}

// ownKey is the first half of the advisory lock's key; the schema is the other.
const ownKey = 0x626c6f73

func (db *DB) ownSession(ctx context.Context) error {
	session, err := sql.Open("pgx", db.address)
	if err != nil {
		return fmt.Errorf("opening database: %w", err)
	}
	session.SetMaxOpenConns(1)
	host, _ := os.Hostname() // only shown to people
	var got bool
	// A host that vanished must not keep the lock for the two hours that TCP needs by default.
	_, err = session.ExecContext(ctx, "SELECT set_config('tcp_keepalives_idle', '10', false), set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false), set_config('application_name', $1, false)",
		fmt.Sprintf("process %d on %.30s", os.Getpid(), host))
	if err == nil {
		err = session.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1, hashtext(coalesce(current_schema(), '')))", ownKey).Scan(&got)
	}
	if err == nil && !got {
		err = filelock.ErrHeld
	}
	if err != nil {
		session.Close()
		return fmt.Errorf("taking the database: %w", err)
	}
	db.release = session.Close
	return nil
}

func (db *DB) sessionOwner(ctx context.Context) string {
	var name string
	err := db.read.QueryRowContext(ctx, `SELECT a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.granted AND l.classid = $1 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) LIMIT 1`, ownKey).Scan(&name)
	if err != nil || name == "" {
		return "another process"
	}
	return name
}

// Blank reports whether the database holds no instance yet: no schema, or neither a person nor a federation.
func (db *DB) Blank(ctx context.Context) (bool, error) {
	query := "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'person')"
	if db.engine == "postgres" {
		query = "SELECT to_regclass('person') IS NOT NULL"
	}
	var found bool
	err := db.read.QueryRowContext(ctx, query).Scan(&found)
	if err == nil && found {
		err = db.read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM person) OR EXISTS (SELECT 1 FROM federation)").Scan(&found)
	}
	if err != nil {
		return false, fault(fmt.Errorf("looking for an instance in the database: %w", err))
	}
	return !found, nil
}
