package agent

import (
	"crypto/ecdsa"
	"net/http"
	"sync"
	"time"

	"blossomtune/internal/flower/wire"
)

// signer signs what goes to the server with the enrolled key. The server takes each signature once, and a signature is of its time
// alone, in microseconds: a SuperNode pulls objects in many threads, and two of them may meet in one. So no time is signed twice.
type signer struct {
	key      *ecdsa.PrivateKey
	channels *wire.Channels
	now      func() time.Time

	mu   sync.Mutex
	last time.Time
}

func (j *joining) signer(key *ecdsa.PrivateKey) *signer {
	return &signer{key: key, channels: wire.NewChannels(key), now: j.clock.now}
}

// headers returns the headers of one request.
func (s *signer) headers() (http.Header, error) { return wire.SignHeaders(s.key, s.next()) }

// next returns the time, or where it was given already the next one that was not. A clock that was set back by more than a moment is
// believed: the server would not take times that are too far ahead.
func (s *signer) next() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.now().Truncate(time.Microsecond)
	if ahead := s.last.Sub(t); ahead >= 0 && ahead < time.Second {
		t = s.last.Add(time.Microsecond)
	}
	s.last = t
	return t
}
