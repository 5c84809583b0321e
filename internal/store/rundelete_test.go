package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"

	"github.com/google/go-cmp/cmp"
)

var (
	aTable  = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\n\)`)
	ofARun  = regexp.MustCompile(`(?m)^\s*(run_id|engine_run_id)\s`)
	keptFor = []string{"run"} // the row itself stays, emptied
)

// Each table whose rows belong to a run is emptied when the run's data is removed.
func TestPurgingARunKnowsEachTableOfRuns(t *testing.T) {
	files, err := filepath.Glob("migrations/sqlite/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range aTable.FindAllStringSubmatch(string(text), -1) {
			name, columns := m[1], m[2]
			if !ofARun.MatchString(columns) || slices.Contains(keptFor, name) {
				continue
			}
			if found++; !slices.Contains(store.TablesOfRuns(), name) {
				t.Errorf("%s: rows of %s stay when a run is removed", filepath.Base(file), strings.ToLower(name))
			}
		}
	}
	if found != len(store.TablesOfRuns()) {
		t.Errorf("%d tables are found, %d are emptied", found, len(store.TablesOfRuns()))
	}
}

// deleted marks a run as deleted.
func deleted(t *testing.T, db *store.DB, r domain.Run) {
	t.Helper()
	r.DeletedAt, r.DeletedBy = now, "Ada"
	in(t, db, func(tx *store.Tx) error { return tx.MarkRunDeleted(ctx, r) })
}

// A purged run leaves no notice, and no column of the table of runs that no other run has a value for; those of others stay.
func TestPurgingARunTakesItsNoticesAndColumns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 3)
		gone, stays := all[1], all[2]
		who := domain.Person{Email: "m@example.org", Name: "M", CreatedAt: now}
		hook := domain.Webhook{FederationID: f.ID, Name: "ops", Shape: domain.WebhookJSON, Kinds: domain.FederationNotices, Sealed: []byte("s"), CreatedAt: now}
		in(t, db, func(tx *store.Tx) error {
			app := domain.AppVersion{Hash: "other", Publisher: "p", Name: "o", Version: "1", FAB: []byte("o"), CreatedAt: now,
				Config: []domain.ConfigKey{{Key: "only-gone", Kind: domain.KindInt, Default: int64(1)}, {Key: "lr", Kind: domain.KindFloat, Default: 1.0}}}
			if err := tx.PutAppVersion(ctx, app); err != nil {
				return err
			}
			gone = domain.Run{FederationID: f.ID, Name: "gone", State: domain.Failed, AppHash: "other", AppID: "p/o", AppVersion: "1", TotalPartitions: 10,
				EngineRunID: 1<<64 - 99, CreatedAt: now, StartingAt: now, EndedAt: now}
			if err := tx.InsertRun(ctx, &gone); err != nil {
				return err
			}
			for _, m := range []domain.Metric{{EngineRunID: gone.EngineRunID, Name: "of-gone"}, {EngineRunID: gone.EngineRunID, Name: "of-both"}, {EngineRunID: stays.EngineRunID, Name: "of-both"}} {
				m.FederationID, m.Round, m.Phase, m.At = f.ID, 1, domain.PhaseTrain, now
				if _, err := tx.InsertMetrics(ctx, []domain.Metric{m}); err != nil {
					return err
				}
			}
			if err := tx.InsertPerson(ctx, &who); err != nil {
				return err
			}
			if err := tx.InsertWebhook(ctx, &hook); err != nil {
				return err
			}
			for _, r := range []domain.Run{gone, stays} {
				n := domain.Notice{Kind: domain.NoticeRunFailed, FederationID: f.ID, About: domain.AboutRun(r.ID), At: now, Facts: domain.NoticeFacts{Run: &domain.NoticeRun{Name: r.Name}}}
				if err := tx.InsertNotice(ctx, &n); err != nil {
					return err
				}
				if err := tx.InsertNoticeItem(ctx, domain.NoticeItem{PersonID: who.ID, Notice: n, DueAt: now}); err != nil {
					return err
				}
				if err := tx.InsertDelivery(ctx, &domain.Delivery{WebhookID: hook.ID, Notice: n, State: domain.DeliveryQueued, NextAt: now, CreatedAt: now}); err != nil {
					return err
				}
			}
			return nil
		})
		deleted(t, db, gone)
		in(t, db, func(tx *store.Tx) error {
			if err := tx.BeginPurge(ctx, gone.ID, now); err != nil {
				return err
			}
			if more, err := tx.PurgeRun(ctx, gone); err != nil || more {
				t.Errorf("more is left: %v %v", more, err)
			}
			return tx.EndPurge(ctx, gone.ID, now)
		})
		in(t, db, func(tx *store.Tx) error {
			open, err := tx.UnsortedNotices(ctx, 10)
			if err != nil || len(open) != 1 || open[0].Facts.Run.Name != stays.Name {
				t.Errorf("notices: %+v %v", open, err)
			}
			due, err := tx.DueNotices(ctx, who.ID, now, 10)
			if err != nil || len(due) != 1 || due[0].Notice.Facts.Run.Name != stays.Name {
				t.Errorf("waiting to be mailed: %+v %v", due, err)
			}
			sent, err := tx.Deliveries(ctx, hook.ID, 0, 10)
			if err != nil || len(sent) != 1 || sent[0].Notice.Facts.Run.Name != stays.Name {
				t.Errorf("deliveries: %+v %v", sent, err)
			}
			choices, err := tx.RunChoices(ctx, f.ID, 0)
			if d := cmp.Diff([]string{"big", "lr", "on", "opt"}, choices.Config); d != "" {
				t.Error(d)
			}
			if i := slices.IndexFunc(choices.Metrics, func(c domain.RunColumn) bool { return c.Name == "of-gone" }); i >= 0 {
				t.Errorf("the metric that only it had is still there: %v", choices.Metrics)
			}
			if i := slices.IndexFunc(choices.Metrics, func(c domain.RunColumn) bool { return c.Name == "of-both" }); i < 0 {
				t.Errorf("the metric that another run has is gone: %v", choices.Metrics)
			}
			return err
		})
	})
}

// A deleted run counts in nothing that is said of all runs: neither itself, nor as the one that followed another.
func TestDeletedRunsDoNotCount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		f, all := manyRuns(t, db, 2)
		completed, failed := all[0], all[1]
		follows := domain.Run{FederationID: f.ID, Name: "follows", State: domain.Stopped, AppHash: "h", AppID: "p/n", AppVersion: "1",
			TotalPartitions: 10, CreatedAt: failed.EndedAt, EndedAt: failed.EndedAt}
		in(t, db, func(tx *store.Tx) error { return tx.InsertRun(ctx, &follows) })
		var es []domain.Exchange
		for i, r := range []domain.Run{failed, completed} { // the last asked later
			es = append(es, domain.Exchange{FederationID: f.ID, EngineRunID: r.EngineRunID, MessageID: r.Name, Round: 1, Phase: domain.PhaseTrain,
				NodeID: 7, AskedAt: now.Add(time.Duration(i) * time.Minute), RepliedAt: now.Add(time.Hour)})
		}
		for _, e := range es {
			if err := db.Record(ctx, domain.Observation{Exchanges: []domain.Exchange{e}}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(part domain.Part, newest string, ever bool, open int) {
			t.Helper()
			in(t, db, func(tx *store.Tx) error {
				if got, err := tx.Part(ctx, f.ID, 7); err != nil || got != part {
					t.Errorf("took part in %+v, want %+v: %v", got, part, err)
				}
				if got, err := tx.NewestContributions(ctx, f.ID, 7, 1); err != nil || len(got) != 1 || got[0].Run != newest {
					t.Errorf("the newest round: %+v, want one of %s: %v", got, newest, err)
				}
				if got, err := tx.EverCompleted(ctx); err != nil || got != ever {
					t.Errorf("one has completed: %v %v", got, err)
				}
				got, err := tx.OpenFailures(ctx, []int64{f.ID}, now.Add(-time.Hour), 10)
				if len(got) != open {
					t.Errorf("%d failures are open, want %d", len(got), open)
				}
				return err
			})
		}
		check(domain.Part{Rounds: 2, Runs: 2}, completed.Name, true, 0)
		deleted(t, db, completed)
		deleted(t, db, follows)
		check(domain.Part{Rounds: 1, Runs: 1}, failed.Name, false, 1)
	})
}
