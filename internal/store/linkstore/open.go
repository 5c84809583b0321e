// Package linkstore keeps the state of the federations' SuperLinks ([blossomtune/internal/flower/superlink]): in an SQLite file of its own
// per federation, or in tables of the PostgreSQL database, where each federation has its rows.
package linkstore

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

	"blossomtune/internal/domain"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations
var migrations embed.FS

// versions is the table of this schema's version; the database can hold others.
const versions = "link_version"

// Store is the state of one federation's SuperLink. It is safe for concurrent use.
type Store struct {
	fedID int64
	write *sql.DB
	read  *sql.DB
	ready map[string]*sql.Stmt // on write, by their text
}

// Open opens the state of a federation's SuperLink, and makes it where there is none: at "sqlite:FILE" or "postgres://…".
//
// With SQLite, what is committed survives the end of the process; after a power cut the newest commits may be missing, and SuperNodes and
// ServerApp send again what they were not told is safe.
func Open(ctx context.Context, address string, fedID int64) (*Store, error) {
	s := &Store{fedID: fedID}
	var err error
	switch scheme, rest, _ := strings.Cut(address, ":"); scheme {
	case "sqlite":
		err = s.openSQLite(ctx, rest)
	case "postgres", "postgresql":
		err = s.openPostgres(ctx, address)
	default:
		return nil, domain.Errorf(domain.Invalid, "The address of the SuperLink's store begins with neither sqlite: nor postgres://.")
	}
	if err == nil {
		err = s.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the store.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

func (s *Store) openSQLite(ctx context.Context, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the SuperLink's directory: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) // before SQLite makes it for all to read
	if err != nil {
		return fmt.Errorf("opening the SuperLink's store: %w", err)
	}
	f.Close()
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)"
	if s.write, err = sql.Open("sqlite", dsn+"&_txlock=immediate"); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)"); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(2)
	return s.migrate(ctx, goose.DialectSQLite3, "sqlite")
}

func (s *Store) openPostgres(ctx context.Context, address string) (err error) {
	if s.write, err = sql.Open("pgx", address); err != nil {
		return domain.Errorf(domain.Invalid, "The PostgreSQL address cannot be read.") // the cause would quote it
	}
	s.write.SetMaxOpenConns(2)
	if s.read, err = sql.Open("pgx", address); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(4)
	locker, err := lock.NewPostgresSessionLocker() // keepers of several federations may start at once
	if err != nil {
		return err
	}
	return s.migrate(ctx, goose.DialectPostgres, "postgres", goose.WithSessionLocker(locker))
}

// migrate brings the schema to this version.
func (s *Store) migrate(ctx context.Context, dialect goose.Dialect, dir string, opts ...goose.ProviderOption) error {
	sources, err := fs.Sub(migrations, "migrations/"+dir)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, s.write, sources, append(opts, goose.WithTableName(versions))...)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating the SuperLink's store: %w", err)
	}
	return nil
}

// Schema makes the tables at the given migrations in an empty PostgreSQL schema, for a restore. A migration that this program does not
// know is an error.
func Schema(ctx context.Context, db *sql.DB, applied []int64) error {
	sources, err := fs.Sub(migrations, "migrations/postgres")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectPostgres, db, sources, goose.WithTableName(versions))
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	for _, v := range applied {
		if _, err := p.ApplyVersion(ctx, v, true); err != nil {
			return fmt.Errorf("making the SuperLinks' tables: %w", err)
		}
	}
	return nil
}
