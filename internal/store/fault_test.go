package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// eachAddress runs a test on a fresh, migrated and closed database of each kind.
func eachAddress(t *testing.T, test func(t *testing.T, address string)) {
	t.Helper()
	for name, address := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "postgres": storetest.PostgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			storetest.Open(t, address).Close()
			test(t, address)
		})
	}
}

// raw runs a statement past the store.
func raw(t *testing.T, address, statement string) {
	t.Helper()
	driver, dsn := "pgx", address
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		driver, dsn = "sqlite", path
	}
	db, err := sql.Open(driver, dsn)
	if err == nil {
		_, err = db.Exec(statement)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	eachAddress(t, func(t *testing.T, address string) {
		raw(t, address, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (29990101000000, TRUE)")
		db, err := store.OpenExisting(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		told(t, db.Migrate(ctx), domain.Conflict, "newer version", "29990101000000")
	})
}

func noWait(string, time.Time) {}

// A server that is stopping is waited for, with its name and its time.
func TestAServerThatStopsIsWaitedFor(t *testing.T) {
	eachAddress(t, func(t *testing.T, address string) {
		first, second := storetest.Open(t, address), storetest.Open(t, address)
		if err := first.Own(ctx, noWait); err != nil {
			t.Fatal(err)
		}
		until := time.Now().Add(time.Minute).Truncate(time.Millisecond)
		if err := first.Stopping(ctx, until); err != nil {
			t.Fatal(err)
		}
		waited := 0
		err := second.Own(ctx, func(owner string, at time.Time) {
			if waited++; waited == 1 && (owner != fmt.Sprintf("process %d", os.Getpid()) || !at.Equal(until)) {
				t.Errorf("it waits for %s until %s, want %s", owner, at, until)
			}
			if waited == 10 {
				first.Close()
			}
		})
		if err != nil || waited < 10 {
			t.Errorf("after %d looks: %v", waited, err)
		}
	})
}

func TestADatabaseHasOneServer(t *testing.T) {
	eachAddress(t, func(t *testing.T, address string) {
		first, err := store.Open(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Own(ctx, noWait); err != nil {
			t.Fatal(err)
		}
		second := storetest.Open(t, address) // a command on the host
		told(t, second.Own(ctx, noWait), domain.Conflict, "Another BlossomTune server", fmt.Sprintf("process %d", os.Getpid()))
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		if err := second.Own(ctx, noWait); err != nil {
			t.Errorf("the first let go, but: %v", err)
		}
	})
}

func TestAMissingOrEmptyFileIsNotMadeIntoADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	_, err := store.OpenExisting(ctx, "sqlite:"+path)
	told(t, err, domain.NotFound, "missing or empty", path)
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file was created: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = store.OpenExisting(ctx, "sqlite:"+path)
	told(t, err, domain.NotFound, "missing or empty")
}

func TestBlankIsADatabaseWithoutAnInstance(t *testing.T) {
	for name, address := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "postgres": storetest.PostgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			db, err := store.Open(ctx, address)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			blank := func(want bool, when string) {
				t.Helper()
				if got, err := db.Blank(ctx); got != want || err != nil {
					t.Errorf("%s: %v, %v", when, got, err)
				}
			}
			blank(true, "without a schema")
			if err := db.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			blank(true, "with a schema")
			in(t, db, func(tx *store.Tx) error {
				return tx.InsertPerson(ctx, &domain.Person{Email: "a@example.org", Name: "A"})
			})
			blank(false, "with a person")
		})
	}
}

// Damage is reported with a remedy, at the start and while the server runs.
func TestDamageIsReported(t *testing.T) {
	make := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "x.db")
		db := storetest.Open(t, "sqlite:"+path)
		in(t, db, func(tx *store.Tx) error {
			for i := range 200 {
				if err := tx.PutSetting(ctx, fmt.Sprintf("key-%d", i), strings.Repeat("v", 500)); err != nil {
					return err
				}
			}
			return nil
		})
		db.Close()
		return path
	}
	garbage := bytes.Repeat([]byte("no database "), 1<<10)
	for name, c := range map[string]struct {
		damage func(text []byte) []byte
		words  string
	}{
		"not a database": {func([]byte) []byte { return garbage }, "not an SQLite database"},
		"malformed":      {func(b []byte) []byte { copy(b[4096:], bytes.Repeat([]byte{0xff}, len(b)-4096)); return b }, "damaged"},
		"cut off":        {func(b []byte) []byte { return b[:len(b)/2] }, "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			path := make(t)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, c.damage(text), 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := store.OpenExisting(ctx, "sqlite:"+path)
			if err == nil {
				defer db.Close()
				err = db.Migrate(ctx)
			}
			told(t, err, domain.Unavailable, c.words)
		})
	}
	t.Run("while it runs", func(t *testing.T) {
		path := make(t)
		db := storetest.Open(t, "sqlite:"+path)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, _ := f.Stat()
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, int(info.Size())-4096), 4096); err != nil {
			t.Fatal(err)
		}
		err = db.View(ctx, func(*store.Tx) error { // the connection inside is another one, without pages in its cache
			return db.View(ctx, func(tx *store.Tx) error { _, err := tx.Settings(ctx, "key-"); return err })
		})
		if err == nil {
			t.Fatal("the damage was not read")
		}
		told(t, db.Ready(ctx), domain.Unavailable, "damaged")
	})
	t.Run("removed while it runs", func(t *testing.T) {
		path := make(t)
		db := storetest.Open(t, "sqlite:"+path)
		if err := os.Rename(path, path+".away"); err != nil {
			t.Fatal(err)
		}
		told(t, db.Ready(ctx), domain.Unavailable, "removed or replaced")
	})
}

func TestALockedDatabaseIsReported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db := storetest.Open(t, "sqlite:"+path)
	if err := db.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	other.SetMaxOpenConns(1)
	if _, err := other.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, db, func(err error) bool { return err != nil })
	told(t, db.Ready(ctx), domain.Unavailable, "locked")
	if _, err := other.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, db, func(err error) bool { return err == nil })
}

// awaitReady asks until the cached answer has run out.
func awaitReady(t *testing.T, db *store.DB, want func(error) bool) {
	t.Helper()
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !want(db.Ready(ctx)) {
		select {
		case <-tick.C:
		case <-limited.Done():
			t.Fatal("the state was not reported in time")
		}
	}
}

// told checks the code of an error, its words and that it has a remedy.
func told(t *testing.T, err error, want domain.Code, words ...string) {
	t.Helper()
	var known *domain.Error
	if !errors.As(err, &known) || known.Code != want || known.Remedy == "" {
		t.Fatalf("%#v: want %s with a remedy", err, want)
	}
	for _, w := range words {
		if !strings.Contains(known.Message, w) {
			t.Errorf("%q does not say %q", known.Message, w)
		}
	}
}
