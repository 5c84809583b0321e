package runs_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
)

// nodes gives the world as many enrolled SuperNodes, all online; their node ids are 101, 102 … for partitions 0, 1 …
func (w *world) nodes(n int) {
	w.t.Helper()
	for p := range n {
		who := domain.Person{Email: fmt.Sprintf("p%d@example.org", p), Name: "P"}
		err := w.db.InTx(w.t.Context(), func(tx *store.Tx) error {
			if err := tx.InsertPerson(w.t.Context(), &who); err != nil {
				return err
			}
			req := domain.Request{Ref: who.Email, FederationID: w.fed.ID, PersonID: who.ID, State: domain.Approved, Partition: p}
			if err := tx.InsertRequest(w.t.Context(), &req); err != nil {
				return err
			}
			return tx.InsertNodeKey(w.t.Context(), &domain.NodeKey{FederationID: w.fed.ID, RequestID: req.ID, Partition: p, PublicPEM: []byte("x"), Fingerprint: who.Email, NodeID: uint64(101 + p), Via: "agent"})
		})
		if err != nil {
			w.t.Fatal(err)
		}
		w.seen(p, true, time.Now())
	}
}

func (w *world) seen(partition int, online bool, at time.Time) {
	w.t.Helper()
	err := w.db.InTx(w.t.Context(), func(tx *store.Tx) error {
		keys, err := tx.NodeKeys(w.t.Context(), w.fed.ID)
		if err != nil {
			return err
		}
		return tx.UpdateNodesSeen(w.t.Context(), map[int64]domain.NodeSeen{keys[partition].ID: {FirstAt: at, LastAt: at, Online: online}})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// ask stores that partitions were asked in a round, and which of them have answered.
func (w *world) ask(run domain.Run, round int, at time.Time, partitions int, answered ...int) {
	w.t.Helper()
	var o domain.Observation
	for p := range partitions {
		e := domain.Exchange{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, Round: round, Phase: domain.PhaseTrain, NodeID: uint64(101 + p), MessageID: fmt.Sprintf("m%d-%d", round, p), AskedAt: at}
		for _, a := range answered {
			if a == p {
				e.RepliedAt = at.Add(5 * time.Second)
			}
		}
		o.Exchanges = append(o.Exchanges, e)
	}
	if err := w.db.Record(w.t.Context(), o); err != nil {
		w.t.Fatal(err)
	}
}

// running launches a run with limits and drives it until it runs.
func (w *world) running(l domain.Limits) domain.Run {
	w.t.Helper()
	run, err := w.server.Launch(w.t.Context(), domain.System, runs.LaunchInput{FederationID: w.fed.ID, AppHash: cmp.Or(w.app, appHash), Name: "r1", Limits: &l})
	if err != nil {
		w.t.Fatal(err)
	}
	w.until(run.ID, isRunning)
	run, err = w.server.Get(w.t.Context(), run.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return run
}

// at stops the server's clock at a moment.
func (w *world) at(t time.Time) { w.fixed.Store(&t) }

func (w *world) now() time.Time {
	if t := w.fixed.Load(); t != nil {
		return *t
	}
	return time.Now()
}

func (w *world) waits(run domain.Run) runs.Wait {
	w.t.Helper()
	got, err := w.server.Wait(w.t.Context(), run)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) waitsFor(run domain.Run, what string, late bool, since time.Time) {
	w.t.Helper()
	got := w.waits(run)
	if got.What != what || got.Late != late || !since.IsZero() && got.Since.Sub(since).Abs() > time.Second || what != "" && got.Helps == "" {
		w.t.Errorf("it says %+v, want %q, late: %v, since %s", got, what, late, since)
	}
}

// A run that stands still says what it waits for and since when.
func TestARunSaysWhatItWaitsFor(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.nodes(3)
	run := w.running(domain.Limits{NoProgress: 30 * time.Minute})
	began := time.Now()
	w.waitsFor(run, "", false, time.Time{})

	queued := w.launch("r2")
	w.waitsFor(queued, "waits for r1", false, queued.CreatedAt)
	w.waitsFor(w.launch("r3"), "waits for 2 runs ahead", false, time.Time{})
	planned, err := w.server.Launch(t.Context(), domain.System, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "r4", NotBefore: time.Date(began.Year()+0, began.Month(), began.Day(), 23, 59, 0, 0, time.UTC).AddDate(0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	w.waitsFor(planned, "starts "+planned.NotBefore.Format("2 Jan")+", 23:59 UTC", false, time.Time{})

	asked := began.Add(time.Minute)
	w.ask(run, 1, asked, 3, 0)
	w.at(asked.Add(8 * time.Second))
	w.waitsFor(run, "", false, time.Time{})
	w.at(asked.Add(20 * time.Second))
	w.waitsFor(run, "waits for 2 of 3 SuperNodes to train: partitions 1 and 2", false, asked)
	w.at(asked.Add(2 * time.Minute))
	w.waitsFor(run, "waits for 2 of 3 SuperNodes to train: partitions 1 and 2", true, asked)
	gone := asked.Add(time.Minute)
	w.seen(2, false, gone)
	w.waitsFor(run, "waits for partition 2, offline", true, gone)

	w.ask(run, 2, asked.Add(3*time.Minute), 3, 0, 1, 2)
	w.at(asked.Add(5 * time.Minute))
	w.waitsFor(run, "nothing asked, answered or logged", false, asked.Add(3*time.Minute+5*time.Second))
	w.at(asked.Add(20 * time.Minute))
	w.waitsFor(run, "nothing asked, answered or logged", true, time.Time{})

	w.engine.up = false
	w.waitsFor(run, "waits for the SuperLink, which is stopped", true, time.Time{})
}

// A SuperNode that is stuck is named at once, with what to do, and does not count as available at a launch.
func TestARunSaysWhichSuperNodeIsStuck(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.nodes(3)
		run := w.running(domain.Limits{NoProgress: 30 * time.Minute})
		asked := time.Now()
		w.ask(run, 1, asked, 3, 0)
		w.at(asked.Add(5 * time.Second))
		w.waitsFor(run, "", false, time.Time{})
		w.stuck(1, domain.StuckWaiting)
		w.waitsFor(run, "waits for partition 1, stuck", true, asked)
		if got := w.waits(run); !strings.Contains(got.Helps, "Restart blossomtune join") {
			t.Errorf("it says %+v", got)
		}
		_, checks, err := w.server.Board(t.Context(), w.fed.ID)
		if err != nil {
			t.Fatal(err)
		}
		if c := checks[1]; c.Mark != runs.Caution || c.Found != "2 online, partition 1 stuck" || !strings.Contains(c.Fix, "Restart blossomtune join") {
			t.Errorf("the board says %+v", c)
		}
		if c := checks[2]; c.Mark != runs.Go {
			t.Errorf("the board says it twice: %+v", c)
		}
		w.seen(2, false, asked)
		w.waitsFor(run, "waits for partition 1, stuck", true, asked)
		w.stuck(1, "")
		w.waitsFor(run, "waits for partition 2, offline", true, time.Time{})
	})
}

// stuck stores what the gateway found out about a SuperNode that is online.
func (w *world) stuck(partition int, s domain.Stuck) {
	w.t.Helper()
	err := w.db.InTx(w.t.Context(), func(tx *store.Tx) error {
		keys, err := tx.NodeKeys(w.t.Context(), w.fed.ID)
		if err != nil {
			return err
		}
		seen := keys[partition].Seen
		seen.Online, seen.Stuck = true, s
		return tx.UpdateNodesSeen(w.t.Context(), map[int64]domain.NodeSeen{keys[partition].ID: seen})
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// The ServerApp's own word on the SuperNodes that it waits for is told, with those that are missing.
func TestARunSaysWhichSuperNodesAreMissing(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.nodes(2)
	w.seen(1, false, time.Now())
	run := w.running(domain.Limits{NoProgress: 30 * time.Minute})
	w.logged(run, "INFO :      Waiting for nodes to connect: 1 connected (minimum required: 2).\n", "waits for 2 SuperNodes, 1 online")
	got := w.waits(run)
	if !got.Late || got.Since.IsZero() || !strings.Contains(got.Helps, "Remind who has partition 1") {
		t.Errorf("it says %+v", got)
	}
	w.logged(run, "INFO :      [ROUND 1/3]\n", "")
}

// logged writes into a run's log and waits until the run says what it waits for then.
func (w *world) logged(run domain.Run, line, want string) {
	w.t.Helper()
	if err := w.engine.log(run.EngineRunID, line); err != nil {
		w.t.Fatal(err)
	}
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for w.waits(run).What != want {
		select {
		case <-deadline:
			w.t.Fatalf("after %q it says %+v, want %q", line, w.waits(run), want)
		case <-tick.C:
		}
	}
}

// Each limit ends the run with what was waited for; the engine run and its ServerApp end too.
func TestALimitEndsTheRunWithItsCause(t *testing.T) {
	for name, c := range map[string]struct {
		limits  domain.Limits
		make    func(w *world, run domain.Run, now time.Time)
		code    domain.CauseCode
		message string
		where   string
	}{
		"wall": {domain.Limits{Wall: time.Minute}, func(*world, domain.Run, time.Time) {}, "wall_limit", "The run passed its time limit of 1 min", "ServerApp"},
		"round": {domain.Limits{Round: 10 * time.Minute}, func(w *world, run domain.Run, now time.Time) { w.ask(run, 6, now, 3, 0, 1) },
			"round_limit", "Partition 2 silent in round 6, 10 min limit passed.", "Partition 2"},
		"silent": {domain.Limits{NoProgress: 10 * time.Minute}, func(w *world, run domain.Run, now time.Time) { w.ask(run, 6, now, 3, 2) },
			"no_progress_limit", "Partitions 0 and 1 silent in round 6, 10 min limit passed.", "Partitions 0 and 1"},
		"nodes": {domain.Limits{NoProgress: 10 * time.Minute}, func(w *world, run domain.Run, _ time.Time) {
			w.logged(run, "INFO :      Waiting for nodes to connect: 3 connected (minimum required: 4).\n", "waits for 4 SuperNodes, 3 online")
		}, "no_progress_limit", "Waits for 4 SuperNodes, 3 online since ", "SuperNodes"},
		"nothing": {domain.Limits{NoProgress: 10 * time.Minute}, func(*world, domain.Run, time.Time) {}, "no_progress_limit", "The ServerApp asked, answered and logged nothing since", "ServerApp"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.nodes(3)
			run := w.running(c.limits)
			now := time.Now()
			c.make(w, run, now)
			w.at(now.Add(50 * time.Second))
			if _, err := w.server.Step(t.Context(), w.fed.ID); err != nil {
				t.Fatal(err)
			}
			if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Running {
				t.Fatalf("before its limit it is %s %+v, %v", got.State, got.Cause, err)
			}
			w.at(now.Add(11 * time.Minute))
			w.until(run.ID, hasEnded)
			got, err := w.server.Get(t.Context(), run.ID)
			if err != nil || got.State != domain.Failed || got.Cause.Code != c.code || !strings.HasPrefix(got.Cause.Message, c.message) || got.Cause.Where != c.where || got.Cause.Remedy == "" {
				t.Errorf("it ended as %s %+v, %v", got.State, got.Cause, err)
			}
			if !w.engine.runs[0].Finished() || !w.engine.tasks[run.EngineRunID].Ended {
				t.Errorf("the engine run is %+v, its task %+v", w.engine.runs[0], w.engine.tasks[run.EngineRunID])
			}
		})
	}
}

// A ServerApp that never speaks ends with the limit of its first heartbeat.
func TestTheFirstHeartbeatHasALimit(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.engine.mute = true
	run, err := w.server.Launch(t.Context(), domain.System, runs.LaunchInput{FederationID: w.fed.ID, AppHash: appHash, Name: "r1", Limits: &domain.Limits{FirstHeartbeat: 5 * time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	w.until(run.ID, func(r domain.Run) bool { return r.EngineRunID != 0 })
	run, _ = w.server.Get(t.Context(), run.ID)
	w.waitsFor(run, "waits for the ServerApp's first sign of life", false, run.StartingAt)
	w.at(time.Now().Add(6 * time.Minute))
	w.until(run.ID, hasEnded)
	if got, err := w.server.Get(t.Context(), run.ID); err != nil || got.State != domain.Failed || got.Cause.Code != "first_heartbeat_limit" || got.Cause.Message != "The ServerApp gave no sign of life within 5 min." {
		t.Errorf("it ended as %s %+v, %v", got.State, got.Cause, err)
	}
}

// What only the wire told of a participant is a failure with its name too; an exception's message is not told on.
func TestErrorRepliesNameTheirSuperNode(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.nodes(2)
	run := w.running(domain.Limits{})
	var o domain.Observation
	for i, reason := range []string{"<class 'ZeroDivisionError'>:<'patient 17 has no age'>", "<class 'ZeroDivisionError'>:<'patient 18 has no age'>", "Error: Node Unavailable — The destination node failed to report a heartbeat within 2 × its expected interval."} {
		o.Exchanges = append(o.Exchanges, domain.Exchange{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, Round: i + 1, Phase: domain.PhaseTrain, NodeID: 101, MessageID: fmt.Sprint(i), AskedAt: time.Now(), RepliedAt: time.Now(), Failed: true, Error: reason})
	}
	if err := w.db.Record(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	got, err := w.server.AppFailures(t.Context(), run)
	if err != nil || len(got) != 2 || got[0].Message != "raised ZeroDivisionError." || got[0].Times != 2 || got[0].NodeID != 101 || got[1].Message != "went offline before it answered." {
		t.Errorf("%+v, %v", got, err)
	}
}

// A round of secure aggregation sends each SuperNode several messages: SuperNodes are counted, and what the protocol needs of them is
// told, with who has left it.
func TestSecureAggregationSaysWhatItNeeds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		w.nodes(4)
		w.source(t, map[string]string{"fault/server_app.py": "w = SecAggPlusWorkflow(num_shares=context.run_config[\"num-shares\"], reconstruction_threshold=2)\n"})
		run := w.running(domain.Limits{})
		asked := time.Now()
		var o domain.Observation
		say := func(stage, p int, after time.Duration, reply string) {
			e := domain.Exchange{FederationID: w.fed.ID, EngineRunID: run.EngineRunID, Round: 1, Phase: domain.PhaseTrain, NodeID: uint64(101 + p), MessageID: fmt.Sprintf("%d-%d", stage, p), AskedAt: asked.Add(after)}
			if reply != "none" {
				e.RepliedAt, e.Failed, e.Error = e.AskedAt.Add(time.Second), reply != "", reply
			}
			o.Exchanges = append(o.Exchanges, e)
		}
		for p := range 4 {
			say(0, p, 0, "")
			say(1, p, 2*time.Second, map[int]string{3: "Error: Node Unavailable"}[p])
		}
		for p := range 3 {
			say(2, p, 4*time.Second, map[int]string{0: "none", 1: "none"}[p])
		}
		if err := w.db.Record(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		w.at(asked.Add(20 * time.Second))
		w.logged(run, "INFO :      [ROUND 1]\nINFO :      Secure aggregation commencing.\nINFO :      configure_fit: strategy sampled 4 clients (out of 4)\n", "waits for 2 of 4 SuperNodes to train: partitions 0 and 1")
		const needs, left = "Secure aggregation splits each key into 3 shares and needs 2 of them: of 4 SuperNodes, at least 2 must stay until the end of the round.", "Partition 3 dropped out of this round."
		var got runs.Wait
		for range 200 { // the line is read beside
			if got = w.waits(run); strings.Contains(got.Helps, "Secure") {
				break
			}
			w.step()
		}
		if !strings.Contains(got.Helps, needs) || !strings.Contains(got.Helps, left) {
			t.Errorf("it says %+v", got)
		}
	})
}

// The older API waits for SuperNodes without a word: its app's source tells for how many.
func TestTheOlderAPIWaitsForSuperNodes(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.nodes(2)
	w.source(t, map[string]string{"fault/server_app.py": "from flwr.server.strategy import FedAvg\ns = FedAvg(min_available_clients=3)\n"})
	run := w.running(domain.Limits{})
	if err := w.engine.log(run.EngineRunID, "INFO :      [ROUND 1]\n"); err != nil {
		t.Fatal(err)
	}
	later := time.Now()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var got runs.Wait
	for range 300 { // time goes on after the line was read
		later = later.Add(15 * time.Second)
		w.at(later)
		if got = w.waits(run); strings.Contains(got.What, "SuperNodes") {
			break
		}
		<-tick.C
	}
	if got.What != "waits for 3 SuperNodes, 2 online" || !got.Late || !strings.Contains(got.Helps, "This federation has 2 SuperNodes") {
		t.Errorf("it says %+v", got)
	}
	w.logged(run, "INFO :      configure_fit: strategy sampled 3 clients (out of 3)\n", "")
}

// counted counts how often the database is read.
type counted struct {
	runs.Store
	views *int
}

func (c counted) View(ctx context.Context, fn func(runs.Tx) error) error {
	*c.views++
	return c.Store.View(ctx, fn)
}

// Many who look at a run of many SuperNodes share what was read for one of them, and see what is new soon after.
func TestWhatALargeRunWaitsForIsReadOnceForMany(t *testing.T) {
	const nodes, looks = 3, 200
	w := newWorld(t, storetest.SQLite(t))
	views := 0
	w.options = func(o *runs.Options) { o.Store = counted{o.Store, &views} }
	w.boot(&killer{})
	w.server.LargeFrom(2 * nodes)
	w.nodes(nodes)
	run := w.running(domain.Limits{})
	asked := time.Now().Add(-time.Minute)
	w.ask(run, 1, asked, nodes)
	views = 0
	for range looks {
		w.waitsFor(run, "waits for 3 of 3 SuperNodes to train: partitions 0, 1 and 2", false, asked)
	}
	if views == 0 || views > looks/4 {
		t.Errorf("the database was read %d times for %d looks", views, looks)
	}
	w.ask(run, 1, asked, nodes, 0, 1)
	want := "waits for partition 2 to train"
	for until := time.Now().Add(10 * time.Second); w.waits(run).What != want; {
		if time.Now().After(until) {
			t.Fatalf("it still says %+v, want %q", w.waits(run), want)
		}
	}
}

// countedStates counts how often the SuperNodes of federations are read.
type countedStates struct {
	runs.Store
	reads *int
}

func (c countedStates) View(ctx context.Context, fn func(runs.Tx) error) error {
	return c.Store.View(ctx, func(tx runs.Tx) error { return fn(countedStatesTx{tx, c.reads}) })
}

type countedStatesTx struct {
	runs.Tx
	reads *int
}

func (c countedStatesTx) NodeStates(ctx context.Context, feds []int64) (map[int64][]domain.NodeKey, error) {
	if len(feds) > 0 {
		*c.reads++
	}
	return c.Tx.NodeStates(ctx, feds)
}

// The overview shares what was read of a large run, also with the run's own page.
func TestTheOverviewReadsALargeRunOnceForMany(t *testing.T) {
	const nodes, looks = 3, 100
	w := newWorld(t, storetest.SQLite(t))
	reads := 0
	w.options = func(o *runs.Options) { o.Store = countedStates{o.Store, &reads} }
	w.boot(&killer{})
	w.server.LargeFrom(2 * nodes)
	w.nodes(nodes)
	run := w.running(domain.Limits{})
	asked := time.Now().Add(-time.Minute)
	w.ask(run, 1, asked, nodes)
	const want = "waits for 3 of 3 SuperNodes to train: partitions 0, 1 and 2"
	reads = 0
	for range looks {
		how, err := w.server.Progress(t.Context(), []domain.Run{run})
		if err != nil || how[0].Wait.What != want {
			t.Fatalf("%+v %v", how, err)
		}
		w.waitsFor(run, want, false, asked)
	}
	if reads == 0 || reads > looks/4 {
		t.Errorf("the SuperNodes were read %d times for %d looks", reads, looks)
	}
}
