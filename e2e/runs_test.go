package e2e

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/testflwr"
)

func itoa(n int) string { return strconv.Itoa(n) }

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// app adds one of the apps of e2e/apps and returns its hash.
func (s *server) app(name string) string {
	s.t.Helper()
	fab, err := s.env.BuildFAB(s.t.Context(), filepath.Join(testflwr.Root(s.t), "e2e", "apps", name))
	if err != nil {
		s.t.Fatal(err)
	}
	var a struct{ Hash string }
	s.admin.must("POST", "/apps?filename="+name+".fab", fab, &a)
	return a.Hash
}

type runView struct {
	Name, State   string
	Round, Rounds int
	EngineRunID   string `json:"engine_run_id"`
	Cause         *domain.Cause
	EndedAt       *time.Time `json:"ended_at"`
}

func (s *server) launch(hash string, config map[string]string) runView {
	s.t.Helper()
	var r runView
	s.admin.must("POST", "/federations/fed/runs", map[string]any{"app": hash, "config": config}, &r)
	return r
}

func (s *server) get(name string) runView {
	s.t.Helper()
	var r runView
	if err := s.admin.try("GET", "/runs/"+name, nil, &r); err != nil {
		return runView{State: err.Error()}
	}
	return r
}

// becomes waits until a run is in a state, and fails at once when it ends in another.
func (s *server) becomes(name, state string, limit time.Duration) runView {
	s.t.Helper()
	var r runView
	await(s.t, limit, name+" is "+state, func() (string, bool) {
		r = s.get(name)
		if r.State != state && domain.RunState(r.State).Ended() {
			s.t.Fatalf("%s is %s, not %s: %+v\n%s", name, r.State, state, r.Cause, tail(s.logFile(r)))
		}
		return fmt.Sprintf("%s, round %d of %d", r.State, r.Round, r.Rounds), r.State == state
	})
	return r
}

// ends waits until a run has ended, however.
func (s *server) ends(name string, limit time.Duration) runView {
	s.t.Helper()
	var r runView
	await(s.t, limit, name+" has ended", func() (string, bool) {
		r = s.get(name)
		return r.State, domain.RunState(r.State).Ended()
	})
	return r
}

func (s *server) logFile(r runView) string {
	return filepath.Join(s.data, "federations", "1", "runs", r.EngineRunID, "serverapp.log")
}

type stored struct {
	Round int
	Phase string
	Node  string `json:"node_id"`
	Name  string
	Value *float64
	Text  string
}

func (s *server) metrics(name string) []stored {
	s.t.Helper()
	var ms []stored
	s.admin.must("GET", "/runs/"+name+"/metrics", nil, &ms)
	return ms
}

var metricLine = regexp.MustCompile(`METRIC round=(\d+) phase=(\w+) node=(\d+) name=(\S+) value=(\S+)`)

