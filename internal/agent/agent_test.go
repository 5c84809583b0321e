package agent

import (
	"net/http"
	"testing"
	"time"
)

// The server's time is learned from its answers, to the second, and small differences are left alone.
func TestServerClock(t *testing.T) {
	here := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	c := &serverClock{local: func() time.Time { return here }}
	said := func(at time.Time) http.Header { return http.Header{"Date": {at.Format(http.TimeFormat)}} }
	for _, step := range []struct {
		server  time.Duration
		changed bool
		ahead   time.Duration
	}{{time.Second, false, 0}, {10 * time.Minute, true, 10*time.Minute + time.Second}, {10*time.Minute + time.Second, false, 10*time.Minute + time.Second}, {-time.Hour, true, -time.Hour + time.Second}, {0, true, 0}} {
		if got := c.learn(said(here.Add(step.server))); got != step.changed || (c.ahead()-step.ahead).Abs() > time.Second {
			t.Errorf("%v: changed %v, ahead %v; want %v, %v", step.server, got, c.ahead(), step.changed, step.ahead)
		}
	}
	if c.learn(http.Header{}) || c.learn(http.Header{"Date": {"yesterday"}}) {
		t.Error("an answer without a time changes it")
	}
}

// Of what an app printed, the kind of its exception goes out, and not its message.
func TestExceptionKindAlone(t *testing.T) {
	for out, want := range map[string][2]string{
		"Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: patient 4711 has no scan\n":                                          {"ValueError", ""},
		"x\nTraceback (most recent call last):\n  File \"x.py\", line 1\n    import torch\nModuleNotFoundError: No module named 'torch'\nINFO : bye\n": {"ModuleNotFoundError", "torch"},
		"Traceback (most recent call last):\n  a\nlib.errors.BadData: No module named 'secret'\n":                                                      {"BadData", ""},
		"no traceback": {"", ""},
	} {
		if kind, module := exceptionIn([]byte(out)); kind != want[0] || module != want[1] {
			t.Errorf("%q: %q, %q, want %q", out, kind, module, want)
		}
	}
}
