package backup

import (
	"archive/tar"
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
	"blossomtune/internal/store/pgdump"
)

// RollbackOptions say what is rolled back.
type RollbackOptions struct {
	Data     string // the data directory, absolute
	Database string // its address
	Keys     Keys
	Discard  bool // also where the new version has served requests since, whose changes are lost
	Clock    domain.Clock
}

// RolledBack says what a rollback did.
type RolledBack struct {
	Upgrade   Upgrade
	Unchanged bool   // the database was still as before the upgrade
	Kept      string // where the replaced database is
}

// RollbackFile is a file that a rollback leaves in the data directory. The next start of the server puts it in the audit.
const RollbackFile = "rolledback.json"

// RollBack brings the database of a data directory back to what it was before the newest upgrade, from the backup that the server made
// then. Nothing else is changed, so keepers and runs continue. The server must not be running. The replaced database is kept.
func RollBack(ctx context.Context, o RollbackOptions) (r RolledBack, err error) {
	u, found, err := ReadUpgrade(o.Data)
	switch {
	case err != nil:
		return r, err
	case !found:
		return r, domain.Errorf(domain.NotFound, "No upgrade of %s is known that could be rolled back.", o.Data).
			Fix("Check --data. To restore a backup, name its file: blossomtune restore FILE.")
	case !u.Served.IsZero() && !o.Discard:
		return r, domain.Errorf(domain.Conflict, "Version %s has been used since %s. A rollback loses all changes since then.",
			u.Server, u.Served.Format("2006-01-02 15:04 UTC")).Fix("Back the server up first. Then give --discard-changes as well.")
	}
	r.Upgrade = u
	db, err := store.OpenExisting(ctx, o.Database)
	if err != nil {
		return r, err
	}
	defer db.Close()
	if err := db.Own(ctx, func(string, time.Time) {}); err != nil {
		return r, err
	}
	now, err := db.Schema(ctx)
	if err != nil {
		return r, err
	}
	r.Unchanged = len(now.Applied) == len(u.From.Applied) && now.Includes(u.From)
	if !r.Unchanged {
		if r.Kept, err = putBack(ctx, o, filepath.Join(o.Data, Folder, u.File)); err != nil {
			return r, err
		}
	}
	return r, noteRollback(o, r)
}

func noteRollback(o RollbackOptions, r RolledBack) error {
	if !r.Unchanged {
		b, err := json.Marshal(map[string]string{"file": r.Upgrade.File, "backup_of": r.Upgrade.Made.Format(time.RFC3339),
			"version": r.Upgrade.Server, "kept": r.Kept})
		if err == nil {
			err = os.WriteFile(filepath.Join(o.Data, RollbackFile), b, 0o600)
		}
		if err != nil {
			return fmt.Errorf("noting the rollback: %w", err)
		}
	}
	return ForgetUpgrade(o.Data)
}

// ReadRollback returns the detail of a rollback that is not in the audit yet; nil where there is none.
func ReadRollback(data string) (detail map[string]string, err error) {
	b, err := os.ReadFile(filepath.Join(data, RollbackFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &detail)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", RollbackFile, err)
	}
	return detail, nil
}

// RemoveRollback removes the file that tells of a rollback.
func RemoveRollback(data string) error { return os.Remove(filepath.Join(data, RollbackFile)) }

// putBack replaces the database by that of a backup, which it verifies first, and tells where the replaced one is.
func putBack(ctx context.Context, o RollbackOptions, file string) (kept string, err error) {
	report, err := inspect(ctx, file, o.Keys, filepath.Join(o.Data, Folder))
	if err != nil {
		return "", err
	}
	target := store.SQLiteFile(o.Database)
	if err := fits(report.Manifest.About, target != ""); err != nil {
		return "", err
	}
	if target == "" {
		load := pgdump.Load{Dump: report.Manifest.Database, Replace: true}
		err = pgdump.Restore(ctx, o.Database, load, func(table func(string, io.Reader) error) error {
			_, err := read(ctx, file, o.Keys, databaseOnly{table: table})
			return err
		})
		return "the schema " + pgdump.ReplacedSchema + " of the database", full(err)
	}
	work, err := workDir(o.Data, "")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	copied := filepath.Join(work, "server.db")
	if _, err := read(ctx, file, o.Keys, databaseOnly{file: copied}); err != nil {
		return "", full(err)
	}
	kept = filepath.Join(o.Data, Folder, "replaced-"+o.Clock().UTC().Format("20060102T150405.000")+".db")
	if err := store.CopySQLite(ctx, target, kept); err != nil {
		return "", full(err)
	}
	return kept, full(store.OverwriteSQLite(ctx, copied, target))
}

// databaseOnly takes the database out of a backup.
type databaseOnly struct {
	file  string                        // where that of SQLite goes
	table func(string, io.Reader) error // loads a table of PostgreSQL
}

func (d databaseOnly) begin(About) error { return nil }

func (d databaseOnly) take(h *tar.Header, r io.Reader) error {
	if table, isTable := tableOf(h.Name); isTable && d.table != nil {
		if err := d.table(table, r); err != nil {
			return err
		}
	}
	if h.Name == sqliteName && d.file != "" {
		return synced(d.file, 0o600, r)
	}
	_, err := io.Copy(io.Discard, r)
	return err
}