// sameAsPrinted compares what is stored of participants with what the app itself printed of its replies.
func (s *server) sameAsPrinted(r runView) {
	s.t.Helper()
	text, err := os.ReadFile(s.logFile(r))
	if err != nil {
		s.t.Fatal(err)
	}
	printed, got := []string{}, []string{}
	for _, m := range metricLine.FindAllStringSubmatch(string(text), -1) {
		v, err := strconv.ParseFloat(m[5], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		printed = append(printed, fmt.Sprint(m[1], m[2], m[3], m[4], math.Float64bits(v)))
	}
	for _, m := range s.metrics(r.Name) {
		if m.Node != "0" {
			got = append(got, fmt.Sprint(m.Round, m.Phase, m.Node, m.Name, math.Float64bits(*m.Value)))
		}
	}
	sort.Strings(printed)
	sort.Strings(got)
	if len(printed) == 0 || strings.Join(printed, "\n") != strings.Join(got, "\n") {
		s.t.Errorf("stored and printed differ (%d and %d):\nstored %v\nprinted %v", len(got), len(printed), got, printed)
	}
}

// sameLog compares the log that is shown with the ServerApp's file, line by line.
func (s *server) sameLog(r runView) {
	s.t.Helper()
	text, err := os.ReadFile(s.logFile(r))
	if err != nil {
		s.t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	var got []string
	for from := 1; ; {
		var l struct {
			Lines []struct {
				N    int
				Text string
			}
			Total int
		}
		s.admin.must("GET", fmt.Sprintf("/runs/%s/log?from=%d&limit=5000", r.Name, from), nil, &l)
		for _, line := range l.Lines {
			if line.N != len(got)+1 {
				s.t.Fatalf("line %d follows line %d", line.N, len(got))
			}
			got = append(got, line.Text)
		}
		if from = len(got) + 1; from > l.Total {
			break
		}
	}
	if len(got) != len(want) {
		s.t.Fatalf("%d lines are shown, the file has %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != strings.TrimRight(want[i], "\r") {
			s.t.Fatalf("line %d is shown as %q, the file has %q", i+1, got[i], want[i])
		}
	}
}

func TestBothWaysInTrainInOneRun(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	joined, plain := s.approved("Joined").join(), s.approved("Plain").plain()
	if joined.partition == plain.partition {
		t.Fatalf("both have partition %d", plain.partition)
	}
	r := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "3", "pause": "0"})
	r = s.becomes(r.Name, "completed", 3*time.Minute)
	s.sameAsPrinted(r)
	s.sameLog(r)
	trained := map[string]int{}
	for _, m := range s.metrics(r.Name) {
		if m.Phase == "train" && m.Name == "train_loss" {
			trained[m.Node]++
		}
	}
	for _, p := range []*person{joined, plain} {
		if id := s.node(p.partition).NodeID; trained[id] != 3 {
			t.Errorf("%s (node %s) trained in %d of 3 rounds: %v", p.name, id, trained[id], trained)
		}
	}
	if trained["0"] != 3 {
		t.Errorf("%d aggregates are stored, want 3", trained["0"])
	}
	if r.Round != 3 || r.Rounds != 3 {
		t.Errorf("the run is at round %d of %d", r.Round, r.Rounds)
	}
	s.receiptHolds(r, "steady", joined, plain)
	t.Run("an app of the older API", func(t *testing.T) { oldAPI(t, s, joined, plain) })
	t.Run("a suspended participant", func(t *testing.T) { suspended(t, s, joined) })
	t.Run("a total that grows", func(t *testing.T) { grown(t, s, joined) })
	t.Run("a revoked participant", func(t *testing.T) { revoked(t, s, joined) })
}

// oldAPI runs an app without aggregation functions: its participants' own metrics show nevertheless.
func oldAPI(t *testing.T, s *server, people ...*person) {
	r := s.launch(s.app("old_api"), nil)
	r = s.becomes(r.Name, "completed", 3*time.Minute)
	got := map[string]float64{}
	for _, m := range s.metrics(r.Name) {
		got[fmt.Sprint(m.Round, " ", m.Phase, " ", m.Node, " ", m.Name)] = *m.Value
	}
	for _, p := range people {
		id := s.node(p.partition).NodeID
		for round := 1; round <= 2; round++ {
			for key, want := range map[string]float64{"train " + id + " fit_score": 0.25 * float64(p.partition+1), "evaluate " + id + " accuracy": 0.5 + 0.1*float64(p.partition),
				"evaluate " + id + " loss": 1 / (1 + float64(round) + float64(p.partition))} {
				if v, ok := got[fmt.Sprint(round, " ", key)]; !ok || math.Abs(v-want) > 1e-9 {
					t.Errorf("round %d, %s: stored %v (%v), want %v", round, key, v, ok, want)
				}
			}
		}
	}
	if len(got) == 0 {
		t.Errorf("nothing is stored")
	}
}

