package domain

import (
	"fmt"
	"slices"
	"time"
)

// Backup is one try to back the server up.
type Backup struct {
	ID                 int64
	Kind               BackupKind
	StartedAt, EndedAt time.Time
	File               string // "" where there is none
	Size               int64  // bytes
	SHA256             string // of the file
	Clear              bool   // it is not encrypted
	Verified           BackupCheck
	Error              string // why there is none, or what is wrong with the file; "" where all is well
}

// BackupKind says who asked for a backup.
type BackupKind string

// The kinds of backups.
const (
	BackupByCommand BackupKind = "command"   // blossomtune backup
	BackupByAdmin   BackupKind = "admin"     // on the page or by the API
	BackupScheduled BackupKind = "scheduled" // by the server itself
)

// BackupCheck says how a backup was checked after it was written.
type BackupCheck string

// How backups are checked.
const (
	BackupUnchecked      BackupCheck = ""
	BackupContentChecked BackupCheck = "content" // opened and read: every hash, the database, the audit
	BackupBytesChecked   BackupCheck = "bytes"   // read back and compared; the server has no key that opens it
)

// BackupState is what a server knows of its backups.
type BackupState struct {
	Daily                 string // the time of day of scheduled ones, "03:00" in UTC; "": there are none
	Folder                string
	KeepDaily, KeepWeekly int
	Next                  time.Time // when the next scheduled one is due
	Running               bool
	Newest                []Backup  // the newest first
	LastGood              Backup    // the zero value: none has succeeded
	Since                 time.Time // when the server started
}

// backupGrace is how late a daily backup may be.
const backupGrace = 3 * time.Hour

// Problem returns what is wrong with scheduled backups, as cause and remedy; "" where nothing is.
func (s BackupState) Problem(now time.Time) (cause, remedy string) {
	if s.Daily == "" {
		return "", ""
	}
	known := slices.DeleteFunc(slices.Clone(s.Newest), func(b Backup) bool { return b.EndedAt.After(now) }) // the clock was once ahead
	good := s.LastGood
	if good.EndedAt.After(now) {
		good = Backup{}
		if i := slices.IndexFunc(known, func(b Backup) bool { return b.Error == "" }); i >= 0 {
			good = known[i]
		}
	}
	own := slices.IndexFunc(known, func(b Backup) bool { return b.Kind != BackupByCommand })
	if own >= 0 && known[own].Error != "" && known[own].EndedAt.After(good.EndedAt) {
		return "The newest backup failed: " + known[own].Error, "Remove the cause, then back up now."
	}
	switch late := now.Sub(good.EndedAt); {
	case good.EndedAt.IsZero() && now.Sub(s.Since) < backupGrace:
		return "", ""
	case good.EndedAt.IsZero():
		return "No backup has succeeded yet.", "Check the server's log, then back up now."
	case late > 24*time.Hour+backupGrace:
		return fmt.Sprintf("The last backup that succeeded is from %s.", good.EndedAt.Format("2 January 2006, 15:04 UTC")),
			"Check that the server runs at the time of backups, then back up now."
	}
	return "", ""
}

// DueBackup returns the newest moment at or before now at which a daily backup is due. daily is like "03:00", in UTC.
func DueBackup(daily string, now time.Time) (time.Time, error) {
	at, err := time.Parse("15:04", daily)
	if err != nil {
		return time.Time{}, Errorf(Invalid, "%q is not a time of day.", Cut(daily, 40)).Fix("Write it like 03:00, in UTC.")
	}
	now = now.UTC()
	due := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, time.UTC)
	if due.After(now) {
		due = due.AddDate(0, 0, -1)
	}
	return due, nil
}

// ExpiredBackups returns which of some moments of backups are not kept: the newest of each of the last days that have one are, and the
// newest of each of the last weeks.
func ExpiredBackups(made []time.Time, daily, weekly int) (expired []time.Time) {
	made = slices.Clone(made)
	slices.SortFunc(made, func(a, b time.Time) int { return b.Compare(a) })
	days, weeks := map[string]bool{}, map[string]bool{}
	for _, at := range made {
		keep := false
		if day := at.UTC().Format(time.DateOnly); !days[day] && len(days) < daily {
			days[day], keep = true, true
		}
		year, n := at.UTC().ISOWeek()
		if week := fmt.Sprint(year, "-", n); !weeks[week] && len(weeks) < weekly {
			weeks[week], keep = true, true
		}
		if !keep {
			expired = append(expired, at)
		}
	}
	return expired
}
