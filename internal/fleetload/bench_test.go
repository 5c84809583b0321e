package fleetload

import (
	"crypto/elliptic"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"testing"

	"blossomtune/internal/flower/wire/flwrpb"
)

// BenchmarkCall tells what a call costs the generator and a server that does nothing together: over the same connection, as a poll, and
// over a new one, as most heartbeats; most of the latter is the handshake with the RSA key of the test server.
func BenchmarkCall(b *testing.B) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		for _, fresh := range []bool{false, true} {
			name := curve.Params().Name + map[bool]string{false: "/poll", true: "/heartbeat"}[fresh]
			b.Run(name, func(b *testing.B) { benchCall(b, curve, fresh) })
		}
	}
}

func benchCall(b *testing.B, curve elliptic.Curve, fresh bool) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	dial, err := newDialer(b.Context(), Target{URL: s.URL, Roots: roots})
	if err != nil {
		b.Fatal(err)
	}
	keys, err := NewKeys(1, curve)
	if err != nil {
		b.Fatal(err)
	}
	f := &Fleet{stats: newStats(), dial: dial}
	n := f.newNode(0, keys[0])
	began := cpuTime()
	for b.Loop() {
		if fresh {
			n.pool.reopen()
		}
		if err := n.once(b.Context(), "pull-messages", nil, &flwrpb.PullMessagesResponse{}, callTimeout); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-began).Microseconds())/float64(b.N), "µs-cpu/op")
	n.pool.close()
}
