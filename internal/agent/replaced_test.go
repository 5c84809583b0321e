//go:build unix

package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/flower/supernode"
)

// An agent makes way for an updated program only between runs, and only for one that starts and has another version.
func TestAnAgentMakesWayForAnUpdateBetweenRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blossomtune")
	write := func(text string) { // as an update does: another file in the same place
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(script("1.0.0"))
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{j: &joining{o: Options{Program: path, Version: "1.0.0"}, program: before},
		status: &statusFile{path: filepath.Join(t.TempDir(), "status.json"), clock: time.Now}}
	expect := func(when string, want bool) {
		t.Helper()
		if got := n.retires(t.Context()); got != want {
			t.Errorf("%s: retires %v, want %v", when, got, want)
		}
	}
	expect("without an update", false)
	write("nothing that runs")
	expect("with a program that does not start", false)
	write(script("1.0.0") + "# another build\n")
	expect("with the same version", false)
	write(script("1.1.0"))
	n.busy = true
	expect("during a run", false)
	n.busy = false
	ended := n.status.begins(&supernode.Task{RunID: 7}, "digits-1")
	expect("while an app works", false)
	ended()
	expect("between runs", true)
}
