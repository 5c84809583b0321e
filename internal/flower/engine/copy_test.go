//go:build unix

package engine

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/filelock"
	"blossomtune/internal/keeper"
)

// A copied data directory names the keepers of the original. A server on the copy must not end them.
func TestACopyDoesNotStopTheKeeperOfTheOriginal(t *testing.T) {
	original, copied := t.TempDir(), t.TempDir()
	dir, copiedDir := FedDir(original, 1), FedDir(copied, 1)
	for _, d := range []string{dir, copiedDir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := lockKeeper(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	p, err := keeper.Spawn(keeper.Spec{Path: "/bin/sleep", Args: []string{"60"}, LogFile: filepath.Join(dir, "x.log")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keeper.StopIdentity(p.Identity, 0) }()
	for name, recorded := range map[string]string{"as recorded": filelock.DirID(dir), "by an earlier version": ""} {
		st := state{Keeper: p.Identity, Port: 1, Dir: recorded}
		for _, d := range []string{dir, copiedDir} {
			if err := writeJSON(filepath.Join(d, stateName), st); err != nil {
				t.Fatal(err)
			}
		}
		if running, err := runningKeeper(t.Context(), dir); running != p.Identity || err != nil {
			t.Errorf("%s: the original's keeper is %v, %v; want %v", name, running, err, p.Identity)
		}
		m := NewManager(ManagerOptions{DataDir: copied, Clock: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err := m.Stop(t.Context(), 1); err != nil {
			t.Error(err)
		}
		m.Detach()
		if !p.Alive() {
			t.Fatalf("%s: the copy's server ended the original's keeper", name)
		}
	}
}

// The lock files of a copy made with hard links are those of the original, so the directory decides.
func TestACopyWithHardLinksDoesNotOwnTheKeeper(t *testing.T) {
	dir, linked := t.TempDir(), t.TempDir()
	lock, err := lockKeeper(filepath.Join(dir, lockName))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	self, _ := keeper.Of(os.Getpid())
	if err := writeJSON(filepath.Join(dir, stateName), state{Keeper: self, Dir: filelock.DirID(dir)}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{lockName, stateName} {
		if err := os.Link(filepath.Join(dir, name), filepath.Join(linked, name)); err != nil {
			t.Fatal(err)
		}
	}
	if running, err := runningKeeper(t.Context(), linked); running != (keeper.Identity{}) || err != nil {
		t.Errorf("the copy owns %v, %v", running, err)
	}
	if running, err := runningKeeper(t.Context(), dir); running != self || err != nil {
		t.Errorf("the original owns %v, %v", running, err)
	}
}