// suspended makes a SuperNode wait: its process stays, and it is back within half a minute of resuming.
func suspended(t *testing.T, s *server, p *person) {
	s.admin.must("POST", "/requests/"+p.ref+"/suspend", map[string]string{"reason": "moving servers"}, nil)
	await(t, 30*time.Second, "the agent says so", func() (string, bool) {
		out := tail(filepath.Join(p.home, "node.log"))
		return out, strings.Contains(out, "suspended this SuperNode: moving servers")
	})
	if got := s.node(p.partition).State; got != "suspended" {
		t.Errorf("the SuperNode is %s", got)
	}
	if status := s.fleet(t, p.key(), "/v1/fleet/pull-messages", nil); status != 503 {
		t.Errorf("the suspended key gets %d, want 503", status)
	}
	s.admin.must("POST", "/requests/"+p.ref+"/resume", nil, nil)
	await(t, 30*time.Second, "the SuperNode is back", func() (string, bool) {
		st := s.node(p.partition).State
		return st, st == "online"
	})
	if out := tail(filepath.Join(p.home, "node.log")); strings.Contains(out, "The SuperNode ended") {
		t.Errorf("the SuperNode did not stay:\n%s", out)
	}
}

// grown changes the total of partitions: the agent uses it from the next run on.
func grown(t *testing.T, s *server, p *person) {
	s.admin.must("PATCH", "/federations/fed", map[string]int{"partitions": 12}, nil)
	await(t, time.Minute, "the agent takes the new total", func() (string, bool) {
		out := tail(filepath.Join(p.home, "node.log"))
		return out, strings.Contains(out, fmt.Sprintf("This machine is partition %d of 12 now.", p.partition))
	})
}

// revoked ends a participant's access: within ten seconds its SuperNode is gone, not a byte passes any more, and its key stays refused.
func revoked(t *testing.T, s *server, p *person) {
	key := p.key()
	ended := make(chan error, 1)
	go func() { ended <- p.node.Wait() }()
	s.admin.must("POST", "/requests/"+p.ref+"/revoke", map[string]string{"reason": "the study has ended"}, nil)
	select {
	case err := <-ended:
		if err == nil {
			t.Errorf("join ended with 0 after a revocation")
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("join goes on ten seconds after the revocation")
	}
	if out := tail(filepath.Join(p.home, "node.log")); !strings.Contains(out, "has ended") {
		t.Errorf("join does not say why it ended:\n%s", out)
	}
	if err := syscall.Kill(-p.node.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("something of the revoked SuperNode's group still runs: %v", err)
	}
	for _, path := range []string{"/v1/fleet/pull-messages", "/v1/fleet/push-messages", "/v1/fleet/pull-object", "/v1/fleet/send-node-heartbeat"} {
		if status := s.fleet(t, key, path, nil); status != 401 {
			t.Errorf("the revoked key gets %d at %s, want 401", status, path)
		}
	}
}

func TestAnAppThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	for _, c := range []struct {
		app           string
		code          domain.CauseCode
		line, message string
		exit          int
	}{
		{"raises", "201", "KeyError: 'lr'", "KeyError", 201},
		{"no_import", "import", "ModuleNotFoundError: No module named 'surely_missing_module'", "surely_missing_module", 607},
		{"exits_early", "early_exit", "", "exit code 3", 3},
	} {
		t.Run(c.app, func(t *testing.T) {
			r := s.becomes(s.launch(s.app(c.app), nil).Name, "failed", time.Minute)
			if r.Cause == nil {
				t.Fatal("no cause")
			}
			if r.Cause.Code != c.code || !strings.Contains(r.Cause.Line, c.line) || !strings.Contains(r.Cause.Message, c.message) || r.Cause.Remedy == "" || r.Cause.ExitCode != c.exit {
				t.Errorf("cause %+v, want code %s, exit code %d, line %q, message with %q and a remedy", *r.Cause, c.code, c.exit, c.line, c.message)
			}
			ended := s.processEnd(t, r)
			if late := r.EndedAt.Sub(ended); late > 5*time.Second {
				t.Errorf("the run failed %s after its process", late)
			}
			s.sameLog(r)
		})
	}
}

// processEnd reads from the launcher's own note when the ServerApp's process ended.
func (s *server) processEnd(t *testing.T, r runView) time.Time {
	t.Helper()
	var task struct {
		EndedAt time.Time `json:"ended_at"`
	}
	readJSON(t, filepath.Join(filepath.Dir(s.logFile(r)), "launch.json"), &task)
	if task.EndedAt.IsZero() {
		t.Fatal("the launcher has noted no end")
	}
	return task.EndedAt
}

