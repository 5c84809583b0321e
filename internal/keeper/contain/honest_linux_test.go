package contain_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/testflwr"
)

// run runs a shell script in a sandbox to its end.
func run(t testing.TB, p contain.Policy, program string, args ...string) (keeper.Exit, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	work := t.TempDir()
	p.Write = append(p.Write, work)
	own(t, p, work)
	env := []string{"PATH=/usr/bin:/bin", "TMPDIR=" + work, "HOME=" + work}
	if p.UID != 0 && p.NoNamespaces {
		env = append(env, "NAMELESS=1") // the user is not in /etc/passwd
	}
	c, err := keeper.Start(keeper.Command{Path: program, Args: args, Dir: work, Env: env, LogFile: log, Contain: &p, DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	exit := c.Exit()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return exit, string(text)
}

func modes(t *testing.T, each func(t *testing.T, p contain.Policy)) {
	t.Helper()
	policies := map[string]contain.Policy{"floor": {NoNamespaces: true}}
	if contain.Check().Namespaces {
		policies["namespaces"] = contain.Policy{}
	}
	for name, p := range policies {
		t.Run(name, func(t *testing.T) { each(t, p) })
		if contain.Check().Users {
			p.UID = appUser
			t.Run(name+" uid", func(t *testing.T) { each(t, p) })
		}
	}
}

// appUser is the user that apps run as in tests of root.
const appUser = 60706

// own gives a folder to the policy's user.
func own(t testing.TB, p contain.Policy, dir string) {
	t.Helper()
	if p.UID == 0 {
		return
	}
	if err := errors.Join(os.Chown(dir, p.UID, p.UID), os.Chmod(filepath.Dir(dir), 0o711)); err != nil {
		t.Fatal(err)
	}
}

// What honest apps do works: their own files, processes, pools, sockets and shared memory.
func TestHonestProgramsRunUnchanged(t *testing.T) {
	python, prefix := interpreter(t)
	script, err := filepath.Abs("testdata/honest.py")
	if err != nil {
		t.Fatal(err)
	}
	modes(t, func(t *testing.T, p contain.Policy) {
		p.Read = []string{script, prefix}
		if exit, out := run(t, p, python, "-I", script); exit.Code != 0 || !strings.HasSuffix(out, "all is well\n") {
			t.Errorf("%s\n%s", exit, out)
		}
	})
}

// torch's DataLoader gets its batches from two worker processes, in shared memory with and without names.
func TestADataLoaderHasWorkers(t *testing.T) {
	env := testflwr.Torch(t)
	script, err := filepath.Abs("testdata/loader.py")
	if err != nil {
		t.Fatal(err)
	}
	modes(t, func(t *testing.T, p contain.Policy) {
		p.Read = append([]string{script, env}, python.Installation(env)...)
		methods := []string{"fork"}
		switch users := contain.Check().Users; {
		case users && p.NoNamespaces == (p.UID != 0):
			return // others cannot enter the home directory, where torch is; and root's apps have a user of their own
		case !p.NoNamespaces:
			methods = append(methods, "spawn") // each worker imports torch again, which takes seconds
		}
		exit, out := run(t, p, filepath.Join(env, "bin", "python"), append([]string{"-P", script}, methods...)...)
		if exit.Code != 0 || out != strings.Join(methods, "\n")+"\n" {
			t.Errorf("%s\n%s", exit, out)
		}
	})
}

// How a program ends is known as if nothing stood between.
func TestTheEndIsThatOfTheProgram(t *testing.T) {
	modes(t, func(t *testing.T, p contain.Policy) {
		for script, want := range map[string]keeper.Exit{
			"exit 0": {}, "exit 17": {Code: 17}, "kill -9 $$": {Code: -1, Signal: "SIGKILL"}, "kill -SEGV $$": {Code: -1, Signal: "SIGSEGV"}, "kill -TERM $$": {Code: -1, Signal: "SIGTERM"},
		} {
			if got, out := run(t, p, "/bin/sh", "-c", script+"; sleep 60"); got != want || out != "" {
				t.Errorf("%s: %s, want %s\n%s", script, got, want, out)
			}
		}
		if got, out := run(t, p, "/no/such/program"); got.Code != 127 || !strings.Contains(out, "no such file") {
			t.Errorf("a program that is not there: %s\n%s", got, out)
		}
	})
}

// A program that is asked to end gets the signal, and one that does not listen is killed, with what it started in a session of its own.
func TestAContainedProgramCanBeStopped(t *testing.T) {
	modes(t, func(t *testing.T, p contain.Policy) {
		for script, want := range map[string]keeper.Exit{
			"trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done": {Code: 5},
			"trap '' TERM; echo ready; while :; do sleep 0.05; done":       {Code: -1, Signal: "SIGKILL"},
			"setsid sh -c 'trap \"\" TERM; echo ready; sleep 300' & wait":  {Code: -1, Signal: "SIGTERM"},
		} {
			log, work := filepath.Join(t.TempDir(), "log"), t.TempDir()
			p.Write = []string{work}
			own(t, p, work)
			c, err := keeper.Start(keeper.Command{Path: "/bin/sh", Args: []string{"-c", script}, Dir: work, Env: []string{"PATH=/usr/bin:/bin"}, LogFile: log, Contain: &p, DieWithParent: true})
			if err != nil {
				t.Fatal(err)
			}
			until(t, "it is ready", func() bool { text, _ := os.ReadFile(log); return strings.Contains(string(text), "ready") })
			if got := c.Stop(500 * time.Millisecond); got != want {
				t.Errorf("%s: %s, want %s", script, got, want)
			}
		}
	})
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-limit:
			t.Fatal("not after 20 s: " + what)
		case <-tick.C:
		}
	}
}

// interpreter returns Python and the folder that it is installed in.
func interpreter(t *testing.T) (program, prefix string) {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3"} { // the system's own first: every user can run it
		out, err := exec.CommandContext(t.Context(), name, "-I", "-c", "import sys; print(sys.executable); print(sys.base_prefix)").Output()
		if err == nil {
			program, prefix, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			return program, prefix
		}
	}
	t.Fatal("this test needs python3")
	return "", ""
}
