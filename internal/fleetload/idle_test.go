package fleetload

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
)

// binds reports whether a header binds the request's key to its connection.
func binds(r *http.Request, header string) bool {
	signer, err := wire.ReadSigner(r.Header.Get(wire.HeaderPublicKey))
	return err == nil && signer.VerifyChannel(*r.TLS, header) == nil
}

// Nodes activate, poll, send heartbeats beside a held poll on a second connection, and deactivate.
func TestIdleNodes(t *testing.T) {
	for _, agents := range []bool{false, true} {
		t.Run(fmt.Sprintf("agents %v", agents), func(t *testing.T) { idleNodes(t, agents) })
	}
}

func idleNodes(t *testing.T, agents bool) {
	l := &superLink{hold: 10 * time.Second, agents: agents}
	target := serveFake(t, l)
	f, err := Start(t.Context(), Options{Target: target, Keys: keysFor(t, 30), Duration: time.Minute, Agents: agents})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Online(t.Context(), 30); err != nil {
		t.Fatal(err)
	}
	for f.Report().Heartbeats.Answered < 30 { // each sends its first at once
		if !sleep(t.Context(), 10*time.Millisecond) {
			t.Fatal("no heartbeats")
		}
	}
	r := f.Stop()
	if r.Online != 30 || r.Missing != 0 || r.Heartbeats.Answered != 30 || r.Heartbeats.Max <= 0 || r.Heartbeats.P99 > r.Heartbeats.Max ||
		len(r.Failures) != 0 || r.CPUSeconds <= 0 {
		t.Errorf("%+v", r)
	}
	if got := l.count("deactivate-node"); got != 30 {
		t.Errorf("%d nodes were deactivated", got)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) != 90 { // the poll's, the heartbeat's, and that of the end
		t.Errorf("%d connections for 30 nodes", len(l.conns))
	}
}