func TestStoppingARunStopsIt(t *testing.T) {
	t.Parallel()
	onBothEngines(t, 10, stoppingARunStopsIt)
}

func stoppingARunStopsIt(t *testing.T, s *server) {
	hash := s.app("sleeps")
	r := s.launch(hash, nil)
	queued := s.launch(hash, nil)
	s.becomes(r.Name, "running", time.Minute)
	if q := s.get(queued.Name); q.State != "queued" {
		t.Errorf("a second run is %s while the first runs", q.State)
	}
	s.admin.must("POST", "/runs/"+queued.Name+"/stop", nil, nil)
	s.becomes(queued.Name, "stopped", 10*time.Second)
	s.admin.must("POST", "/runs/"+r.Name+"/stop", nil, nil)
	r = s.becomes(r.Name, "stopped", 30*time.Second)
	if left := serverApps(s.data); len(left) > 0 {
		t.Errorf("after the stop there is still %v", left)
	}
	if r.Cause == nil || !strings.Contains(r.Cause.Message, "Stopped by") {
		t.Errorf("cause %+v", r.Cause)
	}
	refused(t, s.admin.try("POST", "/runs/"+r.Name+"/stop", nil, nil), domain.Conflict, "")
}

// serverApps lists the ServerApps that run. A warm Python that can become one has the same command line, but not the name.
func serverApps(dir string) []string {
	var out []string
	for _, p := range processes(dir) {
		pid, _, _ := strings.Cut(p, " ")
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		if strings.TrimSpace(string(name)) == "flwr-serverapp" || strings.Contains(p, "flwr-serverapp.py") {
			out = append(out, p)
		}
	}
	return out
}

func TestBadInputChangesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, 3)
	hash := s.app("chatty")
	launch := func(change map[string]any) error {
		in := map[string]any{"app": hash, "name": "first"}
		for k, v := range change {
			in[k] = v
		}
		return s.admin.try("POST", "/federations/fed/runs", in, nil)
	}
	if err := launch(map[string]any{"config": map[string]string{"lines": "10"}}); err != nil {
		t.Fatal(err)
	}
	s.becomes("first", "completed", time.Minute)
	refused(t, launch(map[string]any{"name": "other", "config": map[string]string{"lines": "ten"}}), domain.Invalid, "config.lines")
	refused(t, launch(map[string]any{"name": "other", "config": map[string]string{"colour": "red"}}), domain.Invalid, "config.colour")
	refused(t, launch(nil), domain.Conflict, "run_id")
	refused(t, launch(map[string]any{"name": "no spaces"}), domain.Invalid, "run_id")
	refused(t, launch(map[string]any{"name": "other", "partitions": 999999}), domain.Invalid, "partitions")
	refused(t, launch(map[string]any{"name": "other", "app": "0000"}), domain.Invalid, "app")
	refused(t, s.admin.try("POST", "/apps?filename=big.fab", make([]byte, 20<<20), nil), domain.TooLarge, "")
	refused(t, s.admin.try("POST", "/apps?filename=text.fab", []byte("this is no zip"), nil), domain.Invalid, "app")
	var all []runView
	s.admin.must("GET", "/federations/fed/runs", nil, &all)
	if len(all) != 1 {
		t.Errorf("there are %d runs, want the one good one", len(all))
	}
	ref := func() string {
		p := newClient(s, "")
		var asked struct{ Ref string }
		p.must("POST", "/federations/fed/requests", map[string]string{"email": "late@example.org", "name": "Late"}, &asked)
		p.must("POST", "/requests/"+asked.Ref+"/verify", map[string]string{"code": s.mailedCode("late@example.org")}, nil)
		return asked.Ref
	}()
	for _, partition := range []int{3, 999999} {
		refused(t, s.admin.try("POST", "/federations/fed/requests/approve", map[string]any{"refs": []string{ref}, "partition": partition}, nil), domain.Invalid, "partition")
	}
	var pending []struct{ Ref string }
	s.admin.must("GET", "/federations/fed/requests?state=pending", nil, &pending)
	if len(pending) != 1 || pending[0].Ref != ref {
		t.Errorf("pending after refusals: %v", pending)
	}
}
