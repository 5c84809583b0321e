package python_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
)

// fakeFlower is what the template imports: a ClientApp that does what its argument says.
var fakeFlower = map[string]string{
	"flwr/supernode/cli.py":       "import sys\ndef flwr_clientapp():\n    exec(sys.argv[2])\n",
	"flwr/supercore/exit/exit.py": "",
}

// stray leaves a process in a session of its own, with an empty environment and no parent, and waits for it.
const stray = `
import os, signal, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open("stray", "w").write(f"{os.getpid()}\n")
        os.execve("/bin/sleep", ["sleep", "320"], {})
    os._exit(0)
os.wait()
while not (os.path.exists("stray") and open("stray").read().endswith("\n")):
    time.sleep(0.01)
`

// What descends from a process of the template is gone with it, however it ends, and the other processes of the template live on.
func TestNothingOutlivesAProcessOfTheTemplate(t *testing.T) {
	dir := t.TempDir()
	for name, text := range fakeFlower {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program, log := filepath.Join(dir, "template.py"), filepath.Join(dir, "template.log")
	if err := os.WriteFile(program, python.ClientAppTemplate, 0o600); err != nil {
		t.Fatal(err)
	}
	tpl, err := keeper.StartTemplate(keeper.Command{Path: "python3", Args: []string{program}, Dir: dir, Env: []string{"PATH=" + os.Getenv("PATH")}, LogFile: log, DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tpl.Stop(0) })
	fork := func(script string) (child *keeper.Child, left keeper.Identity, out func() string) {
		t.Helper()
		work := t.TempDir()
		child, err := tpl.Start(keeper.Fork{Args: []string{"--", script}, Dir: work, LogFile: filepath.Join(work, "log")})
		if err != nil {
			text, _ := os.ReadFile(log)
			t.Fatalf("%v\n%s", err, text)
		}
		out = func() string { b, _ := os.ReadFile(filepath.Join(work, "log")); return string(b) }
		return child, strayOf(t, filepath.Join(work, "stray"), out), out
	}
	other, otherStray, _ := fork(stray + "print('here', flush=True)\ntime.sleep(321)")
	for name, c := range map[string]struct {
		setup  string
		script string
		act    func(*keeper.Child)
		want   keeper.Exit
	}{
		"exits":            {"", "sys.exit(5)", func(*keeper.Child) {}, keeper.Exit{Code: 5}},
		"exits hard":       {"", "os._exit(0)", func(*keeper.Child) {}, keeper.Exit{}},
		"kills itself":     {"", "os.kill(os.getpid(), signal.SIGKILL)", func(*keeper.Child) {}, keeper.Exit{Code: -1, Signal: "SIGKILL"}},
		"is stopped":       {"", "time.sleep(322)", func(c *keeper.Child) { c.Stop(10 * time.Second) }, keeper.Exit{Code: -1, Signal: "SIGTERM"}},
		"does not listen":  {"import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)", "time.sleep(323)", func(c *keeper.Child) { c.Stop(50 * time.Millisecond) }, keeper.Exit{Code: -1, Signal: "SIGKILL"}},
		"kills its reaper": {"", "os.kill(os.getppid(), signal.SIGKILL); time.sleep(324)", func(*keeper.Child) {}, keeper.Exit{Code: -1, Signal: "SIGKILL"}},
	} {
		t.Run(name, func(t *testing.T) {
			child, left, out := fork(c.setup + stray + c.script)
			began := time.Now()
			c.act(child)
			if exit := child.Exit(); exit != c.want {
				t.Errorf("it ended with %v, want %v: %s", exit, c.want, out())
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("its end took %s", took)
			}
			if name == "kills its reaper" { // the template ends what is left
				await(t, "the end of the stray process", func() bool { return !left.Alive() })
			}
			if left.Alive() {
				t.Errorf("%s outlives it", left)
			}
			if tpl.Ended() || !other.Identity().Alive() || !otherStray.Alive() {
				t.Error("it took others with it")
			}
		})
	}
	tpl.Stop(0)
	if exit := other.Exit(); exit.Signal != "SIGKILL" || otherStray.Alive() {
		t.Errorf("what was made of the template outlives it: %v", exit)
	}
}

// strayOf waits until a stray process has told its id.
func strayOf(t *testing.T, file string, out func() string) keeper.Identity {
	t.Helper()
	var id keeper.Identity
	await(t, "a stray process; "+out(), func() bool {
		b, _ := os.ReadFile(file)
		line, whole := strings.CutSuffix(string(b), "\n")
		pid, _ := strconv.Atoi(line)
		id, _ = keeper.Of(pid) // it may be gone already
		return whole
	})
	return id
}

func await(t *testing.T, what string, ok func() bool) {
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
