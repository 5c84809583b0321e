package agent

import (
	"net/http"
	"reflect"
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

// Of what an app printed, the kind of its exception goes out with the app's own line, and not its message.
func TestExceptionKindAlone(t *testing.T) {
	const app = "/home/ada/.flwr/apps/blossomtune.fault.1.0.0.deadbeef/fault/client_app.py"
	for out, want := range map[string]appExit{
		"Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: patient 4711 has no scan\n":                                          {Kind: "ValueError"},
		"x\nTraceback (most recent call last):\n  File \"x.py\", line 1\n    import torch\nModuleNotFoundError: No module named 'torch'\nINFO : bye\n": {Kind: "ModuleNotFoundError", Module: "torch"},
		"Traceback (most recent call last):\n  a\nlib.errors.BadData: No module named 'secret'\n":                                                      {Kind: "BadData"},
		"no traceback": {},
		"ERROR :     ClientApp raised an exception\nTraceback (most recent call last):\n  File \"" + app + "\", line 12, in train\n    x = pandas.read_csv(path)[\"age\"]\n        ~~~~^^^^\n" +
			"  File \"/usr/lib/python3/dist-packages/pandas/core/frame.py\", line 4113, in __getitem__\n    raise KeyError(key)\nKeyError: 'patient 4711'\n": {Kind: "KeyError", File: "fault/client_app.py", Line: 12, Func: "train", Code: `x = pandas.read_csv(path)["age"]`},
		"Traceback (most recent call last):\n  File \"" + app + "\", line 9, in load\n    requests.get(url)\nrequests.exceptions.ConnectionError: HTTPSConnectionPool(host='data.example.org', port=443): Max retries exceeded with url: /patients/4711 (Caused by NameResolutionError(\"HTTPSConnection(host='data.example.org', port=443): Failed to resolve 'data.example.org' ([Errno -2] Name or service not known)\"))\n": {
			Kind: "ConnectionError", Trouble: "no_name", Address: "data.example.org", File: "fault/client_app.py", Line: 9, Func: "load", Code: "requests.get(url)"},
	} {
		var got appExit
		if got.told([]byte(out)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, want %+v", out, got, want)
		}
	}
}
