package server_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/config"
	"blossomtune/internal/servertest"
)

// awaitBackup waits until the server has n tries of backups, and returns them.
func awaitBackup(t *testing.T, s *servertest.Site, n int) (b client.Backups) {
	t.Helper()
	deadline, every := time.After(time.Minute), time.NewTicker(50*time.Millisecond)
	defer every.Stop()
	for {
		a := s.API(http.MethodGet, "/backups", "")
		if err := json.Unmarshal([]byte(a.Body), &b); err != nil || a.Status != http.StatusOK {
			t.Fatalf("%d %s, %v", a.Status, a.Body, err)
		}
		if len(b.Newest) >= n && !b.Running {
			return b
		}
		select {
		case <-every.C:
		case <-deadline:
			t.Fatalf("no backup was made: %s", a.Body)
		}
	}
}

const attention = "blossomtune_backup_needs_attention"

// A scheduled backup is made at the start, and everything that watches the server knows of it.
func TestTheLastBackupIsKnownEverywhere(t *testing.T) {
	s := servertest.NewWith(t, func(c *config.Config) { c.Backup.Daily, c.Backup.Clear, c.Backup.KeepDaily = "03:00", true, 7 })
	b := awaitBackup(t, s, 1)
	if b.LastGood == nil || b.Problem != "" || b.Newest[0].Kind != "scheduled" || b.Newest[0].Verified != "content" {
		t.Fatalf("%+v", b)
	}
	if got := s.Counted(attention); got != "0" {
		t.Errorf("a backup needs attention: %s", got)
	}
	if got := s.Counted("blossomtune_backup_last_success_timestamp_seconds"); got == "0" || got == "" {
		t.Errorf("the last success is %q", got)
	}
	if err := s.Server.AwaitPython(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := s.Get("stranger", "/readyz"); a.Status != http.StatusOK ||
		a.Body != "ready\nlast backup: "+b.LastGood.UTC().Format(time.RFC3339)+"\n" {
		t.Errorf("/readyz: %d %q", a.Status, a.Body)
	}
	page := s.Get("admin", "/admin/system").Body
	if !strings.Contains(page, b.Newest[0].File) || strings.Contains(page, "needs attention") {
		t.Error("the page of the system does not list the backup, or complains")
	}
	if a := s.Post("manager", "/admin/system/backup"); a.Status != http.StatusForbidden {
		t.Errorf("a manager starts a backup: %d", a.Status)
	}
	s.Passes(2 * time.Second) // file names have seconds
	if a := s.Post("admin", "/admin/system/backup"); a.Status != http.StatusSeeOther {
		t.Errorf("an admin starts a backup: %d %s", a.Status, a.Body)
	}
	if b = awaitBackup(t, s, 2); b.Newest[0].Kind != "admin" || b.Newest[0].Error != "" {
		t.Errorf("%+v", b.Newest[0])
	}
}

func TestAFailedBackupNeedsAttention(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "no folder")
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := servertest.NewWith(t, func(c *config.Config) {
		c.Backup = config.Backup{Daily: "03:00", Clear: true, Folder: folder, KeepDaily: 7}
	})
	if b := awaitBackup(t, s, 1); b.LastGood != nil || !strings.Contains(b.Problem, "failed") || b.Remedy == "" {
		t.Errorf("%+v", b)
	}
	if got := s.Counted(attention); got != "1" {
		t.Errorf("the metric is %q", got)
	}
	if page := s.Get("admin", "/admin/system").Body; !strings.Contains(page, "needs attention") {
		t.Error("the page of the system does not complain")
	}
}
