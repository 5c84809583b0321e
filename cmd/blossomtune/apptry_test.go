//go:build !participant

package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"

	"blossomtune/internal/demo"
)

// A trial that failed has said so, but not that something of it still runs or that its folder is left.
func TestATrialThatLeavesSomethingSaysSo(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	stuck := demo.NotStopped{Err: os.ErrDeadlineExceeded}
	for _, c := range []struct {
		name   string
		ctx    context.Context
		err    error
		remove error
		code   int
		words  string // "": the error is not shown
		kept   bool
	}{
		{"good", t.Context(), nil, nil, 0, "", false},
		{"failed", t.Context(), demo.ErrFailed, nil, exitRun, "", false},
		{"interrupted", gone, context.Canceled, nil, exitInterrupted, "", false},
		{"failed, running on", t.Context(), errors.Join(demo.ErrFailed, stuck), nil, exitRun, "may still run", true},
		{"interrupted, running on", gone, errors.Join(context.Canceled, stuck), nil, exitInterrupted, "may still run", true},
		{"running on", t.Context(), stuck, nil, 1, "may still run", true},
		{"failed, not removed", t.Context(), demo.ErrFailed, os.ErrPermission, exitRun, "cannot be removed", false},
		{"not removed", t.Context(), nil, os.ErrPermission, 1, "cannot be removed", false},
	} {
		removed := false
		err := triedIn(c.ctx, "/the/folder", c.err, func() error { removed = true; return c.remove })
		if removed == c.kept {
			t.Errorf("%s: the folder was removed: %v", c.name, removed)
		}
		if c.code == 0 {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if shown := !errors.Is(err, errQuiet); shown != (c.words != "") || !strings.Contains(err.Error(), c.words) || exitCode(err) != c.code {
			t.Errorf("%s: exit code %d, shown %v: %v", c.name, exitCode(err), shown, err)
		}
	}
}

// nohup sets SIGHUP aside: the trial goes on when the terminal closes.
func TestATrialUnderNohupHeedsNoHangup(t *testing.T) {
	if !slices.Contains(endings(), os.Signal(syscall.SIGHUP)) {
		t.Error("a closed terminal does not end a trial")
	}
	signal.Ignore(syscall.SIGHUP)
	defer signal.Reset(syscall.SIGHUP)
	if slices.Contains(endings(), os.Signal(syscall.SIGHUP)) {
		t.Error("SIGHUP ends a trial under nohup")
	}
}
