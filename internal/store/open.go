// Package store is the only place that knows SQL. It keeps everything in SQLite or PostgreSQL, with one set of queries for both:
// $1 placeholders, ON CONFLICT and RETURNING are the same in either, so no generated layer stands between a query and its noun.
//
// Times are Unix milliseconds, UTC; booleans 0 or 1; Flower's uint64 ids their two's complement.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations
var migrations embed.FS

// readers is how many connections read an SQLite database side by side; one more writes.
const readers = 4

// pgConns bounds the connections to PostgreSQL of those who read, and of those who write.
const pgConns = 10

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine string // "sqlite" or "postgres"
	write  *sql.DB
	read   *sql.DB
	turn   chan struct{} // held by the one transaction that runs again

	file    string // of SQLite
	fileID  string // as it was when it was opened
	address string // of PostgreSQL
	session *session

	release  func() error                                     // of what [DB.Own] took
	noteStop func(ctx context.Context, until time.Time) error // likewise
	health   health
	tallies  tallies
}

// Open opens the database at an address: "sqlite:FILE" or "postgres://…". It does not migrate; see [DB.Migrate].
//
// Several processes may open the same SQLite file (the server, and each keeper for [DB.Record]): WAL lets readers go on,
// and a busy writer is waited for up to ten seconds. synchronous is FULL, because a committed row must outlive a power cut
// when the engine has been told already.
func Open(ctx context.Context, address string) (*DB, error) { return open(ctx, address, true) }

// OpenExisting is [Open] for a database that must exist already: a missing or empty SQLite file is a [domain.NotFound] error, and
// no file is created.
func OpenExisting(ctx context.Context, address string) (*DB, error) { return open(ctx, address, false) }

func open(ctx context.Context, address string, create bool) (*DB, error) {
	switch scheme, rest, _ := strings.Cut(address, ":"); scheme {
	case "sqlite":
		if st, err := os.Stat(rest); !create && (errors.Is(err, fs.ErrNotExist) || err == nil && st.Size() == 0) {
			return nil, domain.Errorf(domain.NotFound, "The database file %s is missing or empty.", rest).
				Fix("Restore it from a backup, or check --database. To start a new instance, choose an empty --data directory.")
		}
		return openSQLite(ctx, rest)
	case "postgres", "postgresql":
		return openPostgres(ctx, address)
	}
	return nil, domain.Errorf(domain.Invalid, "The database address begins with neither sqlite: nor postgres://.").
		Fix("Set --database to sqlite:FILE or postgres://user@host/name.")
}

func sqliteDSN(path string, busy time.Duration, extra string) string {
	// busy_timeout first: the pragmas after it can find the file locked.
	return fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)%s",
		(&url.URL{Path: path}).EscapedPath(), busy.Milliseconds(), extra)
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making the database's directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // before SQLite makes it for all to read
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	f.Close()
	write, err := sql.Open("sqlite", sqliteDSN(path, 10*time.Second, "&_txlock=immediate"))
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", sqliteDSN(path, 10*time.Second, "&_pragma=query_only(1)"))
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("opening database: %w", err)
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	db := &DB{engine: "sqlite", write: write, read: read, turn: make(chan struct{}, 1), file: path, fileID: filelock.DirID(path)}
	if err := write.PingContext(ctx); err != nil {
		db.Close()
		return nil, fault(fmt.Errorf("opening database %s: %w", path, err))
	}
	return db, nil
}

func openPostgres(ctx context.Context, address string) (*DB, error) {
	if _, err := pgx.ParseConfig(address); err != nil { // not kept as the cause: it quotes the address, and with it parts of a password
		return nil, domain.Errorf(domain.Invalid, "The PostgreSQL address cannot be read.").
			Fix("Check --database; in user name and password, write @ as %%40, / as %%2F, ? as %%3F, # as %%23 and %% as %%25.")
	}
	// Two pools: writers that wait for a lock leave the readers' connections alone.
	var pools [2]*sql.DB
	for i := range pools {
		pool, err := sql.Open("pgx", address)
		if err != nil {
			return nil, fmt.Errorf("opening database: %w", err)
		}
		pool.SetMaxOpenConns(pgConns)
		pool.SetMaxIdleConns(pgConns)
		pools[i] = pool
	}
	db := &DB{engine: "postgres", read: pools[0], write: pools[1], turn: make(chan struct{}, 1), address: address, session: newSession()}
	if err := db.read.PingContext(ctx); err != nil {
		db.Close()
		return nil, domain.Errorf(domain.Unavailable, "PostgreSQL does not answer.").Fix("Check --database and that the server runs.").
			Because(err)
	}
	return db, nil
}

// Close closes the database.
func (db *DB) Close() error {
	errs := []error{db.read.Close()}
	if db.read != db.write {
		errs = append(errs, db.write.Close())
	}
	if db.release != nil {
		errs = append(errs, db.release())
	}
	return errors.Join(errs...)
}

// Migrations returns the migrations of an engine, "sqlite" or "postgres".
func Migrations(engine string) (fs.FS, error) { return fs.Sub(migrations, "migrations/"+engine) }

func (db *DB) provider() (*goose.Provider, error) {
	dir, err := Migrations(db.engine)
	if err != nil {
		return nil, err
	}
	dialect := goose.DialectSQLite3
	if db.engine == "postgres" {
		dialect = goose.DialectPostgres
	}
	// Branches meet in any order, so a database may have a later migration before an earlier one comes to it.
	return goose.NewProvider(dialect, db.write, dir, goose.WithAllowOutofOrder(true))
}

// Migrate brings the schema up to date, each migration in a transaction of its own. A database that a newer version has
// migrated is refused with a [domain.Conflict] error, a damaged or locked one with a [domain.Unavailable] error.
func (db *DB) Migrate(ctx context.Context) error { return fault(db.migrate(ctx)) }

func (db *DB) migrate(ctx context.Context) error {
	if err := db.quickCheck(ctx); err != nil {
		return err
	}
	p, err := db.provider()
	if err != nil {
		return fmt.Errorf("reading migrations: %w", err)
	}
	if err := refuseNewer(ctx, p); err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	if err := db.chainAudit(ctx); err != nil {
		return err
	}
	return db.normalAddresses(ctx)
}

// refuseNewer refuses the database of a newer version.
func refuseNewer(ctx context.Context, p *goose.Provider) error {
	current, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	sources := p.ListSources()
	if newest := sources[len(sources)-1].Version; current > newest {
		return domain.Errorf(domain.Conflict, "The database was made by a newer version of BlossomTune (schema %d, this one knows %d).", current,
			newest).
			Fix("Start the newer version, or restore a backup.")
	}
	return nil
}
