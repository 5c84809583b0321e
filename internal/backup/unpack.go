package backup

import (
	"archive/tar"
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

	"blossomtune/internal/domain"
)

// unpacker writes the entries of a backup into a directory beside the data directory, or in it if that is there already.
type unpacker struct {
	o        RestoreOptions
	dir      string // the directory, until it is renamed
	inside   bool   // it is in the data directory, which was there already and keeps its mode, its owner and its place
	root     *os.Root
	file     string                        // where the SQLite database goes
	stage    string                        // where it is until then
	database bool                          // the SQLite database was in the backup
	table    func(string, io.Reader) error // loads a table of PostgreSQL
}

func newUnpacker(o RestoreOptions, file string) (*unpacker, error) {
	parent, inside := filepath.Dir(o.Data), false
	if _, err := os.Lstat(o.Data); err == nil { // an empty directory, a mounted volume or a link to one: it is filled
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

func (u *unpacker) begin(a About) error { return fits(a, u.file != "") }

// remove removes what is not published.
func (u *unpacker) remove() {
	_ = u.root.Close()
	_ = os.RemoveAll(u.dir)
	if u.stage != "" {
		_ = os.Remove(u.stage)
	}
}

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
		u.database = true
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
	outside := u.stage != "" && !strings.HasPrefix(u.stage, u.dir+string(filepath.Separator))
	if outside {
		if err := publish(u.stage, u.file); err != nil {
			return fmt.Errorf("naming the database: %w", err)
		}
	}
	if u.inside {
		err = u.moveUp()
	} else {
		err = publish(u.dir, u.o.Data)
	}
	if err != nil {
		if outside {
			_ = os.Remove(u.file)
		}
		return domain.Errorf(domain.Conflict, "The restored files cannot be moved to %s.",
			u.o.Data).Fix("Name another directory with --data.").Because(err)
	}
	return nil
}

// moveUp moves everything up into the data directory. The database comes last: without it, no server starts on the directory. After an
// error, what was moved is removed.
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
	var moved []string
	for _, e := range entries {
		to := filepath.Join(u.o.Data, e.Name())
		if _, err = os.Lstat(to); err == nil { // somebody made it meanwhile
			err = fs.ErrExist
		} else if err = os.Rename(filepath.Join(u.dir, e.Name()), to); err == nil {
			moved = append(moved, to)
			continue
		}
		break
	}
	if err == nil {
		err = syncDir(u.o.Data)
	}
	if err != nil {
		for _, path := range moved {
			_ = os.RemoveAll(path)
		}
		return fmt.Errorf("naming the restored files: %w", err)
	}
	return nil
}
