package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"blossomtune/internal/domain"

	"github.com/pressly/goose/v3"
)

// Dump describes a copy of a database. Tables and Sequences are set for PostgreSQL only: an SQLite copy is a database itself.
type Dump struct {
	Engine    string         `json:"engine"` // "sqlite" or "postgres"
	Version   string         `json:"version"`
	Schema    int64          `json:"schema"` // the newest migration
	Applied   []int64        `json:"applied"`
	Link      []int64        `json:"link,omitempty"` // migrations of the SuperLinks' tables, where the database has them
	Instance  string         `json:"instance"`
	Audited   bool           `json:"audited"` // whether this schema has a chain of audit entries
	Tables    []DumpTable    `json:"tables,omitempty"`
	Sequences []DumpSequence `json:"sequences,omitempty"`
}

// DumpTable is a table of a dump, and its columns in the order of its rows.
type DumpTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
}

// DumpSequence is where a sequence stands.
type DumpSequence struct {
	Name   string `json:"name"`
	Last   int64  `json:"last"`
	Called bool   `json:"called"`
}

// SQLiteFile returns the file of an SQLite address, and "" for another address.
func SQLiteFile(address string) string {
	if scheme, rest, _ := strings.Cut(address, ":"); scheme == "sqlite" {
		return rest
	}
	return ""
}

// CopySQLite writes a consistent copy of the SQLite database at from into the new file to. Other processes can write meanwhile.
func CopySQLite(ctx context.Context, from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("copying a database: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: from}).EscapedPath()+"?mode=rw&_pragma=busy_timeout(10000)")
	if err != nil {
		return fmt.Errorf("copying a database: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "VACUUM INTO $1", to); err != nil {
		return fault(fmt.Errorf("copying the database %s: %w", from, err))
	}
	return nil
}

// openCopy opens a copy that nothing else has open, for reading.
func openCopy(path string) (*DB, error) {
	q, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&immutable=1")
	if err != nil {
		return nil, fmt.Errorf("opening the copy: %w", err)
	}
	return &DB{engine: "sqlite", read: q, write: q, turn: make(chan struct{}, 1)}, nil
}

// DescribeSQLite reads what a copy of a server's SQLite database is. An error means that it is not such a copy.
func DescribeSQLite(ctx context.Context, path string) (d Dump, err error) {
	db, err := openCopy(path)
	if err != nil {
		return d, err
	}
	defer db.Close()
	d.Engine = "sqlite"
	err = db.View(ctx, func(tx *Tx) error {
		if err := tx.q.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&d.Version); err != nil {
			return err
		}
		return tx.describeDump(ctx, &d, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = $1)")
	})
	return d, err
}

// describeDump reads what a database is. exists asks whether a table exists.
func (tx *Tx) describeDump(ctx context.Context, d *Dump, exists string) (err error) {
	has := func(table string) (found bool, err error) {
		err = tx.q.QueryRowContext(ctx, exists, table).Scan(&found)
		return found, err
	}
	version := func(s scanner) (v int64, err error) { return v, s.Scan(&v) }
	if found, err := has("goose_db_version"); err != nil || !found {
		return errors.Join(err, ignoreNil(found, domain.Errorf(domain.Invalid, "The database is not one of a BlossomTune server.")))
	}
	d.Applied, err = list(ctx, tx, "migration", version,
		"SELECT DISTINCT version_id FROM goose_db_version WHERE is_applied AND version_id > 0 ORDER BY version_id")
	if err != nil {
		return err
	}
	if n := len(d.Applied); n > 0 {
		d.Schema = d.Applied[n-1]
	}
	if found, err := has("link_version"); err != nil {
		return err
	} else if found {
		d.Link, err = list(ctx, tx, "migration", version,
			"SELECT DISTINCT version_id FROM link_version WHERE is_applied AND version_id > 0 ORDER BY version_id")
		if err != nil {
			return err
		}
	}
	if d.Audited, err = has("audit_head"); err != nil {
		return err
	}
	if found, err := has("setting"); err != nil || !found {
		return err
	}
	d.Instance, err = tx.Setting(ctx, "instance")
	return err
}

func ignoreNil(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// CheckSQLite checks the pages and the audit's chain of a copy of an SQLite database. The verdict is empty where its schema has no chain.
func CheckSQLite(ctx context.Context, path string, audited bool) (v domain.AuditVerdict, err error) {
	db, err := openCopy(path)
	if err != nil {
		return v, err
	}
	defer db.Close()
	var found string
	if err := db.read.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&found); err != nil {
		return v, fault(fmt.Errorf("checking the copy: %w", err))
	}
	if found != "ok" {
		return v, domain.Errorf(domain.Invalid, "The copy of the database is damaged.").Fix("Use another backup.").Because(errors.New(found))
	}
	if !audited {
		return v, nil
	}
	err = db.View(ctx, func(tx *Tx) error { v, err = tx.CheckAudit(ctx); return err })
	return v, err
}

// Pending reports whether [DB.Migrate] would change the schema of a database that holds an instance.
func (db *DB) Pending(ctx context.Context) (bool, error) {
	if blank, err := db.Blank(ctx); err != nil || blank {
		return false, err
	}
	p, err := db.provider()
	if err != nil {
		return false, fmt.Errorf("reading migrations: %w", err)
	}
	pending, err := p.HasPending(ctx)
	if err != nil {
		return false, fault(fmt.Errorf("reading the schema's version: %w", err))
	}
	return pending, nil
}

// Knows returns an error if this program cannot restore a dump: a newer one made it.
func Knows(d Dump) error {
	files, err := fs.Glob(migrations, "migrations/"+d.Engine+"/*.sql")
	if err != nil {
		return err
	}
	known := map[int64]bool{}
	for _, f := range files {
		v, err := goose.NumericComponent(f)
		if err != nil {
			return err
		}
		known[v] = true
	}
	for _, v := range d.Applied {
		if !known[v] {
			return domain.Errorf(domain.Conflict, "The backup has a schema (%d) that this version of BlossomTune does not know.", d.Schema).
				Fix("Restore it with the version that made it, or with a newer one.")
		}
	}
	return nil
}
