package web_test

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// A deleted run is gone from every page and link at once, can be restored, and is removed with its files after a week. Its Run ID stays
// taken, and the audit still says what it was.
func TestADeletedRunIsHiddenThenRestoredThenRemoved(t *testing.T) {
	onBoth(t, func(s *site) {
		ctx, t := s.T.Context(), s.T
		s.Enrol(7)
		run := s.TookWith("gone-1", 77, map[uint64]string{7: "ok"}, func(r *domain.Run) { r.Tags, r.Note = []string{"old"}, "secret note" })
		s.Passes(5 * time.Second) // the run has ended by then
		if err := s.Server.Runs.MakeReceipts(ctx); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(s.Server.Runs.Engine.WorkDir(s.Fed.ID, 77))
		if err := os.MkdirAll(filepath.Join(dir, "work"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "serverapp.log"), []byte("hello\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		secret, _, err := s.Server.Runs.Share(ctx, domain.System, run, 7, true)
		if err != nil {
			t.Fatal(err)
		}
		pages := []string{"/f/fed/runs/gone-1", "/f/fed/runs/gone-1/metrics.csv", "/f/fed/runs/gone-1/receipt.json", "/share/" + secret,
			"/api/v1/runs/gone-1"}
		seen := func(want int) {
			t.Helper()
			for _, path := range pages {
				if a := s.Get("manager", path); a.Status != want {
					t.Errorf("%s: %d, want %d", path, a.Status, want)
				}
			}
			for _, path := range []string{"/f/fed/runs", "/f/fed", "/f/fed/runs.csv", "/api/v1/federations/fed/runs",
				"/find.json?q=gone", "/apps", "/me/fed"} {
				kind := "manager"
				if path == "/me/fed" {
					kind = "participant"
				}
				if has := strings.Contains(s.Get(kind, path).Body, "gone-1"); has != (want == http.StatusOK) && path != "/f/fed" {
					t.Errorf("%s names the run: %v", path, has)
				}
			}
		}
		seen(http.StatusOK)
		if a := s.Post("manager", "/f/fed/delete-runs", "run", "gone-1", "confirmed", "yes"); a.Status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		seen(http.StatusNotFound)
		if list := s.Get("manager", "/f/fed/deleted-runs").Body; !strings.Contains(list, "gone-1") {
			t.Error("it is not among the deleted ones")
		}
		if a := s.Post("manager", "/f/fed/restore-runs"); a.Status != http.StatusUnprocessableEntity ||
			!strings.Contains(a.Body, "Choose 1 to 500 runs to restore.") {
			t.Errorf("nothing is restored: %d %s", a.Status, a.Body)
		}
		if a := s.Post("manager", "/f/fed/restore-runs?run=gone-1"); a.Status != http.StatusSeeOther {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		seen(http.StatusOK)

		// By rule; then a week passes.
		asked := s.Post("manager", "/f/fed/delete-runs", "tag", "old", "state", "completed", "days", "0")
		if !strings.Contains(asked.Body, "Delete gone-1?") {
			t.Errorf("the rule finds %s", asked.Body)
		}
		s.TookWith("since-1", 78, nil, func(r *domain.Run) { r.Tags = []string{"old"} })
		if again := s.Post("manager", "/f/fed/delete-runs", "tag", "old", "confirmed", "yes"); !strings.Contains(again.Body, "Delete 2 runs (") {
			t.Errorf("a rule deletes what no question named: %d %s", again.Status, again.Body)
		}
		var fields []string
		for _, m := range aHiddenField.FindAllStringSubmatch(asked.Body, -1) {
			fields = append(fields, m[1], m[2])
		}
		s.Post("manager", "/f/fed/delete-runs", append(fields, "confirmed", "yes")...)
		if list := s.Get("manager", "/f/fed/deleted-runs").Body; !strings.Contains(list, "gone-1") || strings.Contains(list, "since-1") {
			t.Errorf("not what the question named was deleted: %s", list)
		}
		s.Passes(6 * 24 * time.Hour)
		if err := s.Server.Runs.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("its files are gone early: %v", err)
		}
		s.Passes(25 * time.Hour)
		if err := s.Server.Runs.Purge(ctx); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"manager", "admin"} { // their sessions have expired
			secret, _, err := s.Server.Accounts.NewSession(ctx, s.Persons[kind].ID, "192.0.2.1", "test")
			if err != nil {
				t.Fatal(err)
			}
			s.Cookies[kind] = secret
		}
		s.removed(run, dir)
	})
}

// A run that cannot be removed, and many of them, keep no other from it. They are tried again.
func TestRunsThatCannotBeRemovedKeepNoOtherFromIt(t *testing.T) {
	onBoth(t, func(s *site) {
		ctx, t := s.T.Context(), s.T
		s.FillRuns(51, 0, 1)
		var other domain.Federation
		s.Put(func(tx *store.Tx) (err error) { other, err = tx.FederationBySlug(ctx, "other"); return err })
		good := s.addRun(other.ID, "good-1", func(r *domain.Run) { r.EngineRunID, r.EndedAt = 9, s.Now() })
		dir := filepath.Dir(s.Server.Runs.Engine.WorkDir(other.ID, 9))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, d := range []domain.RunDeletion{{FederationID: s.Fed.ID, States: []domain.RunState{domain.Completed, domain.Failed, domain.Stopped}},
			{FederationID: other.ID, Names: []string{good.Name}}} {
			if _, err := s.Server.Runs.Delete(ctx, domain.System, d); err != nil {
				t.Fatal(err)
			}
			s.Passes(time.Minute)
		}
		s.Passes(8 * 24 * time.Hour)
		// Nothing below a file can be removed, whoever tries.
		folder := filepath.Dir(filepath.Dir(s.Server.Runs.Engine.WorkDir(s.Fed.ID, 1000)))
		if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(filepath.Dir(folder), 0o700), os.WriteFile(folder, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		err := s.Server.Runs.Purge(ctx)
		if err == nil || !strings.Contains(err.Error(), "removing digits-1: ") || strings.Count(err.Error(), "\n") > 10 {
			t.Errorf("what cannot be removed: %v", err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("the files of the other run are still there: %v", err)
		}
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		if err := s.Server.Runs.Purge(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Server.DB.View(ctx, func(tx *store.Tx) error {
			left, err := tx.RunsToPurge(ctx, s.Now(), 0, 10)
			if len(left) != 0 {
				t.Errorf("%d runs are left", len(left))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	})
}

// removed checks that nothing is left of a run but its row and its audit.
func (s *site) removed(run domain.Run, dir string) {
	ctx, t := s.T.Context(), s.T
	t.Helper()
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("its files are still there: %v", err)
	}
	if err := s.Server.DB.View(ctx, func(tx *store.Tx) error {
		left, err := tx.RunNamed(ctx, run.Name)
		if err != nil || left.Note != "" || len(left.Tags) != 0 || left.PurgingAt.IsZero() {
			t.Errorf("its row: %+v %v", left, err)
		}
		metrics, err := tx.Metrics(ctx, run.FederationID, run.EngineRunID, 0, 10)
		if err != nil || len(metrics) != 0 {
			t.Errorf("metrics: %v %v", metrics, err)
		}
		who, err := tx.RunParticipants(ctx, run.ID)
		if err != nil || len(who) != 0 {
			t.Errorf("participants: %v %v", who, err)
		}
		_, err = tx.Receipt(ctx, run.ID)
		if domain.CodeOf(err) != domain.NotFound {
			t.Errorf("the receipt is still there: %v", err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if a := s.Post("manager", "/f/fed/restore-runs", "run", run.Name); a.Status != http.StatusNotFound ||
		strings.Contains(s.Get("manager", "/f/fed/runs").Body, run.Name) {
		t.Errorf("it is restored: %d %s", a.Status, a.Body)
	}
	if err := s.Server.Runs.AppExited(ctx, domain.NodeKey{FederationID: run.FederationID, NodeID: 7},
		domain.AppExit{EngineRunID: run.EngineRunID, ExitCode: 1, Output: "late"}); err != nil {
		t.Errorf("an agent that reports late: %v", err)
	}
	if err := s.Server.DB.View(ctx, func(tx *store.Tx) error {
		exits, err := tx.AppExits(ctx, run.FederationID, run.EngineRunID)
		if len(exits) != 0 {
			t.Errorf("what an agent reported late is kept: %+v", exits)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Server.Runs.ByName(ctx, run.Name)
	if domain.CodeOf(err) != domain.NotFound {
		t.Errorf("it is found: %v", err)
	}
	if got := s.Audited(run.Name); !slices.Contains(got, "run.purged") || !slices.Contains(got, "run.restored") {
		t.Errorf("audit: %v", got)
	}
	again := s.API(http.MethodPost, "/federations/fed/runs", `{"app":"`+run.AppHash+`","name":"`+run.Name+`"}`)
	if !strings.Contains(again.Body, "is taken") {
		t.Errorf("its Run ID is free: %d %s", again.Status, again.Body)
	}
}

var aHiddenField = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)"`)

// Runs that have not ended, those of another federation and an empty choice are refused; many at once are one change.
func TestWhichRunsCanBeDeleted(t *testing.T) {
	s := newSite(t)
	s.FillRuns(30, 1, 1)
	s.addRun(s.Fed.ID, "busy", s.goesOn(43))
	refused := func(body, words string) {
		t.Helper()
		if a := s.API(http.MethodPost, "/federations/fed/runs/delete", body); a.Status < 400 || !strings.Contains(a.Body, words) {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	refused(`{"runs":["digits-1","busy"]}`, "only ended runs can be deleted")
	refused(`{}`, "No run is selected.")
	refused(`{"runs":["digits-1"],"tag":"sweep"}`, "by name or by rule")
	refused(`{"states":["queued"]}`, "states")
	if a := s.API(http.MethodPost, "/federations/other/runs/delete", `{"runs":["r-1"]}`); a.Status != http.StatusNotFound {
		t.Errorf("a run of another federation: %d %s", a.Status, a.Body)
	}
	if n := strings.Count(s.auditText(), "run.deleted"); n != 0 {
		t.Errorf("%d were deleted", n)
	}
	a := s.API(http.MethodPost, "/federations/fed/runs/delete", `{"states":["failed"],"tag":"sweep"}`)
	if n := strings.Count(a.Body, `"restorable_until"`); a.Status != http.StatusOK || n != 4 {
		t.Errorf("%d deleted: %d %s", n, a.Status, a.Body)
	}
	if a := s.API(http.MethodPost, "/federations/fed/runs/delete", `{"states":["failed"],"older_than_days":1,"dry_run":true}`); a.Status !=
		http.StatusOK || strings.Contains(a.Body, "digits") {
		t.Errorf("too young: %d %s", a.Status, a.Body)
	}
}
