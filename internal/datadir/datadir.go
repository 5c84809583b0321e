// Package datadir is a server's data directory: which server uses it, which database belongs to it, and where its server is reached.
package datadir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/store"
)

// Files of the data directory that say whose it is and where its server is reached.
const (
	lockFile     = "server.lock"
	urlFile      = "public_url"
	instanceFile = "instance"
	instanceKey  = "instance" // the same in the database's settings
)

// Own makes this process the only server on the data directory until the lock is released. It waits for a server that is stopping.
func Own(ctx context.Context, data string, log *slog.Logger) (*filelock.Lock, error) {
	path := filepath.Join(data, lockFile)
	var held *filelock.Lock
	waits := waiting(log, "data directory")
	err := filelock.WaitForStop(ctx, func(context.Context) (err error) {
		held, err = filelock.Take(path)
		return err
	}, func() time.Time {
		h := filelock.Read(path)
		if !h.Stopping.IsZero() {
			waits(h.String(), h.Stopping)
		}
		return h.Stopping
	})
	if errors.Is(err, filelock.ErrHeld) {
		return nil, domain.Errorf(domain.Conflict, "Another BlossomTune server (%s) uses the data directory %s.", filelock.Owner(path), data).
			Fix("Stop it first, or choose another directory with --data.")
	}
	if err != nil {
		return nil, domain.Errorf(domain.Invalid, "The data directory %s cannot be locked.", data).Fix("Check that this user can write to it.").
			Because(err)
	}
	return held, nil
}

// waiting returns what logs, once, that the server waits for another one to stop.
func waiting(log *slog.Logger, of string) func(owner string, until time.Time) {
	var once sync.Once
	return func(owner string, until time.Time) {
		once.Do(func() {
			log.Warn("another server is stopping; waiting for it", "server", owner, "has", of, "at_most", max(0, time.Until(until)).
				Round(time.Second))
		})
	}
}

// OpenDatabase opens the database that belongs to a data directory, for commands on the server's host, and makes a new one where there is
// none. One with the schema of an earlier version is refused: only the server migrates it.
//
// Where the directory has federations, the database must have them too: a new one in its place would offer the first admin's link
// to anyone who starts the server, and end what the keepers run.
func OpenDatabase(ctx context.Context, data, address string) (*store.DB, error) {
	return openDatabase(ctx, data, address, nil, func(ctx context.Context, db *store.DB) error {
		pending, err := db.Pending(ctx)
		if err == nil && pending {
			return domain.Errorf(domain.Conflict, "The database has the schema of an earlier version.").
				Fix("Start this version's server, which backs it up and upgrades it, or use the program of the server that is running.")
		}
		if err != nil {
			return err
		}
		return db.Migrate(ctx)
	})
}

// OwnDatabase opens the database for a server: this process also becomes the only server on it. It waits for one that is stopping. migrate
// brings the schema up to date.
func OwnDatabase(ctx context.Context, data, address string, log *slog.Logger,
	migrate func(context.Context, *store.DB) error) (*store.DB, error) {
	return openDatabase(ctx, data, address, waiting(log, "database"), migrate)
}

// openDatabase is OwnDatabase where waits is given, else OpenDatabase. It calls waits while another server is stopping.
func openDatabase(ctx context.Context, data, address string, waits func(owner string, until time.Time),
	migrate func(context.Context, *store.DB) error) (*store.DB, error) {
	used := hasFederations(data)
	open := store.Open
	if used {
		open = store.OpenExisting
	}
	db, err := open(ctx, address)
	if err != nil {
		return nil, err
	}
	if waits != nil {
		err = db.Own(ctx, waits)
	}
	if err == nil && used {
		err = refuseBlank(ctx, db, data)
	}
	if err == nil {
		err = migrate(ctx, db)
	}
	if err == nil {
		err = claim(ctx, db, data, used)
	}
	if err == nil && waits != nil {
		err = db.Fence(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// hasFederations reports whether a server has run federations in the data directory. What cannot be read may be some.
func hasFederations(data string) bool {
	found, err := os.ReadDir(filepath.Join(data, "federations"))
	return len(found) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

func refuseBlank(ctx context.Context, db *store.DB, data string) error {
	blank, err := db.Blank(ctx)
	if err == nil && blank {
		return domain.Errorf(domain.Conflict, "The database is empty, but the data directory %s has federations.", data).
			Fix("Restore the database from a backup, or check --database. To start a new instance, choose an empty --data directory.")
	}
	return err
}

// claim checks that the database and the directory belong to the same instance. Each has the instance's id; the first start makes it.
func claim(ctx context.Context, db *store.DB, data string, used bool) error {
	path := filepath.Join(data, instanceFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return domain.Errorf(domain.Unavailable, "The file %s cannot be read.", path).
			Fix("Give it to the user who runs the server, or delete it: it is written again.").Because(err)
	}
	here := strings.TrimSpace(string(text))
	var id string
	err = db.InTx(ctx, func(tx *store.Tx) (err error) {
		if id, err = tx.Setting(ctx, instanceKey); err != nil || id != "" {
			return err
		}
		if id = here; id == "" {
			id = strings.ToLower(rand.Text())
		}
		return tx.PutSetting(ctx, instanceKey, id)
	})
	switch {
	case err != nil:
		return fmt.Errorf("reading the instance's id: %w", err)
	case here == id:
		return nil
	case here != "" && used:
		return domain.Errorf(domain.Conflict, "The database belongs to another instance than the data directory %s.", data).
			Fix("Check --data and --database. If they do belong together, delete the file %s and start again.", path)
	}
	// The id is not a secret. A command that root runs may be the first to write it.
	if err := os.WriteFile(path, []byte(id+"\n"), 0o644); err != nil {
		return fmt.Errorf("writing the instance's id: %w", err)
	}
	return nil
}

// WritePublicURL records the address of the server on a data directory, for [PublicURL].
func WritePublicURL(data, address string) error {
	return os.WriteFile(filepath.Join(data, urlFile), []byte(address+"\n"), 0o600)
}

// PublicURL returns the address of the server that was last started on a data directory, for commands on its host. It is a
// [domain.NotFound] error where none was.
func PublicURL(data string) (string, error) {
	text, err := os.ReadFile(filepath.Join(data, urlFile))
	if err != nil {
		return "", domain.Errorf(domain.NotFound, "No server was started on %s, so that its address is not known.", data).
			Fix("Start it, or give its address with --public-url.").Because(err)
	}
	return strings.TrimSpace(string(text)), nil
}
