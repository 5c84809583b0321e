package server

import (
	"bytes"
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// noiseEvery is how often the connections that failed before they were one are told, as a number.
const noiseEvery = time.Hour

// noise takes what net/http logs by itself. Whoever scans a public address makes a line with each try; those are counted.
type noise struct {
	log    *slog.Logger
	failed atomic.Int64 // TLS handshakes, since they were told
}

var handshakeFailures = promauto.NewCounter(prometheus.CounterOpts{Name: "blossomtune_tls_handshake_failures_total", Help: "Connections that did not complete the TLS handshake."})

var handshake = []byte("TLS handshake error")

// Write takes one line of a [log.Logger].
func (n *noise) Write(line []byte) (int, error) {
	if bytes.Contains(line, handshake) {
		n.failed.Add(1)
		handshakeFailures.Inc()
		n.log.Debug("a connection did not complete the TLS handshake", "what", string(bytes.TrimSpace(line)))
		return len(line), nil
	}
	n.log.Warn("serving HTTP", "what", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// run tells the number now and then.
func (n *noise) run(ctx context.Context) {
	tick := time.NewTicker(noiseEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			n.tell()
			return
		case <-tick.C:
			n.tell()
		}
	}
}

func (n *noise) tell() {
	if failed := n.failed.Swap(0); failed > 0 {
		n.log.Info("connections did not complete the TLS handshake", "count", failed)
	}
}
