package storetest

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/store"
	"blossomtune/internal/testflwr"

	"github.com/pressly/goose/v3"
)

// Versioned is a database that a test migrates step by step, as the server's earlier versions did.
type Versioned struct {
	Address string
	t       testing.TB
	db      *sql.DB
	p       *goose.Provider
}

// AtVersions opens an empty database for migrating step by step.
func AtVersions(t testing.TB, address string) *Versioned {
	t.Helper()
	driver, source, dialect, dir := "pgx", address, goose.DialectPostgres, "postgres"
	if file := store.SQLiteFile(address); file != "" {
		driver, source, dialect, dir = "sqlite", "file:"+file+"?_pragma=foreign_keys(1)&_pragma=journal_mode(WAL)", goose.DialectSQLite3, "sqlite"
	}
	v := &Versioned{Address: address, t: t}
	var err error
	if v.db, err = sql.Open(driver, source); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.db.Close() })
	files := os.DirFS(filepath.Join(testflwr.Root(t), "internal", "store", "migrations", dir))
	if v.p, err = goose.NewProvider(dialect, v.db, files); err != nil {
		t.Fatal(err)
	}
	return v
}

// All are the versions that the schema ever had, the first one first.
func (v *Versioned) All() (out []int64) {
	for _, s := range v.p.ListSources() {
		out = append(out, s.Version)
	}
	return out
}

// To migrates up to a version.
func (v *Versioned) To(version int64) {
	v.t.Helper()
	if _, err := v.p.UpTo(v.t.Context(), version); err != nil {
		v.t.Fatal(err)
	}
}

// Exec runs statements, separated by semicolons at the end of a line.
func (v *Versioned) Exec(statements string) {
	v.t.Helper()
	for _, one := range strings.Split(statements, ";\n") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		if _, err := v.db.ExecContext(v.t.Context(), one); err != nil {
			v.t.Fatalf("%v in %s", err, one)
		}
	}
}

// Close closes the database.
func (v *Versioned) Close() { v.db.Close() }
