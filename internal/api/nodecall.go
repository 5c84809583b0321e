package api

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

// agentPath is below what SuperNodes' keys sign.
const agentPath = "/api/v1/agent/"

// NodeSignature is a verified signature of a call.
type NodeSignature struct {
	Fingerprint string // of the key, which may not be enrolled
	At          time.Time
	Whole       bool // it covers the whole call; a Flower signature covers only its time
}

// withFlowerSignature are the operations that accept a Flower signature too, from agents of earlier versions: they change nothing but
// the versions that a machine reports. Everything else needs a signature of the whole call.
var withFlowerSignature = []string{"agent-config", "agent-report"}

// signature checks the signature of a call, if it has one.
func (a *api) signature(w http.ResponseWriter, r *http.Request) (NodeSignature, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return a.NodeSigner(r)
}

// maySign reports whether an operation accepts the signature of a call.
func (a *api) maySign(operation string, c peer) error {
	if c.signError != nil {
		return domain.Errorf(domain.Unauthenticated, "The signature is not accepted.").
			Fix("Check the clock of this machine. Each call needs its own signature, over its method, path, time and body.").Because(c.signError)
	}
	if !c.signature.Whole && !slices.Contains(withFlowerSignature, operation) {
		return domain.Errorf(domain.Forbidden, "This signature covers only its time, so it is not accepted for this operation.").Fix("Update blossomtune on this machine.")
	}
	return nil
}

// callWindow is longer than a signature can be valid: 300 s old, 5 s ahead.
const callWindow = 320 * time.Second

// callsMost is how many calls of one key are remembered in a window; an agent makes some in a second at most.
const callsMost = 20_000

// calls remembers the calls of enrolled keys, so that each signature counts once. It keeps two generations of a window each.
type calls struct {
	mu       sync.Mutex
	since    time.Time
	cur, old map[string]map[time.Time]struct{} // times by fingerprint
	started  time.Time                         // earlier signatures may have been used before a restart
}

func newCalls(now time.Time) *calls {
	return &calls{since: now, started: now, cur: map[string]map[time.Time]struct{}{}}
}

// use counts a signature of an enrolled key. One that was used before, or may have been, is refused.
func (c *calls) use(s NodeSignature, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.since) > callWindow {
		if c.old = c.cur; now.Sub(c.since) > 2*callWindow {
			c.old = nil
		}
		c.cur, c.since = map[string]map[time.Time]struct{}{}, now
	}
	at := s.At.UTC()
	_, used := c.cur[s.Fingerprint][at]
	_, before := c.old[s.Fingerprint][at]
	switch {
	case used || before:
		return domain.Errorf(domain.Unauthenticated, "This signature was used before.").Fix("Sign each call again.")
	case at.Before(c.started):
		return domain.Errorf(domain.Unavailable, "The signature is older than this server's start.").Fix("Sign the call again.")
	case len(c.cur[s.Fingerprint]) >= callsMost:
		return domain.Errorf(domain.Limited, "Too many calls of this key.").Fix("Wait a few minutes.")
	}
	if c.cur[s.Fingerprint] == nil {
		c.cur[s.Fingerprint] = map[time.Time]struct{}{}
	}
	c.cur[s.Fingerprint][at] = struct{}{}
	return nil
}
