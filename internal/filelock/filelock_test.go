package filelock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneHolderAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	if held, err := Held(path); held || err != nil {
		t.Fatalf("a lock that does not exist is held: %v, %v", held, err)
	}
	first, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("a second Take returned %v", err)
	}
	if held, err := Held(path); !held || err != nil {
		t.Errorf("Held reports %v, %v", held, err)
	}
	if got, want := Owner(path), fmt.Sprintf("process %d", os.Getpid()); got != want {
		t.Errorf("the owner is %q, want %q", got, want)
	}
	if err := first.Release(); err != nil {
		t.Fatal(err)
	}
	if held, err := Held(path); held || err != nil {
		t.Errorf("it is still held after Release: %v, %v", held, err)
	}
	second, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Release()
}

// A keeper outlives its server. If it kept the lock, the next server could not start.
func TestChildrenDoNotInheritTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	l, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	again, err := Take(path)
	if err != nil {
		t.Fatalf("a child keeps the lock: %v", err)
	}
	_ = again.Release()
}

func TestTheOwnerOnAnotherHostIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	for text, want := range map[string]string{"4711 elsewhere.example\n": "process 4711 on elsewhere.example", "": "another process", "x y": "another process"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Owner(path); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestACopyOfADirectoryHasAnotherID(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, p := range []string{a, b} {
		if err := os.Mkdir(p, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	id := DirID(a)
	if id == "" || id == DirID(b) {
		t.Fatalf("two directories have the ids %q and %q", id, DirID(b))
	}
	if err := os.Rename(a, filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	if got := DirID(filepath.Join(dir, "c")); got != id {
		t.Errorf("renamed, its id is %q, not %q", got, id)
	}
	if DirID(a) != "" {
		t.Error("a missing directory has an id")
	}
}

// A second taker waits for a holder that is stopping as long as that may take, and for no other.
func TestOnlyAHolderThatIsStoppingIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := func(context.Context) error { return ErrHeld }
		wait := func(take func(context.Context) error, stopping func() time.Time) (time.Duration, error) {
			began := time.Now()
			err := WaitForStop(t.Context(), take, stopping)
			return time.Since(began), err
		}
		if took, err := wait(held, func() time.Time { return time.Time{} }); !errors.Is(err, ErrHeld) || took > time.Second {
			t.Errorf("a holder that runs: %v after %s", err, took)
		}
		until := time.Now().Add(time.Minute)
		if took, err := wait(held, func() time.Time { return until }); !errors.Is(err, ErrHeld) || took < time.Minute || took > time.Minute+5*time.Second {
			t.Errorf("a holder that does not stop in time: %v after %s", err, took)
		}
		until, free := time.Now().Add(time.Minute), time.Now().Add(40*time.Second)
		take := func(context.Context) error {
			if time.Now().Before(free) {
				return ErrHeld
			}
			return nil
		}
		if took, err := wait(take, func() time.Time { return until }); err != nil || took < 40*time.Second || took > 41*time.Second {
			t.Errorf("a holder that stops: %v after %s", err, took)
		}
	})
}

func TestAHolderNotesThatItIsStopping(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.lock")
	l, err := Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if h := Read(path); h.PID != os.Getpid() || h.Host != "" || !h.Stopping.IsZero() {
		t.Errorf("the holder is %+v", h)
	}
	until := time.UnixMilli(1_900_000_000_123)
	if err := l.Stopping(until); err != nil {
		t.Fatal(err)
	}
	if h := Read(path); h.PID != os.Getpid() || !h.Stopping.Equal(until) {
		t.Errorf("the holder that is stopping is %+v", h)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if l, err = Take(path); err != nil { // another holder does not inherit the note
		t.Fatal(err)
	}
	defer l.Release()
	if h := Read(path); !h.Stopping.IsZero() {
		t.Errorf("the next holder is %+v", h)
	}
}
