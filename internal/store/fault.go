package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Fault returns err with cause and remedy where it is about the database as a whole, for packages that reach a database by themselves.
func Fault(err error) error { return fault(err) }

// fault returns err with cause and remedy where it is about the database as a whole: damaged, locked, full, unreachable. It
// returns other errors unchanged. The texts name no path, because strangers may read them.
func fault(err error) error {
	var known *domain.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if message, remedy := faultWords(err); message != "" {
		return domain.Errorf(domain.Unavailable, "%s", message).Fix("%s", remedy).Because(err)
	}
	return err
}

func faultWords(err error) (message, remedy string) {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &lite):
		return sqliteWords(lite.Code() & 0xff) // without the extended code
	case errors.As(err, &pg):
		return postgresWords(pg.Code)
	}
	return "", ""
}

const recovery = "Stop the server, then restore the database from a backup. To save what can still be read, use the .recover command of " +
	"the sqlite3 shell on a copy."

func sqliteWords(code int) (message, remedy string) {
	switch code {
	case sqlite3.SQLITE_NOTADB:
		return "The database file is not an SQLite database, or its beginning is damaged.",
			"Check --database. If the file is the right one, restore it from a backup."
	case sqlite3.SQLITE_CORRUPT:
		return "The database is damaged.", recovery
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "Another program has locked the database.", "End the program that has it open, such as an sqlite3 shell or a backup job."
	case sqlite3.SQLITE_FULL:
		return "The disk that holds the database is full.", "Free some space. The server then continues automatically."
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return "The database is read-only for this server.", "Give the server's user write access to the database file and its directory."
	case sqlite3.SQLITE_CANTOPEN:
		return "The database file cannot be opened.", "Check that it and its directory exist and belong to the server's user."
	case sqlite3.SQLITE_IOERR:
		return "Reading or writing the database file failed.", "Check the disk and its file system."
	}
	return "", ""
}

func postgresWords(code string) (message, remedy string) {
	switch code {
	case "XX001", "XX002":
		return "PostgreSQL reports damaged data.", "Restore the database from a backup; PostgreSQL's log has the details."
	case "55P03":
		return "Another program has locked the database.", "End its transaction; pg_stat_activity lists those that are open."
	case "57P03":
		return "PostgreSQL is starting or stopping.", "Try again in a moment."
	case "53300":
		return "PostgreSQL accepts no more connections.", "Raise max_connections, or close other programs' connections."
	case "53100":
		return "The disk that holds the database is full.", "Free some space. The server then continues automatically."
	case "25006":
		return "The database is read-only.", "Check that --database names the primary server, not a replica."
	}
	return "", ""
}

// health remembers what is wrong with the database, for [DB.Ready].
type health struct {
	mu      sync.Mutex
	damage  error // seen by a transaction; only a restart after a repair clears it
	checked time.Time
	last    error
}

// noteDamage remembers an error that says that the database is damaged.
func (h *health) noteDamage(err error) {
	var lite *sqlite.Error
	var pg *pgconn.PgError
	if errors.As(err, &lite) && (lite.Code()&0xff == sqlite3.SQLITE_CORRUPT || lite.Code()&0xff == sqlite3.SQLITE_NOTADB) ||
		errors.As(err, &pg) && (pg.Code == "XX001" || pg.Code == "XX002") {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.damage = fault(err)
	}
}

const (
	readyEvery = time.Second     // strangers may ask; each check takes the write lock for a moment
	readyWait  = 2 * time.Second // for the write lock
)

// Ready reports whether the database can be read and written now. Its error has cause and remedy, without paths. Answers are up
// to a second old.
func (db *DB) Ready(ctx context.Context) error {
	if err := db.lostTo(); err != nil {
		return err
	}
	h := &db.health
	h.mu.Lock()
	damage, checked, last := h.damage, h.checked, h.last
	h.mu.Unlock()
	if damage != nil {
		return damage
	}
	if time.Since(checked) < readyEvery {
		return last
	}
	err := db.probe(ctx)
	if ctx.Err() == nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.checked, h.last = time.Now(), err
	}
	return err
}

func (db *DB) probe(ctx context.Context) error {
	if db.engine == "postgres" {
		ctx, cancel := context.WithTimeout(ctx, readyWait)
		defer cancel()
		if err := db.read.PingContext(ctx); err != nil {
			if err := fault(err); domain.CodeOf(err) == domain.Unavailable {
				return err
			}
			return domain.Errorf(domain.Unavailable, "PostgreSQL does not answer.").Fix("Check that it runs and that this server reaches it.").
				Because(err)
		}
		return nil
	}
	if db.file != "" && filelock.DirID(db.file) != db.fileID {
		return domain.Errorf(domain.Unavailable, "The database file was removed or replaced while the server runs.").
			Fix("Stop the server, put the file back, and start it again.")
	}
	return db.probeSQLite(ctx)
}

// probeSQLite takes the write lock on a connection of its own: the pool's writer may be waiting for that very lock.
func (db *DB) probeSQLite(ctx context.Context) error {
	one, err := sql.Open("sqlite", sqliteDSN(db.file, readyWait, "&_txlock=immediate"))
	if err != nil {
		return fmt.Errorf("opening database: %w", err)
	}
	defer one.Close()
	q, err := one.BeginTx(ctx, nil)
	if err != nil {
		return fault(fmt.Errorf("beginning transaction: %w", err))
	}
	return q.Rollback()
}

// checkWait bounds the check of a large database at the start: what it does not find by then, transactions will.
const checkWait = 5 * time.Second

// Check looks for damage in an SQLite file, for five seconds at most, and refuses a schema that this version does not know. Errors have
// cause and remedy: [domain.Unavailable] for damage, [domain.Conflict] for the schema.
func (db *DB) Check(ctx context.Context) error {
	if err := db.quickCheck(ctx); err != nil {
		return fault(err)
	}
	p, err := db.provider()
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	return fault(refuseNewer(ctx, p))
}

// quickCheck looks for damage in an SQLite file.
func (db *DB) quickCheck(ctx context.Context) error {
	if db.engine != "sqlite" {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	var found string
	err := db.read.QueryRowContext(limited, "PRAGMA quick_check(1)").Scan(&found)
	switch {
	case err != nil && limited.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("checking the database: %w", err)
	case found != "ok":
		return domain.Errorf(domain.Unavailable, "The database is damaged.").Fix("%s", recovery).Because(errors.New(found))
	}
	return nil
}
