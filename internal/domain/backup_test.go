package domain

import (
	"strings"
	"testing"
	"time"
)

func TestDailyAndWeeklyBackupsAreKept(t *testing.T) {
	begin := time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC)
	var made []time.Time
	for day := range 60 {
		made = append(made, begin.AddDate(0, 0, day), begin.AddDate(0, 0, day).Add(time.Hour))
	}
	expired := map[time.Time]bool{}
	for _, at := range ExpiredBackups(made, 7, 4) {
		expired[at] = true
	}
	var kept []string
	for _, at := range made {
		if !expired[at] {
			kept = append(kept, at.Format("0102 15"))
		}
	}
	// 1 March 2026 is a Sunday: the week's newest is the day's newest.
	if got := strings.Join(kept, ", "); got != "0208 04, 0215 04, 0222 04, 0223 04, 0224 04, 0225 04, 0226 04, 0227 04, 0228 04, 0301 04" {
		t.Errorf("kept: %s", got)
	}
}

func TestOverdueAndFailedBackupsAreReported(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	good := Backup{Kind: BackupScheduled, EndedAt: now.Add(-9 * time.Hour)}
	old := Backup{Kind: BackupScheduled, EndedAt: now.Add(-28 * time.Hour)}
	failed := Backup{Kind: BackupScheduled, EndedAt: now.Add(-time.Hour), Error: "The disk is full."}
	ahead := func(b Backup) Backup { b.EndedAt = b.EndedAt.AddDate(1, 0, 0); return b }
	for _, c := range []struct {
		name  string
		state BackupState
		want  string
	}{
		{"not scheduled", BackupState{}, ""},
		{"good", BackupState{Daily: "03:00", Newest: []Backup{good}, LastGood: good}, ""},
		{"late", BackupState{Daily: "03:00", Newest: []Backup{old}, LastGood: old}, "1 March 2026, 08:00"},
		{"failed", BackupState{Daily: "03:00", Newest: []Backup{failed, good}, LastGood: good}, "The disk is full."},
		{"mended", BackupState{Daily: "03:00", Newest: []Backup{good, failed}, LastGood: good}, ""},
		{"failed while the clock was ahead", BackupState{Daily: "03:00", Newest: []Backup{ahead(failed), good}, LastGood: good}, ""},
		{"late since the clock was ahead", BackupState{Daily: "03:00", Newest: []Backup{ahead(good), old}, LastGood: ahead(good)}, "1 March 2026"},
		{"failed since", BackupState{Daily: "03:00", Newest: []Backup{ahead(good), failed}, LastGood: ahead(good)}, "The disk is full."},
		{"never", BackupState{Daily: "03:00", Since: now.Add(-24 * time.Hour)}, "No backup has succeeded yet"},
		{"just started", BackupState{Daily: "03:00", Since: now.Add(-time.Hour)}, ""},
	} {
		cause, remedy := c.state.Problem(now)
		if (c.want == "") != (cause == "") || !strings.Contains(cause, c.want) || (cause == "") != (remedy == "") {
			t.Errorf("%s: %q %q", c.name, cause, remedy)
		}
	}
}

func TestABackupIsDueAtItsTimeOfDay(t *testing.T) {
	now := time.Date(2026, 3, 1, 2, 59, 0, 0, time.UTC)
	for minutes, want := range map[int]string{0: "2026-02-28T03:00", 1: "2026-03-01T03:00", 60: "2026-03-01T03:00"} {
		if due, err := DueBackup("03:00", now.Add(time.Duration(minutes)*time.Minute)); err != nil || due.Format("2006-01-02T15:04") != want {
			t.Errorf("after %d minutes: %s, %v", minutes, due, err)
		}
	}
	if _, err := DueBackup("3 am", now); CodeOf(err) != Invalid {
		t.Errorf("%v", err)
	}
}
