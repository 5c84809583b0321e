package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
)

// Own makes this process the only server on the database until [DB.Close]. Commands and keepers do not need to own it. If
// another server does, the error is [domain.Conflict] and names its process. A server that is stopping is waited for as long as it
// said; waits is called with its name and that time, again and again.
//
// On PostgreSQL the lock belongs to a session. A pooler that does not keep sessions is refused as [domain.Invalid]. The session may
// drop: call [DB.Fence] when the schema is there, and run [DB.KeepOwned] beside what writes.
func (db *DB) Own(ctx context.Context, waits func(owner string, until time.Time)) error {
	take, holder := db.ownFile, func() filelock.Holder { return filelock.Read(db.file + ".lock") }
	if db.engine == "postgres" {
		take, holder = db.ownSession, func() (h filelock.Holder) { h, _ = db.sessionHolder(ctx); return h }
	}
	err := filelock.WaitForStop(ctx, take, func() time.Time {
		h := holder()
		if !h.Stopping.IsZero() {
			waits(h.String(), h.Stopping)
		}
		return h.Stopping
	})
	if errors.Is(err, filelock.ErrHeld) {
		return domain.Errorf(domain.Conflict, "Another BlossomTune server (%s) uses this database.", holder()).
			Fix("Stop it first, or choose another database with --database.")
	}
	return err
}

func (db *DB) ownFile(context.Context) error {
	l, err := filelock.Take(db.file + ".lock")
	if err == nil {
		db.release, db.noteStop = l.Release, func(_ context.Context, until time.Time) error { return l.Stopping(until) }
	}
	return err
}

// Stopping tells other servers that this one, which owns the database, is stopping and until when it may take.
func (db *DB) Stopping(ctx context.Context, until time.Time) error {
	if db.noteStop == nil {
		return nil
	}
	return db.noteStop(ctx, until)
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
