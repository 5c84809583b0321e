package server_test

import (
	"blossomtune/internal/server"
	"blossomtune/internal/servertest"
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/config"
	"blossomtune/internal/datadir"
	"blossomtune/internal/domain"
	"blossomtune/internal/store/storetest"
)

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
	first := servertest.MustAt(t, data, "")
	me := fmt.Sprintf("process %d", os.Getpid())
	_, err := servertest.At(t, data, "")
	refused(t, err, "Another BlossomTune server", me, data)
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(data, alias); err != nil {
		t.Fatal(err)
	}
	_, err = servertest.At(t, alias, "")
	refused(t, err, me)
	db, err := datadir.OpenDatabase(t.Context(), data, "sqlite:"+filepath.Join(data, "blossomtune.db")) // a command on the host
	if err != nil {
		t.Errorf("a command is refused: %v", err)
	} else {
		db.Close()
	}
	servertest.Stop(t, first)
	servertest.Stop(t, servertest.MustAt(t, data, ""))
}

// A server that is started while another one stops takes over when that has stopped; it is not refused.
func TestAServerWaitsForOneThatStops(t *testing.T) {
	data := t.TempDir()
	first := servertest.MustAt(t, data, "")
	began := time.Now()
	if _, err := servertest.At(t, data, ""); err == nil || time.Since(began) > 2*time.Second { // it runs
		t.Fatalf("refused after %s: %v", time.Since(began), err)
	}
	if err := first.NoteStop(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var out lockedBuffer
	c := config.Config{Data: data, Listen: "127.0.0.1:0"}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() {
		a, err := server.New(t.Context(), server.Options{Config: c, Version: "test", Log: slog.New(slog.NewTextHandler(&out, nil)),
			Keeper: servertest.NoKeeper})
		if err == nil {
			err = a.Stop(t.Context(), false)
		}
		started <- err
	}()
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), "waiting for it"); {
		if time.Now().After(deadline) {
			t.Fatalf("it does not say that it waits: %s", out.String())
		}
		runtime.Gosched()
	}
	select {
	case err := <-started:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	servertest.Stop(t, first)
	if err := <-started; err != nil {
		t.Errorf("after the first has stopped: %v", err)
	}
	if n := strings.Count(out.String(), "waiting for it"); n != 1 {
		t.Errorf("it says %d times that it waits: %s", n, out.String())
	}
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A server whose session with PostgreSQL dropped, and whose database another server took meanwhile, says so and writes nothing more.
func TestAServerThatLosesItsDatabaseEnds(t *testing.T) {
	database := storetest.PostgresURL(t)
	first := servertest.MustAt(t, t.TempDir(), database)
	defer func() { _ = first.Stop(t.Context(), false) }()
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	storetest.EndOwner(t, database)
	second := servertest.MustAt(t, t.TempDir(), database)
	defer servertest.Stop(t, second)
	select {
	case <-first.Failed():
		refused(t, first.Failure(), "has taken the database", fmt.Sprintf("process %d", os.Getpid()))
	case <-time.After(30 * time.Second):
		t.Fatal("the first server goes on")
	}
	_, err := first.Onboarding.CreateFederation(t.Context(), domain.System, domain.Federation{Slug: "fed", Name: "Fed", TotalPartitions: 2})
	refused(t, err, "has taken the database")
}

func TestADatabaseWithTwoDirectoriesHasOneServer(t *testing.T) {
	for name, database := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "x.db"), "postgres": storetest.PostgresURL(t)} {
		t.Run(name, func(t *testing.T) {
			first := servertest.MustAt(t, t.TempDir(), database)
			_, err := servertest.At(t, t.TempDir(), database)
			refused(t, err, "uses this database", fmt.Sprintf("process %d", os.Getpid()))
			servertest.Stop(t, first)
			servertest.Stop(t, servertest.MustAt(t, t.TempDir(), database))
		})
	}
}

// A lost database must not become a new instance with a link for the first admin.
func TestALostDatabaseIsNotReplaced(t *testing.T) {
	data := t.TempDir()
	lived := func(database string) {
		t.Helper()
		a := servertest.MustAt(t, data, database)
		if _, err := a.Accounts.HostAdmin(t.Context()); err != nil {
			t.Fatal(err)
		}
		servertest.Stop(t, a)
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
	_, err := servertest.At(t, data, "")
	refused(t, err, "missing or empty")
	if _, err := datadir.OpenDatabase(t.Context(), data, "sqlite:"+file); err == nil {
		t.Error("a command on the host makes a new database")
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was created: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = servertest.At(t, data, "")
	refused(t, err, "missing or empty")
	_, err = servertest.At(t, data, storetest.PostgresURL(t))
	refused(t, err, "The database is empty", data)

	other := t.TempDir() // of another instance
	a := servertest.MustAt(t, other, "")
	if _, err := a.Accounts.HostAdmin(t.Context()); err != nil {
		t.Fatal(err)
	}
	servertest.Stop(t, a)
	_, err = servertest.At(t, data, "sqlite:"+filepath.Join(other, "blossomtune.db"))
	refused(t, err, "another instance", data)

	if err := os.Rename(file+".away", file); err != nil {
		t.Fatal(err)
	}
	lived("")
	if err := os.Remove(filepath.Join(data, "instance")); err != nil { // a directory of an earlier version
		t.Fatal(err)
	}
	lived("")
}

func TestReadyzReportsALostDatabase(t *testing.T) {
	data := t.TempDir()
	a := servertest.MustAt(t, data, "")
	defer servertest.Stop(t, a)
	h, err := a.Handler()
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
