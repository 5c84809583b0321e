package backup

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// scheduled is a service whose clock the test sets; daily backups are due at 03:00.
func scheduled(t *testing.T, p *place) (s *Service, now *time.Time) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	p.set.Backup.Daily, p.set.Backup.Clear, p.set.Backup.KeepDaily, p.set.Backup.KeepWeekly = "03:00", true, 2, 1
	p.set.Backup.Folder = filepath.Join(t.TempDir(), "elsewhere")
	return &Service{DB: p.db, Config: p.set, Server: "test", Log: slog.New(slog.DiscardHandler), Started: at,
		Clock: func() time.Time { return at }}, &at
}

// tick makes a backup if one is due, as [Service.Run] does, and returns what is known then.
func tick(t *testing.T, s *Service) domain.BackupState {
	t.Helper()
	due, err := s.due(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if due {
		s.make(t.Context(), domain.System, domain.BackupScheduled)
	}
	state, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestDailyBackupsAreMadeVerifiedAndRemoved(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s, now := scheduled(t, p)
		for day := range 4 {
			state := tick(t, s)
			last := state.LastGood
			if len(state.Newest) != day+1 || last.Verified != domain.BackupContentChecked || last.Kind != domain.BackupScheduled {
				t.Fatalf("day %d: %+v", day, state)
			}
			if again := tick(t, s); len(again.Newest) != day+1 {
				t.Errorf("day %d: a second backup was made", day)
			}
			if sum, err := fileSum(t.Context(), state.LastGood.File); err != nil || sum != state.LastGood.SHA256 {
				t.Errorf("the file has %s, was %s: %v", sum, state.LastGood.SHA256, err)
			}
			*now = now.Add(24 * time.Hour)
		}
		other := filepath.Join(s.Config.Backup.Folder, "blossomtune-other-20200101T000000Z.backup")
		if err := os.WriteFile(other, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.prune(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(s.Config.Backup.Folder)
		if err != nil || len(entries) != 3 { // two days and the other server's
			t.Errorf("%v, %v", entries, err)
		}
		last, err := LastSuccess(t.Context(), p.db)
		if err != nil || last.EndedAt.Format(time.DateOnly) != "2026-03-05" {
			t.Errorf("the last success is %+v, %v", last, err)
		}
	})
}

func TestAFailedBackupIsReportedAndRepeated(t *testing.T) {
	eachPlace(t, func(t *testing.T, p *place) {
		s, now := scheduled(t, p)
		if err := os.WriteFile(s.Config.Backup.Folder, nil, 0o600); err != nil { // so that it is no folder
			t.Fatal(err)
		}
		state := tick(t, s)
		if cause, remedy := state.Problem(*now); len(state.Newest) != 1 || !strings.Contains(cause, "cannot be made") || remedy == "" {
			t.Errorf("%q, %+v", cause, state)
		}
		if state := tick(t, s); len(state.Newest) != 1 {
			t.Error("a failed backup was repeated at once")
		}
		if err := os.Remove(s.Config.Backup.Folder); err != nil {
			t.Fatal(err)
		}
		*now = now.Add(retryAfter)
		state = tick(t, s)
		if cause, _ := state.Problem(*now); len(state.Newest) != 2 || cause != "" {
			t.Errorf("%q, %+v", cause, state)
		}
		err := p.db.View(t.Context(), func(tx *store.Tx) error {
			for action, want := range map[string]int{"backup.failed": 1, "backup.made": 1} {
				if found, err := tx.AuditEntries(t.Context(), domain.AuditFilter{Action: action}); err != nil || len(found) != want {
					t.Errorf("%d audit entries of %s, %v", len(found), action, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// A backup for a recipient cannot be opened by the server: its bytes are compared instead.
func TestAnAdminAsksForABackup(t *testing.T) {
	p := newPlace(t, "")
	s, _ := scheduled(t, p)
	s.Config.Backup.Daily, s.Config.Backup.Clear = "", false
	if err := s.Start(t.Context(), domain.System); domain.CodeOf(err) != domain.Invalid {
		t.Errorf("without a protection: %v", err)
	}
	recipient, err := NewKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	s.Config.Backup.Recipient = []string{recipient}
	admin := domain.Actor{Kind: "person", PersonID: 1, Name: "Ada"}
	if err := s.Start(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context(), admin); domain.CodeOf(err) != domain.Conflict {
		t.Errorf("a second one meanwhile: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	deadline, every := time.After(30*time.Second), time.NewTicker(20*time.Millisecond)
	defer every.Stop()
	for made := false; !made; {
		select {
		case <-every.C:
			state, err := s.State(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			made = !state.Running && state.LastGood.Verified == domain.BackupBytesChecked && !state.LastGood.Clear
		case <-deadline:
			t.Fatal("no backup was made")
		}
	}
	cancel()
	<-done
}

// The clock was wrong for a while: the backups of that time hide nothing, and push nothing out.
func TestAClockThatWasAheadStopsNoBackups(t *testing.T) {
	p := newPlace(t, "")
	s, now := scheduled(t, p)
	right := *now
	var ahead []string
	for day := range 3 {
		*now = right.AddDate(1, 0, day)
		ahead = append(ahead, tick(t, s).LastGood.File)
	}
	*now = right
	for range 3 {
		if state := tick(t, s); len(state.Newest) == 3 {
			t.Fatal("no backup is made until the clock has caught up")
		}
		var b domain.Backup
		err := p.db.View(t.Context(), func(tx *store.Tx) error {
			found, err := tx.Backups(t.Context(), 100)
			i := slices.IndexFunc(found, func(b domain.Backup) bool { return b.StartedAt.Equal(*now) })
			if i >= 0 {
				b = found[i]
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(b.File); err != nil {
			t.Errorf("the backup just made: %v", err)
		}
		*now = now.Add(24 * time.Hour)
	}
	for _, file := range ahead[1:] {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
	before := ahead[len(ahead)-1]
	*now = right.AddDate(1, 0, 5) // where they count, the one just made is kept all the same
	if err := s.prune(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(before); err != nil {
		t.Error(err)
	}
}
