package launcher

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/keeper"

	"golang.org/x/sys/unix"
)

const run = 42

// fixture is a launcher that runs a shell script in the place of a ServerApp.
type fixture struct {
	*Launcher
	t    *testing.T
	work string
}

func newFixture(t *testing.T, script string) *fixture {
	t.Helper()
	fed := t.TempDir()
	l, err := New(options(fed))
	if err != nil {
		t.Fatal(err)
	}
	l.prepare = func(context.Context, *job) (*app, error) {
		return &app{release: func() {}, start: func(_ []string, f keeper.Fork, _ []string) (*keeper.Child, error) {
			return keeper.Start(keeper.Command{Path: "/bin/sh", Args: []string{"-c", script}, Dir: f.Dir, Env: []string{"PATH=" + os.Getenv("PATH")}, LogFile: f.LogFile, DieWithParent: true})
		}}, nil
	}
	t.Cleanup(func() { l.Close(0) })
	return &fixture{Launcher: l, t: t, work: filepath.Join(RunDir(fed, run), WorkName)}
}

func options(fed string) Options {
	return Options{
		FedDir: fed, Clock: time.Now, Log: slog.New(slog.DiscardHandler), Changed: func() {},
		Acquire: func(context.Context, uint64) (*wire.Task, error) {
			return &wire.Task{ID: 7, RunID: run, Token: "t"}, nil
		},
		Proxy: func(_ uint64, onSign func(Sign)) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				onSign(Sign{Kind: SignRequest})
				if strings.HasSuffix(r.URL.Path, "/send-task-heartbeat") {
					onSign(Sign{Kind: SignHeartbeat})
				}
			})
		},
	}
}

func (f *fixture) launch(s domain.RunSettings) {
	f.t.Helper()
	f.order(Order{EngineRunID: run, Settings: s})
}

func (f *fixture) order(o Order) {
	f.t.Helper()
	if err := f.Launch(o); err != nil {
		f.t.Fatal(err)
	}
}

// await waits until the task is as wanted, and returns it as it is kept.
func (f *fixture) await(what string, ok func(Task) bool) Task {
	f.t.Helper()
	var got Task
	until(f.t, what, func() bool { got = f.Tasks()[0]; return ok(got) })
	if kept, err := readTask(RunDir(f.FedDir, run), run); err != nil || got.State == Ended && !kept.Equal(got) {
		f.t.Errorf("kept is %+v, %v, not %+v", kept, err, got)
	}
	return got
}

func (f *fixture) ended() Task {
	f.t.Helper()
	return f.await("its end", func(t Task) bool { return t.State == Ended })
}

// ready waits until the script has written its file.
func (f *fixture) ready() string {
	f.t.Helper()
	var text []byte
	until(f.t, "the script's file", func() bool {
		text, _ = os.ReadFile(filepath.Join(f.work, "ready"))
		return strings.HasSuffix(string(text), "ready\n")
	})
	return string(text)
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("a minute has not brought %s", what)
		case <-tick.C:
		}
	}
}

