package portmux

import (
	"bytes"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Whoever scans the port makes no line each; what else net/http has to say is kept.
func TestFailedHandshakesAreCounted(t *testing.T) {
	var out bytes.Buffer
	n := &Noise{Log: slog.New(slog.NewTextHandler(&out, nil))}
	l := log.New(n, "", 0)
	before := countedHandshakes(t)
	for range 100 {
		l.Print("http: TLS handshake error from 203.0.113.9:4711: EOF")
	}
	if got := countedHandshakes(t) - before; got < 100 { // other tests may add some of their own
		t.Errorf("the metrics count %v of them", got)
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

var handshakeLine = regexp.MustCompile(`(?m)^blossomtune_tls_handshake_failures_total (\S+)$`)

func countedHandshakes(t *testing.T) float64 {
	t.Helper()
	res := httptest.NewRecorder()
	promhttp.Handler().ServeHTTP(res, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	m := handshakeLine.FindStringSubmatch(res.Body.String())
	if m == nil {
		t.Fatal("the metrics do not have them")
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
