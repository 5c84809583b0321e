package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store/storetest"
)

// newAt makes a server that is not started.
func newAt(t *testing.T, data, database string) (*App, error) {
	t.Helper()
	c := config.Config{Data: data, Listen: "127.0.0.1:0", Database: database}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	return New(t.Context(), Options{Config: c, Version: "test", Log: slog.New(slog.DiscardHandler), Keeper: noKeeper})
}

func mustAt(t *testing.T, data, database string) *App {
	t.Helper()
	a, err := newAt(t, data, database)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func stop(t *testing.T, a *App) {
	t.Helper()
	if err := a.Stop(t.Context(), false); err != nil {
		t.Error(err)
	}
}

func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	var known *domain.Error
	if !errors.As(err, &known) || known.Remedy == "" {
		t.Fatalf("%v: want a refusal with a remedy", err)
	}
	for _, w := range words {
		if !strings.Contains(known.Message, w) {
			t.Errorf("%q does not say %q", known.Message, w)
		}
	}
}

// Two servers on one directory would end each other's runs.
func TestADataDirectoryHasOneServer(t *testing.T) {
	data := t.TempDir()
	first := mustAt(t, data, "")
	me := fmt.Sprintf("process %d", os.Getpid())
	_, err := newAt(t, data, "")
	refused(t, err, "Another BlossomTune server", me, data)
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(data, alias); err != nil {
		t.Fatal(err)
	}
	_, err = newAt(t, alias, "")
	refused(t, err, me)
	db, err := OpenDatabase(t.Context(), data, first.o.Config.Database) // a command on the host
	if err != nil {
		t.Errorf("a command is refused: %v", err)
	} else {
		db.Close()
	}
	stop(t, first)
	stop(t, mustAt(t, data, ""))
}

func TestADatabaseWithTwoDirectoriesHasOneServer(t *testing.T) {
	for name, database := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "postgres": storetest.PostgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			first := mustAt(t, t.TempDir(), database)
			_, err := newAt(t, t.TempDir(), database)
			refused(t, err, "uses this database", fmt.Sprintf("process %d", os.Getpid()))
			stop(t, first)
			stop(t, mustAt(t, t.TempDir(), database))
		})
	}
}

// A lost database must not become a new instance with a link for the first admin.
func TestALostDatabaseIsNotReplaced(t *testing.T) {
	data := t.TempDir()
	lived := func(database string) {
		t.Helper()
		a := mustAt(t, data, database)
		if _, err := a.Accounts.HostAdmin(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop(t, a)
	}
	lived("")
	if err := os.MkdirAll(filepath.Join(data, "federations", "1"), 0o700); err != nil {
		t.Fatal(err)
	}
	lived("")
	file := filepath.Join(data, "blossomtune.db")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	_, err := newAt(t, data, "")
	refused(t, err, "missing or empty")
	if _, err := OpenDatabase(t.Context(), data, "sqlite:"+file); err == nil {
		t.Error("a command on the host makes a new database")
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was created: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = newAt(t, data, "")
	refused(t, err, "missing or empty")
	_, err = newAt(t, data, storetest.PostgresURL(t))
	refused(t, err, "The database is empty", data)

	other := t.TempDir() // of another instance
	a := mustAt(t, other, "")
	if _, err := a.Accounts.HostAdmin(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, a)
	_, err = newAt(t, data, "sqlite:"+filepath.Join(other, "blossomtune.db"))
	refused(t, err, "another instance", data)

	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	lived("")
	if err := os.Remove(filepath.Join(data, instanceFile)); err != nil { // a directory of an earlier version
		t.Fatal(err)
	}
	lived("")
}

func TestReadyzReportsALostDatabase(t *testing.T) {
	data := t.TempDir()
	a := mustAt(t, data, "")
	defer stop(t, a)
	h, err := a.handler()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(data, "blossomtune.db")
	if err := os.Rename(file, file+".away"); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if text := w.Body.String(); w.Code != http.StatusServiceUnavailable || !strings.Contains(text, "removed or replaced") || !strings.Contains(text, "put the file back") || strings.Contains(text, data) {
		t.Errorf("%d %s", w.Code, text)
	}
}
