package server_test

import (
	"blossomtune/internal/servertest"
	"crypto/ecdsa"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
)

// caller calls the API of a server that does not listen, with a SuperNode's key.
type caller struct {
	t   *testing.T
	h   http.Handler
	key *ecdsa.PrivateKey
}

func newCaller(t *testing.T) *caller {
	t.Helper()
	a := servertest.MustAt(t, t.TempDir(), "")
	t.Cleanup(func() { servertest.Stop(t, a) })
	h, err := a.Handler()
	if err != nil {
		t.Fatal(err)
	}
	return &caller{t: t, h: h, key: enrolled(t, a)}
}

const agentAPI = "/api/v1/agent/"

func (c *caller) sign(method, path, body string, at time.Time) http.Header {
	c.t.Helper()
	h, err := wire.SignCall(c.key, method, agentAPI+path, []byte(body), at)
	if err != nil {
		c.t.Fatal(err)
	}
	return h
}

// send sends a call with the headers of a signature and returns the status.
func (c *caller) send(method, path, body string, signature http.Header) int {
	c.t.Helper()
	r := httptest.NewRequest(method, agentAPI+path, strings.NewReader(body))
	r.Header = signature.Clone()
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w.Code
}

func (c *caller) want(status int, what, method, path, body string, signature http.Header) {
	c.t.Helper()
	if got := c.send(method, path, body, signature); got != status {
		c.t.Errorf("%s: %s %s answers %d, want %d", what, method, path, got, status)
	}
}

const (
	aReport = `{"flwr":"1.42.0","agent":"1","python":"3.12.0","system":"linux/amd64"}`
	anExit  = `{"run_id":"7","exit_code":1}`
)

// An agent reports what its owner decided, of versions that this server may not have; anything of another form is refused.
func TestAnAgentReportsDecisions(t *testing.T) {
	c := newCaller(t)
	hash := strings.Repeat("a", 64)
	for body, want := range map[string]int{
		`{"apps":[{"hash":"` + hash + `","state":"waiting","rule":"approval"}]}`: 204,
		`{"apps":[]}`: 204,
		`{"apps":[{"hash":"` + hash[:8] + `","state":"waiting"}]}`:          422,
		`{"apps":[{"hash":"` + hash + `","state":"anything"}]}`:             422,
		`{"apps":[{"hash":"` + hash + `","state":"waiting","rule":"<b>"}]}`: 422,
	} {
		c.want(want, body, "POST", "apps", body, c.sign("POST", "apps", body, time.Now()))
	}
	report := strings.TrimSuffix(aReport, "}") + `,"approve":"ask","ledger_n":7,"ledger_hash":"` + hash + `"}`
	c.want(200, "with its ledger", "POST", "report", report, c.sign("POST", "report", report, time.Now()))
}

// A captured signature works neither again nor for another call.
func TestASignedCallCountsOnceAndForItselfAlone(t *testing.T) {
	c := newCaller(t)
	captured := c.sign("POST", "report", aReport, time.Now())
	c.want(200, "fresh", "POST", "report", aReport, captured)
	c.want(401, "again", "POST", "report", aReport, captured)

	captured = c.sign("POST", "report", aReport, time.Now()) // not delivered
	c.want(401, "for another operation", "POST", "leave", aReport, captured)
	c.want(401, "for another operation", "POST", "leave", "", captured)
	c.want(401, "for another operation", "GET", "config", "", captured)
	c.want(401, "with another body", "POST", "report", strings.Replace(aReport, "1.42.0", "1.0.0", 1), captured)
	c.want(401, "with a query", "POST", "report?x=1", aReport, captured)
	other := captured.Clone()
	other.Set(wire.HeaderCallTime, time.Now().Add(time.Second).UTC().Format("2006-01-02T15:04:05.000000-07:00"))
	c.want(401, "with another time", "POST", "report", aReport, other)
	c.want(200, "as it was signed", "POST", "report", aReport, captured)

	c.want(401, "too old", "POST", "report", aReport, c.sign("POST", "report", aReport, time.Now().Add(-10*time.Minute)))
	c.want(503, "of before the server's start", "POST", "report", aReport, c.sign("POST", "report", aReport, time.Now().Add(-time.Minute)))
	c.want(401, "without a signature", "POST", "leave", "", http.Header{})

	c.want(204, "leaving", "POST", "leave", "", c.sign("POST", "leave", "", time.Now()))
	c.want(401, "after leaving", "GET", "config", "", c.sign("GET", "config", "", time.Now()))
}

// A Flower signature, such as that of a heartbeat, changes nothing here; earlier agents report with it.
func TestAFlowerSignatureOnlyReports(t *testing.T) {
	c := newCaller(t)
	flower := func() http.Header {
		h, err := wire.SignHeaders(c.key, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for path, body := range map[string]string{"leave": "", "key": `{"public_key":"x","proof":"x"}`, "exits": anExit, "logs": `{"part":"supernode","lines":["x"]}`} {
		c.want(403, "a heartbeat's signature", "POST", path, body, flower())
	}
	captured := flower()
	c.want(200, "of an earlier agent", "POST", "report", aReport, captured)
	c.want(401, "again", "POST", "report", aReport, captured)
	c.want(401, "again, elsewhere", "GET", "config", "", captured)
	c.want(200, "of an earlier agent", "GET", "config", "", flower())
}
