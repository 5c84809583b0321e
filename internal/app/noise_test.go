package app

import (
	"bytes"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whoever scans the port makes no line each; what else net/http has to say is kept.
func TestFailedHandshakesAreCounted(t *testing.T) {
	var out bytes.Buffer
	n := &noise{log: slog.New(slog.NewTextHandler(&out, nil))}
	l := log.New(n, "", 0)
	for range 100 {
		l.Print("http: TLS handshake error from 203.0.113.9:4711: EOF")
	}
	res := httptest.NewRecorder()
	prometheusHandler.ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if !strings.Contains(res.Body.String(), "\nblossomtune_tls_handshake_failures_total 1") {
		t.Error("the metrics do not count them")
	}
	if out.Len() > 0 {
		t.Errorf("logged %s", out.String())
	}
	l.Print("http: panic serving 203.0.113.9:4711: x")
	n.tell()
	n.tell()
	if got := out.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "panic serving") || !strings.Contains(got, "count=100") {
		t.Errorf("logged %s", got)
	}
}
