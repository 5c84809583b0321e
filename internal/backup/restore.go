package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/linkstore"
	"blossomtune/internal/store/pgdump"
)

// RestoreOptions say what is restored where.
type RestoreOptions struct {
	File     string
	Keys     Keys
	Data     string // the data directory, absolute; it must be empty or not exist
	Database string // the address of an empty database
	Clock    domain.Clock
}

// MarkFile is a file that a restore leaves in the data directory. The next start of the server reads it; see [ReadMark].
const MarkFile = "restored.json"

// Mark says what a data directory was restored from.
type Mark struct {
	Made     time.Time `json:"made"`
	Restored time.Time `json:"restored"`
}

// ReadMark returns the mark of a restored directory that the server has not started on yet; found is false where there is none.
func ReadMark(data string) (m Mark, found bool, err error) {
	b, err := os.ReadFile(filepath.Join(data, MarkFile))
	if errors.Is(err, fs.ErrNotExist) {
		return m, false, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, false, fmt.Errorf("reading %s: %w", MarkFile, err)
	}
	return m, true, nil
}

// RemoveMark removes the mark.
func RemoveMark(data string) error { return os.Remove(filepath.Join(data, MarkFile)) }

// Restore restores a backup into an empty data directory and an empty database. The data directory and the database appear under their names
// when everything is there and the whole backup is verified; after an error nothing of them is left.
//
// The restored server gets new keepers: their ports, keys and records are not part of a backup.
func Restore(ctx context.Context, o RestoreOptions) (Report, error) {
	file := store.SQLiteFile(o.Database)
	if err := errors.Join(emptyDir(o.Data), emptyDatabase(ctx, o, file)); err != nil {
		if e := known(err); e != nil {
			return Report{}, e
		}
		return Report{}, err
	}
	if file != "" {
		return restoreSQLite(ctx, o, file)
	}
	return restorePostgres(ctx, o)
}

// restoreSQLite reads the backup once: it verifies while it unpacks, beside the data directory.
func restoreSQLite(ctx context.Context, o RestoreOptions, file string) (r Report, err error) {
	u, err := newUnpacker(o, file)
	if err != nil {
		return r, err
	}
	defer u.remove()
	if r.Manifest, err = read(ctx, o.File, o.Keys, u); err != nil {
		return r, full(err)
	}
	c := &checker{ctx: ctx, copied: u.stage, about: r.Manifest.About, found: u.database}
	if r.Audit, err = c.audit(); err == nil {
		err = r.judge()
	}
	if err != nil {
		return r, err
	}
	return r, u.publish(r.Manifest)
}

// restorePostgres verifies the backup first: a table that is loaded cannot be read a second time for its check.
func restorePostgres(ctx context.Context, o RestoreOptions) (Report, error) {
	r, err := Verify(ctx, o.File, o.Keys)
	if err == nil {
		err = fits(r.Manifest.About, false)
	}
	if err != nil {
		return r, err
	}
	u, err := newUnpacker(o, "")
	if err != nil {
		return r, err
	}
	defer u.remove()
	load := pgdump.Load{Dump: r.Manifest.Database, Link: linkstore.Schema}
	err = pgdump.Restore(ctx, o.Database, load, func(table func(string, io.Reader) error) error {
		u.table = table
		_, err := read(ctx, o.File, o.Keys, u)
		return err
	})
	if err != nil {
		return r, full(err)
	}
	return r, u.publish(r.Manifest)
}

// known returns the first error in a chain that has a cause and a remedy for people; nil where there is none.
func known(err error) *domain.Error {
	var e *domain.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// fits returns an error if a backup does not belong into the kind of database that it is restored to.
func fits(a About, intoSQLite bool) error {
	if (a.Database.Engine == "sqlite") != intoSQLite {
		return domain.Errorf(domain.Conflict, "The backup is of another kind of database: %s.", a.Database.Engine).
			Fix("A backup of SQLite is restored to SQLite, one of PostgreSQL to PostgreSQL. Set --database accordingly.")
	}
	return store.Knows(a.Database)
}

func emptyDir(dir string) error {
	found, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return domain.Errorf(domain.Invalid, "%s cannot be read as a directory.",
			dir).Fix("Name an empty or new directory with --data.").Because(err)
	}
	if len(found) > 0 {
		return domain.Errorf(domain.Conflict, "The directory %s is not empty.", dir).
			Fix("Name an empty or new directory with --data.")
	}
	return nil
}

func emptyDatabase(ctx context.Context, o RestoreOptions, file string) error {
	if file == "" {
		return pgdump.Empty(ctx, o.Database)
	}
	if info, err := os.Stat(file); err == nil && info.Size() > 0 {
		return domain.Errorf(domain.Conflict, "The database file %s exists.", file).Fix("Name a new file with --database, or leave it out.")
	}
	return nil
}
