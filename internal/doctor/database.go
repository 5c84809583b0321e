//go:build !participant

package doctor

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"blossomtune/internal/backup"
	"blossomtune/internal/domain"
	"blossomtune/internal/filelock"
	"blossomtune/internal/store"
)

const (
	backupEvery = 7 * 24 * time.Hour // warn where no backup is younger
	clockSlack  = 5 * time.Second    // tolerated difference to another machine's clock
	clockBehind = time.Minute        // tolerated time of an audit entry in the future
)

// database checks the database, and what only it knows: the time of the last entry, the newest backup, admins, and runs in progress.
func (s server) database(ctx context.Context) []Finding {
	const part = "database"
	ctx, cancel := context.WithTimeout(ctx, 4*reachWithin)
	defer cancel()
	db, err := store.OpenExisting(ctx, s.c.Database)
	if err != nil {
		return []Finding{failed(part, err)}
	}
	defer db.Close()
	about, err := db.About(ctx)
	if err == nil {
		err = db.Ready(ctx)
	}
	if err == nil {
		err = db.Check(ctx)
	}
	if err != nil {
		return []Finding{failed(part, err)}
	}
	out := []Finding{Good(part, "%s, %d MB, schema %d.", about.Engine, about.Size>>20, about.Schema)}
	if pending, err := db.Pending(ctx); err == nil && pending {
		out[0] = Warn(part, "Restart the server. It migrates the database.", "%s has the schema of an earlier version (%d).", about.Engine,
			about.Schema)
		return out // the rest reads what this version's schema has
	}
	out = append(out, s.time(about), s.backups(ctx, db, about))
	if about.Admins == 0 {
		out = append(out, Warn("admins", "Open the setup link that the server printed, or set --admins.", "No one administers this server yet."))
	}
	return append(out, s.orphans(ctx, db)...)
}

// time compares this machine's clock with the database server's and with the newest entry of the audit.
func (s server) time(about store.About) Finding {
	const part, remedy = "clock", "Synchronize the clock with NTP. Signatures of SuperNodes are refused when clocks differ."
	now := s.clock()
	if off := now.Sub(about.Now); !about.Now.IsZero() && off.Abs() > clockSlack {
		return Bad(part, remedy, "The clock differs from the database server's by %s.", off.Truncate(time.Second))
	}
	if ahead := about.Newest.Sub(now); ahead > clockBehind {
		return Bad(part, remedy, "The clock is behind: the newest audit entry is %s in the future.", ahead.Truncate(time.Second))
	}
	return Good(part, "%s.", now.UTC().Format(time.RFC3339))
}

func (s server) backups(ctx context.Context, db *store.DB, about store.About) Finding {
	const part, remedy = "backups", "Run blossomtune backup FILE, and schedule it with --backup-daily."
	state, err := backup.Known(ctx, db, s.c.Backup, s.clock)
	if err != nil {
		return failed(part, err)
	}
	state.Since = about.Oldest // this command does not know when the server started
	last := state.LastGood.EndedAt
	age := s.clock().Sub(last)
	if cause, remedy := state.Problem(s.clock()); cause != "" {
		return Bad(part, remedy, "%s", cause)
	}
	switch {
	case last.IsZero() && (about.Oldest.IsZero() || s.clock().Sub(about.Oldest) < backupEvery):
		return Good(part, "No backup has been made yet. The server is younger than a week.")
	case last.IsZero():
		return Warn(part, remedy, "No backup has ever been made.")
	case age > backupEvery:
		return Warn(part, remedy, "The newest backup is %d days old.", int(age.Hours()/24))
	}
	return Good(part, "The newest backup is of %s.", last.Format(time.RFC3339))
}

// orphans names federations with runs in progress whose keeper is not running.
func (s server) orphans(ctx context.Context, db *store.DB) (out []Finding) {
	var active []domain.Run
	err := db.View(ctx, func(tx *store.Tx) (err error) { active, err = tx.ActiveRuns(ctx); return err })
	if err != nil {
		return []Finding{failed("runs", err)}
	}
	for _, r := range active {
		if r.State != domain.Running {
			continue
		}
		lock := filepath.Join(s.c.Data, "federations", strconv.FormatInt(r.FederationID, 10), "keeper.lock")
		if held, _ := filelock.Held(lock); !held { // a lock that cannot be read has a finding of its own
			out = append(out, Bad("runs", "Start the server. It starts the keeper, which continues the run or says why it cannot.",
				"The run %s is in progress, but its keeper is not running.", r.Name))
		}
	}
	return out
}
