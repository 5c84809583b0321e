package server_test

import (
	"blossomtune/internal/server"
	"blossomtune/internal/servertest"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/config"
	"blossomtune/internal/datadir"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
	"blossomtune/internal/testflwr"
)

// beforeEngine is the version of the schema before two that later tests let fail halfway.
const (
	beforeEngine = 20261129081000
	engineColumn = 20261129104000                                     // adds the column federation.engine
	brokenIndex  = "CREATE INDEX node_key_by_status ON node_key (id)" // the migration after that makes an index of this name
)

// earlier is the data directory of an earlier version.
type earlier struct {
	t   *testing.T
	set config.Config
	db  *storetest.Versioned
}

func eachEarlier(t *testing.T, test func(t *testing.T, e *earlier)) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			e := &earlier{t: t, set: config.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}}
			if kind == "postgres" {
				e.set.Database = storetest.PostgresURL(t)
			}
			err := e.set.Resolve()
			if err == nil {
				err = os.MkdirAll(filepath.Join(e.set.Data, "federations", "1"), 0o700)
			}
			if err == nil {
				err = os.Symlink(filepath.Dir(testflwr.Venv(t).Dir), filepath.Join(e.set.Data, "python"))
			}
			if err != nil {
				t.Fatal(err)
			}
			e.db = storetest.AtVersions(t, e.set.Database)
			e.db.To(e.db.All()[0])
			e.db.Exec(firstVersion(t, kind))
			test(t, e)
		})
	}
}

var intoID = regexp.MustCompile(`(?m)^(INSERT INTO \w+ \([^)]*\)) (VALUES|SELECT)`)

// firstVersion are the rows of a server of the first schema.
func firstVersion(t *testing.T, kind string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/first_version.sql")
	if err != nil {
		t.Fatal(err)
	}
	if kind == "sqlite" {
		return strings.ReplaceAll(string(text), " AS BYTEA)", " AS BLOB)")
	}
	more := ""
	for _, table := range []string{"person", "session", "federation", "request", "node_key", "run", "metric", "audit", "mail"} {
		more += fmt.Sprintf(";\nSELECT setval(pg_get_serial_sequence('%s', 'id'), 100)", table)
	}
	return intoID.ReplaceAllString(string(text), "$1 OVERRIDING SYSTEM VALUE $2") + more
}

func (e *earlier) new() (*server.Server, error) {
	return server.New(e.t.Context(), server.Options{Config: e.set, Version: "new", Log: slog.New(slog.DiscardHandler),
		Keeper: servertest.NoKeeper})
}

func (e *earlier) mustNew() *server.Server {
	e.t.Helper()
	a, err := e.new()
	if err != nil {
		e.t.Fatal(err)
	}
	return a
}

func (e *earlier) backups() (out []string) {
	e.t.Helper()
	out, err := filepath.Glob(filepath.Join(e.set.Data, backup.Folder, "before-upgrade-*"))
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

func (e *earlier) rollBack(discard bool) (backup.RolledBack, error) {
	return backup.RollBack(e.t.Context(),
		backup.RollbackOptions{Data: e.set.Data, Database: e.set.Database, Discard: discard, Clock: time.Now})
}

func (e *earlier) schema() store.Schema {
	e.t.Helper()
	db, err := store.OpenExisting(e.t.Context(), e.set.Database)
	if err != nil {
		e.t.Fatal(err)
	}
	defer db.Close()
	s, err := db.Schema(e.t.Context())
	if err != nil {
		e.t.Fatal(err)
	}
	return s
}

// checkRows checks that what the first version held is there, and that the audit is whole.
func (e *earlier) checkRows(a *server.Server, actions ...string) {
	e.t.Helper()
	ctx := e.t.Context()
	run, err := a.Runs.Get(ctx, 1)
	if err != nil || run.Name != "digits-1" || run.State != domain.Completed || !slices.Equal(run.Tags, []string{"good"}) {
		e.t.Errorf("the run is %+v, %v", run, err)
	}
	err = a.DB.View(ctx, func(tx *store.Tx) error {
		q, err := tx.RequestByID(ctx, 1)
		if err != nil || q.State != domain.Approved || q.Partition != 3 {
			e.t.Errorf("the request is %+v", q)
		}
		p, personErr := tx.PersonByID(ctx, 2)
		if personErr != nil || p.Email != "bob@example.org" {
			e.t.Errorf("the person is %+v", p)
		}
		v, verdictErr := tx.CheckAudit(ctx)
		if !v.Whole() || v.Entries < 2 {
			e.t.Errorf("the audit is %+v", v)
		}
		return errors.Join(err, personErr, verdictErr)
	})
	if err != nil {
		e.t.Error(err)
	}
	b, err := backup.LastSuccess(ctx, a.DB)
	if want := time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC); err != nil || b.EndedAt.Truncate(time.Second) != want || b.Size != 7 || !b.Clear {
		e.t.Errorf("the last backup is %+v, %v", b, err)
	}
	for _, action := range actions {
		if found, err := a.Audit.List(ctx, domain.AuditFilter{Action: action}); err != nil || len(found) != 1 {
			e.t.Errorf("%d audit entries of %s, %v", len(found), action, err)
		}
	}
}

