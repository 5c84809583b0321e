package keeper

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/filelock"
)

// When a data directory was moved away and a copy took its place, the paths in the environment of the original's processes are
// those of the copy.
func TestStraysOfAMovedDirectoryAreSpared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "1")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	spawn := func(id string) *Process {
		t.Helper()
		p, err := Spawn(Spec{Path: "/bin/sleep", Args: []string{"60"}, Env: []string{"FLWR_HOME=" + dir + "/home", DirEnv + "=" + id}, LogFile: filepath.Join(t.TempDir(), "x.log")})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = StopIdentity(p.Identity, 0) })
		return p
	}
	ours, other := spawn(filelock.DirID(dir)), spawn("1:1")
	if n := KillStrays("FLWR_HOME", dir); n != 1 {
		t.Errorf("%d processes were killed, want 1", n)
	}
	select {
	case <-ours.Done():
	case <-time.After(10 * time.Second):
		t.Error("a stray of this directory runs on")
	}
	if !other.Alive() {
		t.Error("a process of another directory was killed")
	}
}
