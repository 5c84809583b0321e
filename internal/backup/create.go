package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
	"blossomtune/internal/store"
	"blossomtune/internal/store/pgdump"
)

// Folder is the directory in the data directory for backups that the server makes before an upgrade, and for work files.
const Folder = "backups"

// Options of a backup.
type Options struct {
	Config    config.Config // resolved
	File      string        // the file to write; it must not exist
	Protect   Protection
	Artifacts bool // the files that ServerApps left
	Logs      bool
	NoEngines bool   // leave out the directories of federations and the state of SuperLinks
	Server    string // the version of this program
	Clock     domain.Clock

	series string // begins the names of work files, so that what a killed backup left is told from what another process writes
}

// Result says what was written.
type Result struct {
	File     string
	Size     int64 // of the file, in bytes
	SHA256   string
	Manifest Manifest
}

// Create writes a backup of the server in a data directory, which can be running. The file appears under its name when it is whole; it is
// readable only by its owner.
//
// The database is one consistent state. Files are read after it, so that every file that the database names is there.
func Create(ctx context.Context, o Options) (res Result, err error) {
	if err := o.Protect.Check(); err != nil {
		return res, err
	}
	work, err := workDir(o.Config.Data, o.series)
	if err != nil {
		return res, err
	}
	defer os.RemoveAll(work)
	w, err := newWriter(ctx, o.File, o.Protect, o.series)
	if err != nil {
		return res, err
	}
	m := &maker{o: o, w: w, work: work, now: o.Clock().UTC()}
	if err := m.all(ctx); err != nil {
		w.abort()
		return res, err
	}
	size, err := w.finish()
	return Result{File: o.File, Size: size, SHA256: hex.EncodeToString(w.whole.Sum(nil)), Manifest: m.manifest}, err
}

// maker makes one backup.
type maker struct {
	o        Options
	w        *writer
	work     string
	now      time.Time
	manifest Manifest
}

func (m *maker) all(ctx context.Context) error {
	host, _ := os.Hostname() // only shown to people
	m.manifest.About = About{Format: Format, Server: m.o.Server, Made: m.now, Host: host, Artifacts: m.o.Artifacts, Logs: m.o.Logs}
	err := m.database(ctx)
	if err == nil {
		err = m.outside()
	}
	if err == nil {
		err = m.files(ctx)
	}
	if err != nil {
		return err
	}
	m.manifest.Entries = m.w.entries
	b, err := asJSON(m.manifest)
	if err != nil {
		return err
	}
	return m.w.addBytes(manifestName, b, m.now)
}

func (m *maker) about(d store.Dump) error {
	m.manifest.Database = d
	b, err := asJSON(m.manifest.About)
	if err != nil {
		return err
	}
	return m.w.addBytes(aboutName, b, m.now)
}

// database adds about.json and the server's database.
func (m *maker) database(ctx context.Context) error {
	if file := store.SQLiteFile(m.o.Config.Database); file != "" {
		copied := filepath.Join(m.work, "server.db")
		err := store.CopySQLite(ctx, file, copied)
		if errors.Is(err, fs.ErrNotExist) {
			return domain.Errorf(domain.NotFound, "There is no database %s.", file).Fix("Check --data and --database.")
		}
		if err != nil {
			return full(err)
		}
		d, err := store.DescribeSQLite(ctx, copied)
		if err == nil {
			err = m.about(d)
		}
		if err != nil {
			return err
		}
		return m.spilled(copied, sqliteName)
	}
	return pgdump.Dump(ctx, m.o.Config.Database, !m.o.NoEngines, m.about, func(table string, write func(io.Writer) error) error {
		path := filepath.Join(m.work, "table")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		err = write(f)
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			return full(err)
		}
		return m.spilled(path, tablePrefix+table+tableSuffix)
	})
}

// spilled adds a work file and removes it.
func (m *maker) spilled(path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(path) }()
	defer f.Close()
	return m.file(f, name)
}

func (m *maker) file(f *os.File, name string) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	return m.w.add(name, info.Size(), info.Mode(), info.ModTime(), f)
}

// outside adds the files that the settings name: they can be elsewhere, and a new machine needs them.
func (m *maker) outside() error {
	for _, named := range [][2]string{{"config.toml", m.o.Config.File}, {"tls-cert.pem", m.o.Config.TLSCert},
		{"tls-key.pem", m.o.Config.TLSKey}} {
		name, path := named[0], named[1]
		if path == "" {
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			return domain.Errorf(domain.Invalid, "The file %s, which the settings name, cannot be read.",
				path).Fix("Run this as the user of the server.").Because(err)
		}
		err = m.file(f, outsidePart+name)
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// files adds the files of the data directory.
func (m *maker) files(ctx context.Context) error {
	root, err := os.OpenRoot(m.o.Config.Data)
	if err != nil {
		return fmt.Errorf("reading the data directory: %w", err)
	}
	defer root.Close()
	return m.walk(ctx, root, "")
}

// walk adds the files below a root, whose path in the data directory is at. The directory that a ServerApp writes is walked with a root of
// its own, so that no path leads out of it, whatever the app does meanwhile.
func (m *maker) walk(ctx context.Context, root *os.Root, at string) error {
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		name := strings.TrimPrefix(at+"/"+path, "/")
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fs.ErrNotExist):
			return nil // it was removed meanwhile
		case err != nil:
			return domain.Errorf(domain.Invalid, "%s cannot be read.", name).Fix("Run this as the user of the server.").Because(err)
		case path == ".":
			return nil
		}
		k := kindOf(name, d.IsDir())
		if m.o.NoEngines && name == "federations" || k == skipped || k == artifact && !m.o.Artifacts || k == logged && !m.o.Logs {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			if k == artifact && at == "" {
				return m.artifacts(ctx, root, path)
			}
			return nil
		}
		return m.one(ctx, root, path, name, k)
	})
}

// artifacts adds what a ServerApp left.
func (m *maker) artifacts(ctx context.Context, root *os.Root, path string) error {
	below, err := root.OpenRoot(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.SkipDir
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	defer below.Close()
	if err := m.walk(ctx, below, path); err != nil {
		return err
	}
	return fs.SkipDir
}

// one adds a file.
func (m *maker) one(ctx context.Context, root *os.Root, path, name string, k kind) error {
	full := filepath.Join(m.o.Config.Data, filepath.FromSlash(name))
	if full == store.SQLiteFile(m.o.Config.Database) {
		return nil // it is in the backup already
	}
	f, err := openfile.In(root, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, openfile.ErrNotRegular):
		m.manifest.Skipped = append(m.manifest.Skipped, Skip{Name: name, Reason: "not a regular file"})
		return nil
	case err != nil:
		return domain.Errorf(domain.Invalid, "%s cannot be read.", name).Fix("Run this as the user of the server.").Because(err)
	}
	defer f.Close()
	if k == database && isSQLite(f) {
		copied := filepath.Join(m.work, "engine.db")
		if err := store.CopySQLite(ctx, full, copied); err != nil {
			return err
		}
		return m.spilled(copied, dataPrefix+name)
	}
	return m.file(f, dataPrefix+name)
}

// isSQLite reports whether a file begins as an SQLite database does.
func isSQLite(f *os.File) bool {
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	_, err := f.ReadAt(head, 0)
	return err == nil && string(head) == magic
}
