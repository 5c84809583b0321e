package runs_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/runs"
	"blossomtune/internal/runs/drive"
	"blossomtune/internal/runs/unkeyed"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// killer ends the server at its n-th call of engine or database: before the call takes effect, or after it took effect and
// before the server heard of it. A killed server does nothing more.
type killer struct {
	at    int // the call to die at; 0: none
	after bool
	calls atomic.Int64
	dead  atomic.Bool
}

func (k *killer) before(string) error {
	if k.dead.Load() {
		return errKilled
	}
	if n := k.calls.Add(1); int(n) == k.at && !k.after {
		k.dead.Store(true)
		return errKilled
	}
	return nil
}

func (k *killer) afterwards(string) error {
	if int(k.calls.Load()) == k.at && k.after {
		k.dead.Store(true)
	}
	if k.dead.Load() {
		return errKilled
	}
	return nil
}

// killedStore is a database whose user may be killed before and after each of its transactions.
type killedStore[T any] struct {
	inner store.Runner[T]
	k     *killer
}

func (s killedStore[T]) InTx(ctx context.Context, fn func(T) error) error {
	if err := s.k.before("InTx"); err != nil {
		return err
	}
	if err := s.inner.InTx(ctx, fn); err != nil {
		return err
	}
	return s.k.afterwards("InTx")
}

func (s killedStore[T]) View(ctx context.Context, fn func(T) error) error {
	if s.k.dead.Load() {
		return errKilled
	}
	return s.inner.View(ctx, fn)
}

// world is a federation with one app version, its engine, and the server that drives it.
type world struct {
	app    string // the app that runs are of; appHash where it is ""
	t      testing.TB
	db     *store.DB
	engine *fakeEngine
	fed    domain.Federation
	server *runs.Service
	kills  *killer

	options func(*runs.Options) // changes what the next boot starts with; may be nil

	fixed atomic.Pointer[time.Time] // what the clock shows; nil: the time
}

var appHash = fmt.Sprintf("%064d", 7)

func newWorld(t testing.TB, db *store.DB) *world { return newWorldOn(t, db, "f") }