// A server opens the data directory of every version that ever landed, after it has backed itself up.
func TestDataDirectoriesOfEveryVersionAreOpened(t *testing.T) {
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			all := storetest.AtVersions(t, "sqlite:"+filepath.Join(t.TempDir(), "x.db")).All()
			for _, version := range all {
				t.Run(fmt.Sprint(version), func(t *testing.T) { openVersion(t, kind, version, version == all[len(all)-1]) })
			}
		})
	}
}

func openVersion(t *testing.T, kind string, version int64, newest bool) {
	e := &earlier{t: t, set: config.Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}}
	if kind == "postgres" {
		e.set.Database = storetest.PostgresURL(t)
	}
	if err := e.set.Resolve(); err != nil {
		t.Fatal(err)
	}
	e.db = storetest.AtVersions(t, e.set.Database)
	e.db.To(e.db.All()[0])
	e.db.Exec(firstVersion(t, kind))
	e.db.To(version)
	e.db.Close()
	a := e.mustNew()
	defer servertest.Stop(t, a)
	if newest {
		e.checkRows(a)
		if found := e.backups(); len(found) != 0 {
			t.Errorf("a backup without a migration: %v", found)
		}
		return
	}
	e.checkRows(a, "server.upgraded")
	if found := e.backups(); len(found) != 1 {
		t.Errorf("backups before the upgrade: %v", found)
	}
}

// A migration that fails halfway leaves a database that neither version starts on. One command brings it back to what it was.
func TestAFailedUpgradeIsRolledBack(t *testing.T) {
	eachEarlier(t, func(t *testing.T, e *earlier) {
		e.db.To(beforeEngine)
		e.db.Exec(brokenIndex)
		before := e.schema()
		for range 2 { // as a service manager does
			_, err := e.new()
			var known *domain.Error
			if !errors.As(err, &known) || !strings.Contains(known.Remedy, "blossomtune restore --rollback") {
				t.Fatalf("the upgrade says %v", err)
			}
		}
		if found := e.backups(); len(found) != 1 {
			t.Errorf("backups: %v", found)
		}
		if now := e.schema(); now.Newest() != engineColumn {
			t.Fatalf("the upgrade stopped at %d", now.Newest())
		}
		r, err := e.rollBack(false)
		if err != nil || r.Unchanged || r.Kept == "" {
			t.Fatalf("%+v, %v", r, err)
		}
		if now := e.schema(); !slices.Equal(now.Applied, before.Applied) || now.LastAudit != before.LastAudit {
			t.Errorf("the database is at %+v, was at %+v", now, before)
		}
		if _, err := e.rollBack(false); domain.CodeOf(err) != domain.NotFound {
			t.Errorf("a second rollback: %v", err)
		}
		e.db.Exec("DROP INDEX IF EXISTS node_key_by_status") // the next version is mended
		a := e.mustNew()
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.checkRows(a, "server.upgraded", "server.rolled_back")
		servertest.Stop(t, a)
	})
}

// Once a new version has been used, a rollback loses changes, and is made only by someone who says so.
func TestARollbackLosesNoChangesUnasked(t *testing.T) {
	eachEarlier(t, func(t *testing.T, e *earlier) {
		e.db.To(beforeEngine)
		before := e.schema()
		a := e.mustNew()
		if _, err := e.rollBack(true); domain.CodeOf(err) != domain.Conflict || !strings.Contains(err.Error(), "uses this database") {
			t.Errorf("a rollback under a running server: %v", err)
		}
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		servertest.Stop(t, a)
		if _, err := e.rollBack(false); domain.CodeOf(err) != domain.Conflict || !strings.Contains(err.Error(), "loses all changes") {
			t.Errorf("unasked: %v", err)
		}
		if r, err := e.rollBack(true); err != nil || r.Unchanged {
			t.Errorf("%+v, %v", r, err)
		}
		if now := e.schema(); !slices.Equal(now.Applied, before.Applied) {
			t.Errorf("the database is at %d", now.Newest())
		}
	})
}

// Without room for the backup, nothing is migrated.
func TestAnUpgradeNeedsItsBackup(t *testing.T) {
	eachEarlier(t, func(t *testing.T, e *earlier) {
		e.db.To(beforeEngine)
		folder := filepath.Join(e.set.Data, backup.Folder)
		if err := os.WriteFile(folder, nil, 0o600); err != nil { // so that it cannot be made
			t.Fatal(err)
		}
		if _, err := e.new(); domain.CodeOf(err) != domain.Unavailable || !strings.Contains(err.Error(), "was not upgraded") {
			t.Errorf("%v", err)
		}
		if now := e.schema(); now.Newest() != beforeEngine {
			t.Errorf("the database is at %d", now.Newest())
		}
		if _, err := datadir.OpenDatabase(t.Context(), e.set.Data, e.set.Database); domain.CodeOf(err) != domain.Conflict {
			t.Errorf("a command on the host: %v", err)
		}
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		e.set.Backup.SkipUpgrade = true
		servertest.Stop(t, e.mustNew())
		if now := e.schema(); now.Newest() == beforeEngine {
			t.Error("the upgrade without a backup did nothing")
		}
	})
}
