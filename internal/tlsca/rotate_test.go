package tlsca

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A new CA is told beside the old one first, and signs only when the overlap is over or it is asked for; a crash in between loses nothing.
func TestRotate(t *testing.T) {
	dir, now := t.TempDir(), time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	a, err := Open(Options{Dir: dir, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	first := a.Pin()
	if _, _, err := Rotate(dir, now, true); err == nil {
		t.Error("a CA that nobody was told of was taken into use")
	}
	at, pin, err := Rotate(dir, now, false)
	if err != nil || !at.Equal(now.Add(Overlap)) || pin == first {
		t.Fatal(at, pin, err)
	}
	if again, same, err := Rotate(dir, now.Add(time.Hour), false); err != nil || same != pin || !again.Equal(at) {
		t.Errorf("a second call made another: %v %v", same, err)
	}
	now = now.Add(time.Minute)
	if got := strings.Count(string(a.CAPEM()), "BEGIN CERTIFICATE"); got != 2 || a.Pin() != first {
		t.Errorf("%d certificates are told, pin changed: %v", got, a.Pin() != first)
	}
	now = now.Add(Overlap)
	leaf, err := a.certificate(nil)
	if err != nil || a.Pin() != pin || strings.Count(string(a.CAPEM()), "BEGIN CERTIFICATE") != 1 || PinOf(leaf.Certificate[1]) != pin {
		t.Errorf("the new CA is not in use: %v", err)
	}
	// Killed between the two renames.
	if _, pin, err = Rotate(dir, now, false); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "next.key"), filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	if a, err = Open(Options{Dir: dir, Clock: func() time.Time { return now }}); err != nil || a.Pin() != pin {
		t.Errorf("after a crash: %v", err)
	}
}