// newWorldOn makes another federation in a database.
func newWorldOn(t testing.TB, db *store.DB, slug string) *world {
	t.Helper()
	w := &world{t: t, db: db, engine: newFakeEngine(t.TempDir(), time.Now),
		fed: domain.Federation{Slug: slug, Name: "F", TotalPartitions: 10, Parallel: 1, EngineWanted: true}}
	err := db.InTx(t.Context(), func(tx *store.Tx) error {
		if err := tx.InsertFederation(t.Context(), &w.fed); err != nil {
			return err
		}
		return tx.PutAppVersion(t.Context(), domain.AppVersion{Hash: appHash, Publisher: "p", Name: "n", Version: "1.0.0", FAB: []byte("fab"), Config: []domain.ConfigKey{{Key: "num-server-rounds", Kind: domain.KindInt, Default: int64(1)}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	w.boot(&killer{})
	t.Cleanup(func() { w.server.StopTailers() })
	return w
}

// boot starts a server on what there is; k says when it dies.
func (w *world) boot(k *killer) {
	if w.server != nil {
		w.server.StopTailers()
	}
	w.kills = k
	w.engine.before, w.engine.after = k.before, k.afterwards
	o := runs.Options{Store: killedStore[runs.Tx]{store.Adapt[runs.Tx](w.db), k}, Engine: w.engine, Events: events.NewBus(), Clock: w.now,
		Logger: slog.New(slog.DiscardHandler), Flwr: "1.42.0"}
	if !w.engine.keyed {
		engine := unkeyed.Engine{Engine: w.engine, Store: killedStore[drive.Tx]{store.Adapt[drive.Tx](w.db), k},
			Unkeyed: func(int64) bool { return true }}
		o.Engine, o.Stray = engine, engine.Stray
	}
	if w.options != nil {
		w.options(&o)
	}
	w.server = runs.New(o)
}

func (w *world) launch(name string) domain.Run {
	w.t.Helper()
	run, err := w.server.Launch(w.t.Context(), domain.System, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// until drives the server until its run is as wanted, or the server dies: then it reports false.
func (w *world) until(id int64, want func(domain.Run) bool) bool {
	w.t.Helper()
	for range 60 {
		_, _ = w.server.Step(w.t.Context(), w.fed.ID) // what failed is tried again by the next step
		if w.kills.dead.Load() {
			return false
		}
		run, err := w.server.Get(w.t.Context(), id)
		if err != nil {
			w.t.Fatal(err)
		}
		if want(run) {
			return true
		}
	}
	run, _ := w.server.Get(w.t.Context(), id)
	w.t.Fatalf("after 60 steps the run is %s: %+v", run.State, run.Cause)
	return false
}

func isRunning(r domain.Run) bool { return r.State == domain.Running }
func hasEnded(r domain.Run) bool  { return r.State.Ended() }

// ending is how a run comes to its end, and what it must say then.
type ending struct {
	name  string
	make  func(w *world, id int64) error // may be repeated
	state domain.RunState
	code  domain.CauseCode
}

var endings = []ending{
	{"completes", func(w *world, _ int64) error { w.engine.exit(0, ""); return nil }, domain.Completed, ""},
	{"raises", func(w *world, _ int64) error {
		w.engine.exit(1, "Traceback (most recent call last):\n  File \"/x/server_app.py\", line 41, in main\nKeyError: 'lr'\n")
		return nil
	}, domain.Failed, "201"},
	{"is stopped", func(w *world, id int64) error {
		_, err := w.server.Stop(w.t.Context(), domain.Actor{Kind: "person", Name: "Manager"}, id)
		return err
	}, domain.Stopped, "stopped_by"},
}

// live takes a run from its launch to its end, with a server that dies as k says and is started again then.
func (w *world) live(e ending, k *killer) domain.Run {
	w.t.Helper()
	run := w.launch("r1")
	w.boot(k)
	if !w.until(run.ID, isRunning) {
		w.boot(&killer{})
		w.until(run.ID, isRunning)
	}
	for err := e.make(w, run.ID); err != nil; err = e.make(w, run.ID) {
		if !w.kills.dead.Load() {
			w.t.Fatal(err)
		}
		w.boot(&killer{})
	}
	if !w.until(run.ID, hasEnded) {
		w.boot(&killer{})
		w.until(run.ID, hasEnded)
	}
	got, err := w.server.Get(w.t.Context(), run.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) audit(name string) (out []string) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		es, err := tx.AuditEntries(w.t.Context(), domain.AuditFilter{Limit: 500})
		for _, e := range es {
			if e.ObjectID == name {
				out = append(out, e.Action)
			}
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// notices are the kinds of all notices, in order.
func (w *world) notices() (out []domain.NoticeKind) {
	w.t.Helper()
	err := w.db.View(w.t.Context(), func(tx *store.Tx) error {
		all, err := tx.UnsortedNotices(w.t.Context(), 100)
		for _, n := range all {
			out = append(out, n.Kind)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// check holds a world to invariant 3: one engine run, one end, no orphan, nothing lost.
func (w *world) check(got domain.Run, e ending) {
	w.t.Helper()
	if got.State != e.state || got.Cause.Code != e.code {
		w.t.Errorf("the run ended as %s %+v, want %s %q", got.State, got.Cause, e.state, e.code)
	}
	if w.engine.started != 1 {
		w.t.Errorf("%d engine runs were started", w.engine.started)
	}
	for _, r := range w.engine.runs {
		if !r.Finished() {
			w.t.Errorf("engine run %d is left %s", r.ID, r.Status)
		}
	}
	for _, task := range w.engine.tasks {
		if !task.Ended {
			w.t.Errorf("the ServerApp of %d is left", task.EngineRunID)
		}
	}
	ends := 0
	for _, a := range w.audit("r1") {
		if a == "run."+string(e.state) {
			ends++
		}
	}
	if ends != 1 {
		w.t.Errorf("the end is %d times in the audit log: %v", ends, w.audit("r1"))
	}
	if notices := w.notices(); !slices.Equal(notices, []domain.NoticeKind{domain.NoticeRunStarted, domain.NoticeOf(got)}) {
		w.t.Errorf("the notices of the run are %v", notices)
	}
	ms, err := w.server.Metrics(w.t.Context(), got, 0, 0)
	if err != nil || len(ms) != 1 || ms[0].Name != "accuracy" || ms[0].Value != 0.5 || got.Round != 1 {
		w.t.Errorf("metrics of the log: %+v, round %d, %v", ms, got.Round, err)
	}
}

// Wherever the server is killed between a launch and its end, there is one engine run, one end, and nothing is left over.
func TestAKillBetweenAnyTwoCallsLeavesOneRun(t *testing.T) {
	for _, e := range endings {
		t.Run(e.name, func(t *testing.T) { killedAnywhere(t, e, true) })
	}
	t.Run("with Flower's SuperLink", func(t *testing.T) { killedAnywhere(t, endings[0], false) }) // they differ in the launch alone
}

func killedAnywhere(t *testing.T, e ending, keyed bool) {
	world := func() *world {
		w := newWorld(t, storetest.SQLite(t))
		w.engine.keyed = keyed
		w.boot(&killer{})
		return w
	}
	whole := &killer{}
	w := world()
	w.check(w.live(e, whole), e)
	calls := int(whole.calls.Load())
	if calls < 10 {
		t.Fatalf("only %d calls are made", calls)
	}
	for at := 1; at <= calls; at++ {
		for _, after := range []bool{false, true} {
			w := world()
			w.check(w.live(e, &killer{at: at, after: after}), e)
			if t.Failed() {
				t.Fatalf("killed at call %d of %d, after it took effect: %v", at, calls, after)
			}
		}
	}
}

// An engine run that nobody here asked for is stopped; one of an earlier launch of the same app is not mistaken for a new one.
func TestStrayEngineRunsAreStopped(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for name, keyed := range map[string]bool{"builtin": true, "flower": false} {
			t.Run(name, func(t *testing.T) {
				w := newWorldOn(t, db, name)
				w.engine.keyed = keyed
				w.boot(&killer{})
				w.stray(domain.Run{ID: 77, CreatedAt: time.Now()})
			})
		}
	})
}

// stray has an engine run of a row that this database lacks, as after a restored backup.
func (w *world) stray(of domain.Run) {
	if _, err := w.engine.StartRun(w.t.Context(), of, domain.AppVersion{Hash: appHash}); err != nil {
		w.t.Fatal(err)
	}
	w.engine.runs[0].PendingAt = time.Now().Add(-time.Hour)
	run := w.launch("r1-" + w.fed.Slug)
	w.until(run.ID, isRunning)
	run, err := w.server.Get(w.t.Context(), run.ID)
	if err != nil || run.EngineRunID != w.engine.runs[1].ID || w.engine.started != 2 {
		w.t.Errorf("the run has engine run %d of %+v, %v", run.EngineRunID, w.engine.runs, err)
	}
	if !w.engine.runs[0].Finished() || w.engine.runs[1].Finished() {
		w.t.Errorf("the stray is %+v, ours %+v", w.engine.runs[0], w.engine.runs[1])
	}
	if got := w.audit(fmt.Sprint(w.engine.runs[0].ID)); len(got) == 0 || got[0] != "engine_run.stopped" {
		w.t.Errorf("audit of the stray: %v", got)
	}
}

// A run that is stopped before it learned of its engine run ends, and the engine run with it.
func TestARunIsStoppedBeforeItKnowsItsEngineRun(t *testing.T) {
	for name, keyed := range map[string]bool{"builtin": true, "flower": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.engine.keyed = keyed
			k := &killer{}
			w.boot(k)
			run := w.launch("r1")
			started := w.engine.after
			w.engine.after = func(call string) error {
				if call == "StartRun" {
					k.dead.Store(true) // its answer is lost
				}
				return started(call)
			}
			if w.until(run.ID, isRunning) {
				t.Fatal("the server was not killed")
			}
			w.boot(&killer{})
			if _, err := w.server.Stop(t.Context(), domain.System, run.ID); err != nil {
				t.Fatal(err)
			}
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.State != domain.Stopped || len(w.engine.runs) != 1 || !w.engine.runs[0].Finished() {
				t.Errorf("%v: the run is %s, the engine has %+v", err, got.State, w.engine.runs)
			}
		})
	}
}

// A run whose engine run is gone before its ServerApp started, as after a change of the SuperLink, is started again and is one run.
func TestAnEngineRunThatIsGoneBeforeItsStartIsMadeAgain(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.engine.keyed = true
	k := &killer{}
	w.boot(k)
	run := w.launch("r1")
	before := w.engine.before
	w.engine.before = func(call string) error {
		if call == "Launch" {
			k.dead.Store(true)
		}
		return before(call)
	}
	if w.until(run.ID, isRunning) {
		t.Fatal("the server was not killed")
	}
	first := w.engine.runs[0].ID
	w.engine.runs = nil
	w.boot(&killer{})
	w.until(run.ID, isRunning)
	got, err := w.server.Get(t.Context(), run.ID)
	if err != nil || len(w.engine.runs) != 1 || got.EngineRunID != w.engine.runs[0].ID || got.EngineRunID == first {
		t.Fatalf("%v: the run has engine run %d, the engine has %+v", err, got.EngineRunID, w.engine.runs)
	}
	w.engine.exit(0, "")
	w.until(run.ID, hasEnded)
	if got, err = w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Completed || got.Round != 1 {
		t.Errorf("%v: it is %s in round %d: %+v", err, got.State, got.Round, got.Cause)
	}
}

// What is gone does not say that it runs: an engine run that the SuperLink has forgotten, and a SuperLink that was stopped.
func TestNothingDeadSaysRunning(t *testing.T) {
	t.Run("the SuperLink lost its database", func(t *testing.T) {
		w := newWorld(t, storetest.SQLite(t))
		run := w.launch("r1")
		w.until(run.ID, isRunning)
		w.engine.runs = nil
		w.until(run.ID, hasEnded)
		if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Failed || got.Cause.Code != "engine_lost" || got.Cause.Remedy == "" {
			t.Errorf("%s %+v %v", got.State, got.Cause, err)
		}
	})
	t.Run("the keeper was killed, and the next one has another SuperLink", func(t *testing.T) {
		w := newWorld(t, storetest.SQLite(t))
		run := w.launch("r1")
		w.until(run.ID, isRunning)
		w.engine.ends(func(t *domain.Task) { t.Reason = "The keeper was killed." })
		w.engine.runs = nil
		w.until(run.ID, hasEnded)
		if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Failed ||
			got.Cause.Message != "The keeper was killed." {
			t.Errorf("%s %+v %v", got.State, got.Cause, err)
		}
	})
	t.Run("the SuperLink forgot a run that is being stopped", func(t *testing.T) {
		w := newWorld(t, storetest.SQLite(t))
		run := w.launch("r1")
		w.until(run.ID, isRunning)
		w.engine.runs = nil
		if _, err := w.server.Stop(t.Context(), domain.System, run.ID); err != nil {
			t.Fatal(err)
		}
		w.until(run.ID, hasEnded)
		if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Stopped ||
			got.Cause.Code != "stopped_by" || !w.engine.tasks[got.EngineRunID].Ended {
			t.Errorf("%s %+v %v", got.State, got.Cause, err)
		}
	})
	t.Run("the SuperLink was stopped", func(t *testing.T) {
		w := newWorld(t, storetest.SQLite(t))
		run, waiting := w.launch("r1"), w.launch("r2")
		w.until(run.ID, isRunning)
		w.engine.up = false
		w.until(run.ID, hasEnded)
		if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Stopped || got.Cause.Code != "superlink_stopped" {
			t.Errorf("%s %+v %v", got.State, got.Cause, err)
		}
		if got, err := w.server.Get(t.Context(), waiting.ID); err != nil || got.State != domain.Queued {
			t.Errorf("the queued one is %s, %v", got.State, err)
		}
	})
}

// The queue is taken in its order, and as many run at once as the federation says.
func TestTheQueueKeepsItsOrder(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	first, second, third := w.launch("r1"), w.launch("r2"), w.launch("r3")
	w.until(first.ID, isRunning)
	if got, err := w.server.Get(t.Context(), second.ID); err != nil || got.State != domain.Queued {
		t.Fatalf("the second is %s while the first runs, %v", got.State, err)
	}
	if _, err := w.server.Stop(t.Context(), domain.System, second.ID); err != nil {
		t.Fatal(err)
	}
	w.engine.exit(0, "")
	w.until(first.ID, hasEnded)
	w.until(third.ID, isRunning)
	if got, err := w.server.Get(t.Context(), second.ID); err != nil || got.State != domain.Stopped || got.EngineRunID != 0 {
		t.Errorf("the second, stopped in the queue, is %s, %v", got.State, err)
	}
}
