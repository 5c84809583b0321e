package runs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

func (w *world) step() {
	w.t.Helper()
	if _, err := w.server.Step(w.t.Context(), w.fed.ID); err != nil && !w.kills.dead.Load() {
		w.t.Fatal(err)
	}
}

// A SuperLink without a run rests after the minutes that its federation says, and is up again for the next one: also when the
// server is killed around any of its calls.
func TestASuperLinkRestsUntilTheNextRun(t *testing.T) {
	rest := func(k *killer) (*world, []string) {
		w := newWorld(t, storetest.SQLite(t))
		if _, err := w.server.SetPolicy(t.Context(), manager, w.fed.ID, runs.Policy{Parallel: 1, IdleStop: 10}); err != nil {
			t.Fatal(err)
		}
		first := w.launch("r1")
		w.until(first.ID, isRunning)
		w.engine.exit(0, "")
		w.until(first.ID, hasEnded)
		ended := time.Now()
		w.at(ended.Add(9 * time.Minute))
		w.step()
		if !w.engine.up {
			t.Fatal("it rests too early")
		}
		w.at(ended.Add(11 * time.Minute))
		w.boot(k)
		for range 3 {
			w.step()
			if k.dead.Load() {
				w.boot(&killer{})
				k = &killer{}
			}
		}
		if w.engine.up {
			t.Fatal("it does not rest")
		}
		verdict, checks, err := w.server.Board(t.Context(), w.fed.ID)
		if err != nil || verdict == runs.NoGo || checks[0].Found != "stopped, idle" {
			t.Errorf("the board says %s, %+v, %v", verdict, checks, err)
		}
		next := w.launch("r2")
		w.until(next.ID, isRunning)
		w.engine.exit(0, "")
		w.until(next.ID, hasEnded)
		return w, w.audit("f")
	}
	whole := &killer{}
	_, audit := rest(whole)
	want := []string{"superlink.started", "superlink.stopped", "federation.run_policy"}
	if !slices.Equal(audit, want) {
		t.Errorf("audit %v, want %v", audit, want)
	}
	for at := 1; at <= 2; at++ { // the decision, and the stop
		for _, after := range []bool{false, true} {
			if _, audit := rest(&killer{at: at, after: after}); !slices.Equal(audit, want) {
				t.Errorf("killed at %d, after: %v: audit %v, want %v", at, after, audit, want)
			}
		}
	}
}

// A planned run wakes its SuperLink a little before its time.
func TestAPlannedRunWakesItsSuperLink(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	if _, err := w.server.SetPolicy(t.Context(), manager, w.fed.ID, runs.Policy{Parallel: 1, IdleStop: 5}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	run, err := w.server.Launch(t.Context(), manager, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "r1", NotBefore: began.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	w.at(began.Add(6 * time.Minute))
	w.step()
	if w.engine.up {
		t.Fatal("it does not rest before a run that is an hour away")
	}
	w.at(began.Add(time.Hour - 20*time.Second))
	w.step()
	if got, err := w.server.Get(t.Context(), run.ID); !w.engine.up || err != nil || got.State != domain.Queued {
		t.Errorf("shortly before its time: up %v, the run is %s, %v", w.engine.up, got.State, err)
	}
	w.at(began.Add(time.Hour + time.Second))
	w.until(run.ID, isRunning)
}

func TestAPolicyIsChecked(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for field, p := range map[string]runs.Policy{"parallel": {}, "idle_stop": {Parallel: 1, IdleStop: -1}, "wall_limit": {Parallel: 1, Limits: domain.Limits{Wall: -1}}} {
		_, err := w.server.SetPolicy(t.Context(), manager, w.fed.ID, p)
		var errs domain.Errors
		if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// A federation changes its SuperLink between runs alone; who keeps the engines hears of it, and the audit says it.
func TestTheEngineChangesBetweenRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		var chosen []int64
		w.server.EngineChosen = func(fedID int64) { chosen = append(chosen, fedID) }
		policy := runs.Policy{Parallel: 1, Engine: domain.EngineFlower}
		run, queued := w.launch("r1"), w.launch("r2")
		w.until(run.ID, isRunning)
		_, err := w.server.SetPolicy(t.Context(), domain.System, w.fed.ID, policy)
		if e := (*domain.Error)(nil); !errors.As(err, &e) || e.Code != domain.Conflict || e.Field != "engine" || e.Remedy == "" ||
			!strings.Contains(e.Message, "r1 is running") || len(chosen) != 0 {
			t.Fatalf("while a run runs: %v; told %v", err, chosen)
		}
		if _, err := w.server.SetPolicy(t.Context(), domain.System, w.fed.ID, runs.Policy{Parallel: 2}); err != nil {
			t.Errorf("the rest of the policy while a run runs: %v", err)
		}
		for _, id := range []int64{queued.ID, run.ID} {
			if _, err := w.server.Stop(t.Context(), domain.System, id); err != nil {
				t.Fatal(err)
			}
			w.until(id, hasEnded)
		}
		if _, err := w.server.SetPolicy(t.Context(), domain.System, w.fed.ID, policy); err != nil {
			t.Fatal(err)
		}
		var fed domain.Federation
		err = db.View(t.Context(), func(tx *store.Tx) (err error) { fed, err = tx.FederationByID(t.Context(), w.fed.ID); return err })
		if err != nil || fed.Engine != domain.EngineFlower || !slices.Contains(chosen, fed.ID) {
			t.Errorf("%v: it has %q; told %v", err, fed.Engine, chosen)
		}
		if got := w.audit("f"); !slices.Contains(got, "federation.run_policy") {
			t.Errorf("audit %v", got)
		}
	})
}
