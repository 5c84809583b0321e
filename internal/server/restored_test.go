package server_test

import (
	"blossomtune/internal/server"
	"blossomtune/internal/servertest"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/keeper"
	"blossomtune/internal/store"
	"blossomtune/internal/testflwr"
)

// A server restored from a backup of another one that still runs leaves the engines of that one alone, and does not go on with its runs.
func TestARestoredServerStartsBesideTheOriginal(t *testing.T) {
	s := newSite(t)
	under, queued := s.Run, s.Run
	under.State, under.EndedAt, under.Name, under.EngineRunID = domain.Running, time.Time{}, "under-way", 77
	queued.State, queued.EndedAt, queued.Name, queued.EngineRunID = domain.Queued, time.Time{}, "waits", 0
	if err := s.Server.Engines.Start(t.Context(), domain.System, s.Fed.ID); err != nil { // else the runs end with it
		t.Fatal(err)
	}
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertRun(t.Context(), &under); err != nil {
			return err
		}
		return tx.InsertRun(t.Context(), &queued)
	})
	if err != nil {
		t.Fatal(err)
	}
	fedDir := engine.FedDir(s.Config.Data, s.Fed.ID)
	if err := os.MkdirAll(fedDir, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := keeper.Spawn(keeper.Spec{Path: "/bin/sleep", Args: []string{"600"},
		LogFile: filepath.Join(t.TempDir(), "x.log")}) // plays the keeper
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keeper.StopIdentity(p.Identity, 0) }()
	state, err := json.Marshal(map[string]any{"keeper": p.Identity, "port": 1, "dir": filelock.DirID(fedDir)})
	if err == nil {
		err = os.WriteFile(filepath.Join(fedDir, "keeper.json"), state, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "backup")
	_, err = backup.Create(t.Context(), backup.Options{Config: s.Config, File: file, Protect: backup.Protection{Clear: true},
		Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	c := config.Config{Data: filepath.Join(t.TempDir(), "restored"), Listen: "127.0.0.1:0"}
	if err := c.Resolve(); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), backup.RestoreOptions{File: file, Data: c.Data, Database: c.Database,
		Clock: time.Now}); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(testflwr.Venv(t).Dir), filepath.Join(c.Data, "python")); err != nil {
		t.Fatal(err)
	}
	restored, err := server.New(t.Context(), server.Options{Config: c, Version: "test", Log: slog.New(slog.DiscardHandler),
		Keeper: servertest.NoKeeper})
	if err == nil {
		err = restored.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := restored.Runs.Get(t.Context(), under.ID)
	if err != nil || got.State != domain.Failed || got.Cause.Code != "restored" ||
		!strings.Contains(got.Cause.Message, "restored from a backup") {
		t.Errorf("the run is %s, %+v, %v", got.State, got.Cause, err)
	}
	if got, err := restored.Runs.Get(t.Context(), queued.ID); err != nil || got.State != domain.Queued {
		t.Errorf("the queued run is %s, %v", got.State, err)
	}
	if got, err := s.Server.Runs.Get(t.Context(), under.ID); err != nil || got.State != domain.Running {
		t.Errorf("the original's run is %s, %v", got.State, err)
	}
	if found, err := restored.Audit.List(t.Context(), domain.AuditFilter{Action: "server.restored"}); err != nil || len(found) != 1 {
		t.Errorf("the audit has %v, %v", found, err)
	}
	if err := restored.Stop(t.Context(), true); err != nil {
		t.Error(err)
	}
	if !p.Alive() {
		t.Error("the restored server ended the original's keeper")
	}
	if _, found, err := backup.ReadMark(c.Data); found || err != nil {
		t.Errorf("the mark is still there: %v", err)
	}
}
