package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/flower/wire"
)

// However coarse the clock and however many sign at once, no two requests have the same signed time, and all are taken.
func TestNoTimeIsSignedTwice(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 24, 9, 0, 0, 123456789, time.UTC)
	s := &signer{key: key, channels: wire.NewChannels(key), now: func() time.Time { return at }}
	var mu sync.Mutex
	seen := map[time.Time]bool{}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 20 {
				h, err := s.headers()
				if err != nil {
					t.Error(err)
					return
				}
				auth, err := wire.VerifyHeaders(h, at)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				seen[auth.Timestamp] = true
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(seen) != 16*20 {
		t.Errorf("%d requests have %d times", 16*20, len(seen))
	}
	at = at.Add(-time.Hour) // the clock was set right
	if got := s.next(); got.After(at) {
		t.Errorf("after the clock was set back to %s, %s is signed", at, got)
	}
}
