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
	"path"
	"path/filepath"
	"slices"
	"strings"
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

// Restore restores a backup into an empty data directory and an empty database. The whole backup is verified before anything is written,
// and the data directory appears under its name when everything is there.
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
	report, err := Verify(ctx, o.File, o.Keys)
	if err != nil {
		return report, err
	}
	if err := fits(report.Manifest, file != ""); err != nil {
		return report, err
	}
	u, err := newUnpacker(o, file)
	if err != nil {
		return report, err
	}
	defer os.RemoveAll(u.dir)
	if file != "" {
		_, err = read(ctx, o.File, o.Keys, u)
	} else {
		load := pgdump.Load{Dump: report.Manifest.Database, Link: linkstore.Schema}
		err = pgdump.Restore(ctx, o.Database, load, func(table func(string, io.Reader) error) error {
			u.table = table
			_, err := read(ctx, o.File, o.Keys, u)
			return err
		})
	}
	if err != nil {
		return report, full(err)
	}
	return report, u.publish(report.Manifest)
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
func fits(m Manifest, intoSQLite bool) error {
	if (m.Database.Engine == "sqlite") != intoSQLite {
		return domain.Errorf(domain.Conflict, "The backup is of another kind of database: %s.", m.Database.Engine).
			Fix("A backup of SQLite is restored to SQLite, one of PostgreSQL to PostgreSQL. Set --database accordingly.")
	}
	return store.Knows(m.Database)
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

// unpacker writes the entries of a backup into a directory beside the data directory.
type unpacker struct {
	o      RestoreOptions
	dir    string // the directory, until it is renamed
	inside bool   // it is in the data directory, which cannot be renamed
	root   *os.Root
	file   string                        // where the SQLite database goes
	stage  string                        // where it is until then
	table  func(string, io.Reader) error // loads a table of PostgreSQL
}

func newUnpacker(o RestoreOptions, file string) (*unpacker, error) {
	parent, inside := filepath.Dir(o.Data), false
	// An empty directory makes room for the new one. One that cannot be removed, such as a mounted volume, is filled instead.
	if err := os.Remove(o.Data); err != nil && !errors.Is(err, fs.ErrNotExist) {
		parent, inside = o.Data, true
	}
	err := os.MkdirAll(parent, 0o700)
	var dir string
	if err == nil {
		dir, err = os.MkdirTemp(parent, ".blossomtune-restore-")
	}
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The directory %s cannot be written.",
			parent).Fix("Check its permissions, or choose another --data.").Because(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	u := &unpacker{o: o, dir: dir, inside: inside, root: root, file: file}
	if rel, err := filepath.Rel(o.Data, file); file != "" && err == nil && filepath.IsLocal(rel) {
		u.stage = filepath.Join(dir, rel)
	} else if file != "" {
		u.stage = file + ".restoring"
	}
	return u, nil
}

func (u *unpacker) begin(About) error { return nil }

func (u *unpacker) take(h *tar.Header, r io.Reader) error {
	if table, isTable := tableOf(h.Name); isTable {
		if u.table == nil {
			return damaged("at its tables", nil)
		}
		if err := u.table(table, r); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r)
		return err
	}
	if h.Name == sqliteName {
		_ = os.Remove(u.stage) // of a restore that was killed
		if err := os.MkdirAll(filepath.Dir(u.stage), 0o700); err != nil {
			return err
		}
		return synced(u.stage, 0o600, r)
	}
	name, ok := placeOf(h.Name)
	if !ok {
		return damaged(fmt.Sprintf("at %q, an entry that no backup has", h.Name), nil)
	}
	if err := u.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return fmt.Errorf("restoring %s: %w", name, err)
	}
	f, err := u.root.OpenFile(filepath.FromSlash(name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(h.Mode).Perm()|0o600)
	if err != nil {
		return fmt.Errorf("restoring %s: %w", name, err)
	}
	if err := fill(f, r); err != nil {
		return err
	}
	return u.root.Chtimes(filepath.FromSlash(name), h.ModTime, h.ModTime)
}

// placeOf returns where in the data directory an entry belongs.
func placeOf(entry string) (string, bool) {
	if name, ok := strings.CutPrefix(entry, dataPrefix); ok {
		return name, true
	}
	if name, ok := strings.CutPrefix(entry, outsidePart); ok {
		return path.Join(fromBackup, name), true
	}
	return "", false
}

func synced(path string, mode fs.FileMode, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	return fill(f, r)
}

// fill writes a file, syncs and closes it.
func fill(f *os.File, r io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{f}, r, make([]byte, 1<<20))
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	return nil
}

// publish gives everything its name.
func (u *unpacker) publish(m Manifest) error {
	b, err := json.Marshal(Mark{Made: m.Made, Restored: u.o.Clock().UTC()})
	if err == nil {
		err = synced(filepath.Join(u.dir, MarkFile), 0o600, strings.NewReader(string(b)))
	}
	_ = u.root.Close()
	if err != nil {
		return err
	}
	if outside := u.stage != "" && !strings.HasPrefix(u.stage, u.dir+string(filepath.Separator)); outside {
		if err := publish(u.stage, u.file); err != nil {
			return fmt.Errorf("naming the database: %w", err)
		}
	}
	if u.inside {
		return u.moveUp()
	}
	if err := publish(u.dir, u.o.Data); err != nil {
		return domain.Errorf(domain.Conflict, "The restored directory cannot be named %s.",
			u.o.Data).Fix("Name another directory with --data.").Because(err)
	}
	return nil
}

// moveUp moves everything up into the data directory. The database comes last: without it, no server starts on the directory.
func (u *unpacker) moveUp() error {
	entries, err := os.ReadDir(u.dir)
	if err != nil {
		return fmt.Errorf("naming the restored files: %w", err)
	}
	first := func(e os.DirEntry) bool { return u.stage != filepath.Join(u.dir, e.Name()) }
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int {
		switch {
		case first(a) == first(b):
			return 0
		case first(a):
			return -1
		}
		return 1
	})
	for _, e := range entries {
		if err := os.Rename(filepath.Join(u.dir, e.Name()), filepath.Join(u.o.Data, e.Name())); err != nil {
			return fmt.Errorf("naming the restored files: %w", err)
		}
	}
	return syncDir(u.o.Data)
}
