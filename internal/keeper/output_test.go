package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/logfile"
)

func sh(t *testing.T, script string, args ...string) (*Child, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "x.log")
	c, err := Start(Command{Path: "/bin/sh", Args: append([]string{"-c", script, "sh"}, args...), Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}, LogFile: log, DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Stop(0) })
	return c, log
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAllThatAChildWroteIsInItsLogWhenItIsDone(t *testing.T) {
	c, log := sh(t, `i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done; echo "to stderr" >&2; printf 'no end'; exit 3`)
	if exit := c.Exit(); exit.Code != 3 {
		t.Fatalf("it ended with %v", exit)
	}
	lines := strings.Split(read(t, log), "\n")
	if len(lines) != 2003 || lines[1999] != "line 1999" || lines[2000] != "to stderr" || lines[2001] != "no end" {
		t.Errorf("%d lines, the last %q", len(lines), lines[max(0, len(lines)-4):])
	}
}

// A line is stored as soon as it is written, while the child runs on.
func TestALineIsStoredPromptly(t *testing.T) {
	c, log := sh(t, `echo ready; while read x; do :; done; sleep 60`)
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for read(t, log) != "ready\n" {
		select {
		case <-deadline.C:
			t.Fatalf("after five seconds the log has %q", read(t, log))
		case <-tick.C:
		}
	}
	if exit := c.Stop(time.Second); exit.Signal != "SIGTERM" {
		t.Errorf("it ended with %v", exit)
	}
}

func TestASecretIsNeverInTheFile(t *testing.T) {
	token := "ghp_" + strings.Repeat("a1B2", 9)
	c, log := sh(t, `printf 'ghp_'; sleep 0.05; printf '%s' "$1"; echo " and more"; echo "Authorization: Bearer $1"`, token[4:])
	c.Exit()
	if got, want := read(t, log), "ghp_[masked] and more\nAuthorization: Bearer [masked]\n"; got != want {
		t.Errorf("the log has %q, want %q", got, want)
	}
}

// A flood goes through whole, and the log is bounded.
func TestAFloodIsBounded(t *testing.T) {
	log := filepath.Join(t.TempDir(), "x.log")
	c, err := Start(Command{Path: "/bin/sh", Args: []string{"-c", "seq 1 1000000"}, Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}, LogFile: log, Log: logfile.Keep{Max: 2 << 20}, DieWithParent: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Exit()
	text := read(t, log)
	if len(text) > 2<<20+1000 || !strings.HasPrefix(text, "1\n2\n") || !strings.HasSuffix(text, "\n999999\n1000000\n") {
		t.Errorf("%d bytes, ending with %q", len(text), text[max(0, len(text)-40):])
	}
}

// BenchmarkOutput tells how many lines a second go from a child to its log.
func BenchmarkOutput(b *testing.B) {
	const lines = 1_000_000
	for b.Loop() {
		c, err := Start(Command{Path: "/bin/sh", Args: []string{"-c", fmt.Sprintf("yes 'INFO :      aggregate_train: Received 2 results and 0 failures' | head -n %d", lines)},
			Dir: b.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}, LogFile: filepath.Join(b.TempDir(), "x.log"), DieWithParent: true})
		if err != nil {
			b.Fatal(err)
		}
		c.Exit()
	}
	b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
