package backup

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// Report is what a check of a backup found.
type Report struct {
	Manifest Manifest
	Audit    domain.AuditVerdict // empty where the schema of the backup has no chain
}

// Verify reads a whole backup, checks the hash of every entry, and checks that its database opens and that its audit's chain is whole. The
// database is unpacked into a temporary directory for that. Damage is a [domain.Invalid] error that names the place.
func Verify(ctx context.Context, path string, k Keys) (Report, error) {
	r, err := inspect(ctx, path, k, "")
	if err == nil {
		err = r.judge()
	}
	return r, err
}

// judge returns an error if the audit in the backup is not whole.
func (r Report) judge() error {
	if !r.Manifest.Database.Audited || r.Audit.Whole() {
		return nil
	}
	return domain.Errorf(domain.Invalid, "The audit in the backup is not whole: %s.", where(r.Audit)).
		Fix("The entries were changed before the backup was made. Compare with an older backup.")
}

// inspect is [Verify] without a judgement on the audit: what is wrong with it was wrong in the database as well, and must not stand in the
// way of a backup or an upgrade. The database is unpacked into a directory that is removed again, in work; "": where temporary files are.
func inspect(ctx context.Context, path string, k Keys, work string) (Report, error) {
	name := "blossomtune-verify-"
	if work != "" {
		name = workPrefix + "verify-"
	}
	dir, err := os.MkdirTemp(work, name)
	if err != nil {
		return Report{}, full(fmt.Errorf("making a temporary directory: %w", err))
	}
	defer os.RemoveAll(dir)
	c := &checker{ctx: ctx, copied: filepath.Join(dir, "server.db")}
	m, err := read(ctx, path, k, c)
	if err != nil {
		return Report{}, err
	}
	v, err := c.audit()
	return Report{Manifest: m, Audit: v}, err
}

// checker checks the database of a backup.
type checker struct {
	ctx    context.Context
	copied string // where an SQLite database is unpacked; the caller removes it
	about  About
	chain  *store.DumpChain // of PostgreSQL
	tables int
	found  bool
}

func (c *checker) begin(a About) error {
	c.about = a
	c.chain = store.NewDumpChain(a.Database)
	return nil
}

func (c *checker) take(h *tar.Header, r io.Reader) (err error) {
	table, isTable := tableOf(h.Name)
	switch {
	case h.Name == sqliteName:
		c.found = true
		err = writeFile(c.copied, r)
	case isTable && c.chain.Needs(table):
		c.tables++
		err = c.chain.Take(table, r)
	case isTable:
		c.tables++
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return err
}

// tableOf returns the table of PostgreSQL that an entry holds.
func tableOf(name string) (string, bool) {
	rest, isDatabase := strings.CutPrefix(name, tablePrefix)
	table, isTable := strings.CutSuffix(rest, tableSuffix)
	return table, isDatabase && isTable
}

// audit checks the database after everything was read.
func (c *checker) audit() (v domain.AuditVerdict, err error) {
	d := c.about.Database
	switch {
	case d.Engine == "sqlite" && !c.found, d.Engine != "sqlite" && c.tables != len(d.Tables):
		return v, damaged("at its database, which is not complete", nil)
	case d.Engine == "sqlite":
		v, err = store.CheckSQLite(c.ctx, c.copied, d.Audited)
	default:
		v = c.chain.Verdict()
	}
	return v, err
}

func where(v domain.AuditVerdict) string {
	if v.Fault != 0 {
		return fmt.Sprintf("entry %d does not fit", v.Fault)
	}
	return "entries are missing at its end, or their recorded number was changed"
}

// writeFile writes a new file, readable only by its owner.
func writeFile(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	_, err = io.Copy(f, r)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return full(err)
}
