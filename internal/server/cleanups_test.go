package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Clean-ups run last in first out, each once and with a limit of its own: one that fails, panics or hangs keeps no other from running.
func TestCleanUpsRunLastInFirstOutWithinTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var order []string
		var limits []time.Duration
		c := cleanups{log: slog.New(slog.NewTextHandler(&log, nil))}
		began := time.Now()
		note := func(ctx context.Context, name string) {
			deadline, _ := ctx.Deadline()
			order, limits = append(order, name), append(limits, time.Until(deadline))
		}
		no := errors.New("no")
		release := make(chan struct{})
		c.add("lock", func(ctx context.Context) error { note(ctx, "lock"); return nil })
		c.add("database", func(ctx context.Context) error { note(ctx, "database"); panic("odd") })
		c.add("jobs", func(ctx context.Context) error { note(ctx, "jobs"); <-release; return nil })
		c.addWith("http", httpShare, func(ctx context.Context) error { note(ctx, "http"); <-ctx.Done(); return no })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := c.run(ctx)
		if took := time.Since(began); took != 9600*time.Millisecond { // 5 s, then nine tenths of the rest, and 100 ms late
			t.Errorf("it took %s", took)
		}
		if want := []string{"http", "jobs", "database", "lock"}; !slices.Equal(order, want) {
			t.Errorf("ran %q", order)
		}
		if want := []time.Duration{5 * time.Second, 4500 * time.Millisecond, 360 * time.Millisecond,
			360 * time.Millisecond}; !slices.Equal(limits, want) {
			t.Errorf("the limits were %v", limits)
		}
		if !errors.Is(err, no) || !strings.Contains(err.Error(), "ending database: panic: odd") {
			t.Errorf("it returned %v", err)
		}
		if !strings.Contains(log.String(), "part=jobs") {
			t.Errorf("the log does not name the part that hangs: %s", log.String())
		}
		if err := c.run(ctx); err != nil || len(order) != 4 {
			t.Errorf("a second time: %v, %q", err, order)
		}
		close(release)
	})
}

// After the end of the time every clean-up is still started.
func TestCleanUpsAreStartedWithoutTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := cleanups{log: slog.New(slog.DiscardHandler)}
		ended := 0
		for _, name := range []string{"a", "b"} {
			c.add(name, func(context.Context) error { ended++; return nil })
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.run(ctx); err != nil || ended != 2 {
			t.Errorf("%d ended: %v", ended, err)
		}
	})
}

// A server on which a link was forgotten is refused; one that is connected twice is a mistake in the wiring.
func TestLinksMustBeConnectedOnce(t *testing.T) {
	var l links
	l.engineChanged.connect(func(int64) {})
	l.pushed.connect(func(int64) {})
	l.stored.connect(func(int64) {})
	if err := l.check(); err == nil || !strings.Contains(err.Error(), "nodeUnknown") || strings.Contains(err.Error(), "pushed") {
		t.Errorf("the check says %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a link was connected twice")
		}
	}()
	l.pushed.connect(func(int64) {})
}
