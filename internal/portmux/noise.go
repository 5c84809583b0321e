package portmux

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

// Noise takes what net/http logs itself. A scan of a public address would make a line for each attempt; those are counted instead.
type Noise struct {
	Log    *slog.Logger
	failed atomic.Int64 // TLS handshakes, since they were told
}

var handshakeFailures = promauto.NewCounter(prometheus.CounterOpts{Name: "blossomtune_tls_handshake_failures_total",
	Help: "Connections that did not complete the TLS handshake."})

var handshake = []byte("TLS handshake error")

// Write takes one line of a [log.Logger].
func (n *Noise) Write(line []byte) (int, error) {
	if bytes.Contains(line, handshake) {
		n.failed.Add(1)
		handshakeFailures.Inc()
		n.Log.Debug("a connection did not complete the TLS handshake", "what", string(bytes.TrimSpace(line)))
		return len(line), nil
	}
	n.Log.Warn("serving HTTP", "what", string(bytes.TrimSpace(line)))
	return len(line), nil
}

// Run logs the number every hour, and once more when ctx ends.
func (n *Noise) Run(ctx context.Context) {
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

func (n *Noise) tell() {
	if failed := n.failed.Swap(0); failed > 0 {
		n.Log.Info("connections did not complete the TLS handshake", "count", failed)
	}
}
