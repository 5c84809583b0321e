package e2e

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/testflwr"
)

// trial is a running `blossomtune app try`.
type trial struct {
	demo
	tmp string
	out io.Closer
}

// startTrial tries an app; its federation is below a folder of the test's own.
func startTrial(t *testing.T, app []string, args ...string) *trial {
	t.Helper()
	tr := &trial{demo: demo{t: t, lines: make(chan string, 1000)}, tmp: t.TempDir()}
	args = append([]string{"app", "try", filepath.Join(append([]string{testflwr.Root(t)}, app...)...),
		"--python-dir", filepath.Dir(testflwr.Venv(t).Dir)}, args...)
	tr.cmd = exec.Command(bin(t), args...)
	tr.cmd.Dir, tr.cmd.Env = t.TempDir(), append(os.Environ(), "TMPDIR="+tr.tmp)
	tr.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := tr.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	tr.cmd.Stderr = tr.cmd.Stdout
	if err := tr.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tr.out = out
	go tr.read(out)
	return tr
}

// exits waits for the end, with an exit code. Nothing is left then, neither a process nor a file.
func (tr *trial) exits(want int) string {
	tr.t.Helper()
	tr.until("")
	code := 0
	err := tr.cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code = exit.ExitCode()
	}
	out := strings.Join(tr.all, "\n")
	if code != want {
		tr.t.Errorf("exit code %d (%v), want %d:\n%s", code, err, want, out)
	}
	noProcesses(tr.t, tr.tmp)
	if left, err := os.ReadDir(tr.tmp); err != nil || len(left) > 0 {
		tr.t.Errorf("files are left: %v, %v", left, err)
	}
	return out
}

// An app is tried without a server: its metrics are printed, and nothing is left.
func TestAnAppIsTriedOnThisMachine(t *testing.T) {
	t.Parallel()
	began := time.Now()
	out := startTrial(t, []string{"apps", "quickstart_digits"}, "--participants", "2", "--rounds", "2", "--config",
		"local-epochs=1").exits(0)
	t.Logf("it took %s", time.Since(began).Round(time.Second))
	for _, want := range []string{"blossomtune/quickstart-digits 1.0.0", "2 online", "round 1/2  server", "round 2/2  server",
		"accuracy 0.", "completed"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not print %q:\n%s", want, out)
		}
	}
}

// A run that fails has its cause, its remedy and the end of its log.
func TestATriedAppThatFailsIsExplained(t *testing.T) {
	t.Parallel()
	out := startTrial(t, []string{"e2e", "apps", "raises"}, "--participants", "1").exits(11)
	for _, want := range []string{"failed", "KeyError", "→ ", "about to read the learning rate"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not print %q:\n%s", want, out)
		}
	}
}

// Ctrl-C ends all of it, and so does a terminal that is closed.
func TestATrialEndsWithItsTerminal(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(tr *trial) error{
		"Ctrl-C":          func(tr *trial) error { return tr.cmd.Process.Signal(syscall.SIGINT) },
		"closed terminal": func(tr *trial) error { return tr.cmd.Process.Signal(syscall.SIGHUP) },
		"closed pipe":     func(tr *trial) error { return tr.out.Close() },
	} {
		t.Run(how, func(t *testing.T) {
			tr := startTrial(t, []string{"apps", "quickstart_digits"})
			tr.until("online")
			if err := end(tr); err != nil {
				t.Fatal(err)
			}
			tr.exits(130)
		})
	}
}

// What cannot be tried is said before anything is started.
func TestATrialThatCannotBe(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for words, args := range map[string][]string{"is not empty": {"--keep", full}, "number of participants": {"--participants", "0"}} {
		out, err := exec.Command(bin(t), append([]string{"app", "try", full}, args...)...).CombinedOutput()
		if err == nil || !bytes.Contains(out, []byte(words)) || !bytes.Contains(out, []byte("→")) {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
}
