package runs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

var manager = domain.Actor{Kind: "person", PersonID: 2, Name: "Ada"}

func (w *world) queue() (names []string) {
	w.t.Helper()
	all, err := w.server.Queue(w.t.Context(), w.fed.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range all {
		names = append(names, r.Name)
	}
	return names
}

func (w *world) queueIs(want ...string) {
	w.t.Helper()
	if got := w.queue(); !slices.Equal(got, want) {
		w.t.Errorf("the queue is %v, want %v", got, want)
	}
}

// A queued run can be moved, cancelled and put back at its place; whoever comes later is still the last.
func TestTheQueueIsPutInOrder(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		ids := map[string]int64{}
		for _, name := range []string{"a", "b", "c", "d"} {
			ids[name] = w.launch(name).ID
		}
		move := func(name string, place int) {
			t.Helper()
			if _, err := w.server.Move(t.Context(), manager, ids[name], place); err != nil {
				t.Fatal(err)
			}
		}
		move("d", 1)
		w.queueIs("d", "a", "b", "c")
		move("a", 99)
		w.queueIs("d", "b", "c", "a")
		w.launch("e")
		w.queueIs("d", "b", "c", "a", "e")
		if _, err := w.server.Stop(t.Context(), manager, ids["b"]); err != nil {
			t.Fatal(err)
		}
		w.queueIs("d", "c", "a", "e")
		back, err := w.server.Requeue(t.Context(), manager, ids["b"])
		if err != nil || back.State != domain.Queued || back.StopAsked || back.Cause != (domain.Cause{}) || !back.EndedAt.IsZero() {
			t.Errorf("put back it is %+v, %v", back, err)
		}
		w.queueIs("d", "b", "c", "a", "e")
		if got := w.audit("b"); !slices.Equal(got, []string{"run.requeued", "run.stopped", "run.queued"}) {
			t.Errorf("audit of b: %v", got)
		}
		w.until(ids["d"], isRunning)
		for what, err := range map[string]error{
			"moving what runs":        func() error { _, err := w.server.Move(t.Context(), manager, ids["d"], 1); return err }(),
			"putting back what runs":  func() error { _, err := w.server.Requeue(t.Context(), manager, ids["d"]); return err }(),
			"putting back what waits": func() error { _, err := w.server.Requeue(t.Context(), manager, ids["c"]); return err }(),
		} {
			if domain.CodeOf(err) != domain.Conflict {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}

// A run that is planned for later lets those behind it go ahead, and starts when its time has come.
func TestARunThatIsPlannedStartsThen(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	in := runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "later", NotBefore: time.Now().Add(time.Hour)}
	later, err := w.server.Launch(t.Context(), manager, in)
	if err != nil {
		t.Fatal(err)
	}
	now := w.launch("now")
	w.until(now.ID, isRunning)
	w.engine.exit(0, "")
	w.until(now.ID, hasEnded)
	for range 3 {
		if _, err := w.server.Step(t.Context(), w.fed.ID); err != nil {
			t.Fatal(err)
		}
	}
	w.queueIs("later")
	w.at(time.Now().Add(61 * time.Minute))
	w.until(later.ID, isRunning)
	for _, bad := range []time.Time{time.Now().Add(-time.Hour), time.Now().AddDate(2, 0, 0)} {
		in.Name, in.NotBefore = "bad", bad
		if _, err := w.server.Launch(t.Context(), manager, in); domain.CodeOf(err) != domain.Invalid {
			t.Errorf("a start at %s: %v", bad, err)
		}
	}
}

// When the board says no-go nobody launches, but an admin who gives a reason; it is kept with the run.
func TestANoGoNeedsAReason(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.engine.up = false
	admin := domain.Actor{Kind: "person", PersonID: 1, Name: "Admin", Admin: true}
	try := func(actor domain.Actor, reason string) (domain.Run, error) {
		return w.server.Launch(t.Context(), actor, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "r1", Override: reason})
	}
	for what, c := range map[string]struct {
		actor  domain.Actor
		reason string
	}{"a manager": {manager, ""}, "a manager with a reason": {manager, "now"}, "an admin without one": {admin, " "}} {
		if _, err := try(c.actor, c.reason); domain.CodeOf(err) != domain.Conflict || !strings.Contains(err.Error(), "SuperLink is stopped") {
			t.Errorf("%s: %v", what, err)
		}
	}
	run, err := try(admin, "it starts at noon")
	if err != nil || run.Override != "it starts at noon" {
		t.Fatalf("%+v, %v", run, err)
	}
	w.engine.up = true
	run, err = w.server.Launch(t.Context(), admin, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "r2", Override: "for nothing"})
	if err != nil || run.Override != "" {
		t.Errorf("a reason that nothing needed is kept: %q, %v", run.Override, err)
	}
}

// A run made again after the federation grew is over its new total: that is what SuperNodes split their data by.
func TestACloneTakesTheFederationsTotal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		run, err := w.server.Launch(t.Context(), manager, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "cnn-12"})
		if err != nil {
			t.Fatal(err)
		}
		if c, changed := runs.TotalCheck(w.fed, run); changed {
			t.Errorf("nothing changed, but the board says %+v", c)
		}
		fed := w.fed
		fed.TotalPartitions = run.TotalPartitions + 5
		if err := db.InTx(t.Context(), func(tx *store.Tx) error { return tx.UpdateFederation(t.Context(), fed) }); err != nil {
			t.Fatal(err)
		}
		again, err := w.server.Clone(t.Context(), manager, run.ID, runs.Changes{})
		if err != nil || again.TotalPartitions != fed.TotalPartitions {
			t.Errorf("made again over %d partitions, %v; want %d", again.TotalPartitions, err, fed.TotalPartitions)
		}
		if c, changed := runs.TotalCheck(fed, run); !changed || c.Mark != runs.Caution || c.Found != "15 now" || c.Needed != "10, as in cnn-12" {
			t.Errorf("the board says %+v", c)
		}
	})
}

// A clone is the same launch with another name: config, settings with their secrets, limits, note and tags.
func TestACloneIsTheSameLaunch(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	settings := domain.RunSettings{Environment: map[string]string{"API_KEY": "s3cret"}, CPUs: 2, MemoryMB: 500, LogLevel: "DEBUG"}
	limits := domain.Limits{Wall: time.Hour}
	run, err := w.server.Launch(t.Context(), manager, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "cnn-12", Config: map[string]string{"num-server-rounds": "7"},
		Settings: settings, Limits: &limits, Note: "n", Tags: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	same, err := w.server.Clone(t.Context(), manager, run.ID, runs.Changes{})
	if err != nil || same.Name != "cnn-13" || same.Config["num-server-rounds"] != int64(7) || same.Settings.Environment["API_KEY"] != "s3cret" || same.Settings.Limits != limits || same.Note != "n" || same.Tags[0] != "t" || same.Rounds != 7 {
		t.Errorf("the clone is %+v, %v", same, err)
	}
	other, err := w.server.Clone(t.Context(), manager, run.ID, runs.Changes{Name: "x", Config: map[string]string{"num-server-rounds": "9"}})
	if err != nil || other.Name != "x" || other.Rounds != 9 {
		t.Errorf("the changed clone is %+v, %v", other, err)
	}
}