// A ServerApp whose files take too much disk is ended for that, also when they have no name any more, or hide in a closed folder.
func TestAServerAppThatFillsTheDiskIsEnded(t *testing.T) {
	const fill = "; dd if=/dev/zero of=x bs=1M count=40 2>/dev/null; sleep 60"
	for name, c := range map[string]struct {
		script string
		ended  bool
	}{
		"few files":               {"dd if=/dev/zero of=x bs=1M count=2 2>/dev/null; sleep 1.5", false},
		"a large file":            {":" + fill, true},
		"many folders":            {"i=0; while [ $i -lt 6000 ]; do mkdir $i; i=$((i+1)); done; sleep 60", true},
		"a file without a name":   {"exec python3 -c \"import os, time; f = open('x', 'wb'); os.unlink('x'); f.write(bytes(40_000_000)); f.flush(); time.sleep(60)\"", true},
		"a closed folder":         {"mkdir a && cd a && (dd if=/dev/zero of=x bs=1M count=40 2>/dev/null; chmod 0 .); sleep 60", true},
		"a closed working folder": {"dd if=/dev/zero of=x bs=1M count=40 2>/dev/null; chmod 0 .; sleep 60", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, c.script)
			f.order(Order{EngineRunID: run, Disk: 20_000_000})
			got := f.ended()
			if c.ended != (got.Killed == domain.KilledDisk) || c.ended != (got.OverDisk > 20_000_000) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Who ended a ServerApp is known: itself, someone else, or this server and why.
func TestATaskTellsWhoEndedIt(t *testing.T) {
	const stays = "echo ready >ready; while :; do sleep 0.02; done"
	limit := domain.RunSettings{MemoryMB: 50}
	for name, c := range map[string]struct {
		script   string
		settings domain.RunSettings
		act      func(*fixture)
		want     Task
	}{
		"exits with 0":        {"exit 0", domain.RunSettings{}, func(*fixture) {}, Task{ExitCode: 0}},
		"exits with 17":       {"exit 17", domain.RunSettings{}, func(*fixture) {}, Task{ExitCode: 17}},
		"kills itself":        {"kill -9 $$", domain.RunSettings{}, func(*fixture) {}, Task{ExitCode: -1, Signal: "SIGKILL"}},
		"is stopped":          {stays, domain.RunSettings{}, func(f *fixture) { f.ready(); f.Kill(run, time.Minute, domain.KilledStop) }, Task{ExitCode: -1, Signal: "SIGTERM", Killed: domain.KilledStop}},
		"does not listen":     {"trap '' TERM; " + stays, domain.RunSettings{}, func(f *fixture) { f.ready(); f.Kill(run, 20*time.Millisecond, domain.KilledLimit) }, Task{ExitCode: -1, Signal: "SIGKILL", Killed: domain.KilledLimit}},
		"the engine stops":    {stays, domain.RunSettings{}, func(f *fixture) { f.ready(); f.Close(time.Minute) }, Task{ExitCode: -1, Signal: "SIGTERM", Killed: domain.KilledEngine}},
		"holds too much":      {`exec python3 -c "import time; a = bytearray(100_000_000); time.sleep(60)"`, limit, func(*fixture) {}, Task{ExitCode: -1, Killed: domain.KilledMemory}},
		"a child of it holds": {`(setsid env -i python3 -c "import time; a = bytearray(100_000_000); time.sleep(60)" &); sleep 60`, limit, func(*fixture) {}, Task{ExitCode: -1, Killed: domain.KilledMemory}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, c.script)
			f.launch(c.settings)
			c.act(f)
			got := f.ended()
			if c.settings.MemoryMB > 0 {
				if got.OverMemory < 50_000_000 || got.OverMemory > 400_000_000 || got.Signal == "" {
					t.Errorf("%+v", got)
				}
				got.OverMemory, got.Signal = 0, ""
			}
			if got.ExitCode != c.want.ExitCode || got.Signal != c.want.Signal || got.Killed != c.want.Killed || got.Reason != "" || got.EndedAt.IsZero() {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

// A stopped ServerApp takes with it what it left in a session of its own with an empty environment.
func TestNothingOutlivesAServerApp(t *testing.T) {
	f := newFixture(t, `(setsid env -i /bin/sh -c 'echo $$ >ready; echo ready >>ready; exec sleep 330' &); exec sleep 331`)
	f.launch(domain.RunSettings{})
	text, _, _ := strings.Cut(f.ready(), "\n")
	pid, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	id, ok := keeper.Of(pid)
	if !ok {
		t.Fatal("it does not run")
	}
	f.Kill(run, time.Second, domain.KilledStop)
	if id.Alive() {
		t.Error("it outlives the ServerApp")
	}
}

// A task that cannot be read is lost alone, whatever stands in its place; the engine starts, and knows the others.
func TestABrokenTaskIsThatRunsLoss(t *testing.T) {
	good := Task{EngineRunID: 1, State: Ended, ExitCode: 3}
	broken := map[string]func(path string) error{
		"garbage":         func(p string) error { return os.WriteFile(p, []byte("\x00\xff{"), 0o600) },
		"nothing":         func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"of another run":  func(p string) error { return os.WriteFile(p, []byte(`{"engine_run_id":1,"state":"ended"}`), 0o600) },
		"an odd state":    func(p string) error { return os.WriteFile(p, []byte(`{"engine_run_id":2,"state":"flying"}`), 0o600) },
		"another type":    func(p string) error { return os.WriteFile(p, []byte(`{"engine_run_id":"2"}`), 0o600) },
		"much":            func(p string) error { return os.WriteFile(p, make([]byte, maxTask+1), 0o600) },
		"a pipe":          func(p string) error { return unix.Mkfifo(p, 0o600) },
		"a directory":     func(p string) error { return os.Mkdir(p, 0o700) },
		"a link":          func(p string) error { return os.Symlink("/dev/zero", p) },
		"a link to a run": func(p string) error { return os.Symlink("../1/"+taskFile, p) },
	}
	for name, make := range broken {
		t.Run(name, func(t *testing.T) {
			fed := t.TempDir()
			if err := writeTask(RunDir(fed, 1), good); err != nil {
				t.Fatal(err)
			}
			dir := RunDir(fed, 2)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := make(filepath.Join(dir, taskFile)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second start finds what the first has written
				l, err := New(options(fed))
				if err != nil {
					t.Fatal(err)
				}
				lost := l.tasks[2]
				if len(l.tasks) != 2 || lost == nil || lost.State != Ended || lost.ExitCode != -1 || lost.EndedAt.IsZero() || !strings.Contains(lost.Reason, "could not be read") {
					t.Fatalf("the lost task is %+v", lost)
				}
				if got := l.tasks[1]; !got.Equal(good) {
					t.Errorf("the other one is %+v", got)
				}
			}
			if _, err := os.Lstat(filepath.Join(dir, brokenName)); err != nil {
				t.Error(err)
			}
		})
	}
}

// What is not a run's directory costs no run anything.
func TestStrangeEntriesAreLeftAlone(t *testing.T) {
	fed := t.TempDir()
	if err := writeTask(RunDir(fed, 1), Task{EngineRunID: 1, State: Running, PID: 1}); err != nil {
		t.Fatal(err)
	}
	if err := writeTask(RunDir(fed, 3), Task{EngineRunID: 3, State: Ordered}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"notes", "-2", "007", "99999999999999999999"} {
		if err := os.Mkdir(filepath.Join(fed, "runs", name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(RunDir(fed, 2), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := New(options(fed))
	if err != nil {
		t.Fatal(err)
	}
	if got := l.tasks[1]; len(l.tasks) != 2 || got.State != Ended || !strings.Contains(got.Reason, "keeper was killed") || l.tasks[2].State != Ended {
		text, _ := json.Marshal(l.tasks)
		t.Errorf("the tasks are %s", text)
	}
}

// A ServerApp that starts so slowly that the SuperLink has taken its task back is started again with the task acquired anew; one that had
// a heartbeat, or that ends with an error, is not.
func TestATaskThatLapsedIsAcquiredAgain(t *testing.T) {
	for name, c := range map[string]struct {
		script   string
		signs    [][]SignKind // of each process
		attempts int
	}{
		"too slow once":      {"exit 0", [][]SignKind{{SignRequest}, {SignRequest, SignHeartbeat}}, 2},
		"too slow each time": {"exit 0", [][]SignKind{{SignRequest}}, claims},
		"in time":            {"exit 0", [][]SignKind{{SignRequest, SignHeartbeat}}, 1},
		"refused output":     {"exit 0", [][]SignKind{{SignRequest, SignOutput}, {SignRequest, SignHeartbeat}}, 2},
		"failed":             {"exit 3", [][]SignKind{{SignRequest}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, c.script)
			var sign func(Sign)
			f.Proxy = func(_ uint64, onSign func(Sign)) http.Handler { sign = onSign; return http.NotFoundHandler() }
			started, tokens := 0, 0
			f.Acquire = func(context.Context, uint64) (*wire.Task, error) {
				tokens++
				return &wire.Task{ID: 7, RunID: run, Token: strconv.Itoa(tokens)}, nil
			}
			prepare := f.prepare
			f.prepare = func(ctx context.Context, j *job) (*app, error) {
				a, err := prepare(ctx, j)
				start := a.start
				a.start = func(args []string, k keeper.Fork, env []string) (*keeper.Child, error) {
					for _, kind := range c.signs[min(started, len(c.signs)-1)] {
						sign(Sign{Kind: kind})
					}
					started++
					return start(args, k, env)
				}
				return a, err
			}
			f.launch(domain.RunSettings{})
			if got := f.ended(); got.Attempts != c.attempts || tokens != c.attempts || got.Reason != "" || !got.OutputAt.IsZero() {
				t.Errorf("%d processes with %d tokens: %+v", got.Attempts, tokens, got)
			}
		})
	}
}
