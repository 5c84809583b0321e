package agent

import (
	"net/http"
	"sync"
	"time"

	"blossomtune/internal/domain"
)

// serverClock is the server's time, as its answers tell it. The gateway takes signatures of the last five minutes alone, and the
// clocks of machines in laboratories and hospitals are often off by more.
type serverClock struct {
	local domain.Clock

	mu     sync.Mutex
	offset time.Duration // what the server is ahead of this machine
}

// tolerated is a difference that is left alone: an answer's Date has whole seconds.
const tolerated = 2 * time.Second

func (c *serverClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.local().Add(c.offset)
}

// ahead is what the server is ahead of this machine, to the second; 0 for a difference that does not matter.
func (c *serverClock) ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset.Round(time.Second)
}

// learn takes the time of an answer that has just come. It reports whether what is known changed by more than is tolerated.
func (c *serverClock) learn(h http.Header) (changed bool) {
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return false
	}
	offset := date.Add(500 * time.Millisecond).Sub(c.local())
	if offset.Abs() <= tolerated {
		offset = 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	changed = (offset - c.offset).Abs() > tolerated
	if changed || offset == 0 {
		c.offset = offset
	}
	return changed
}

// timed learns the server's time from each answer.
type timed struct {
	next  http.RoundTripper
	clock *serverClock
}

// RoundTrip implements http.RoundTripper.
func (t timed) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err == nil {
		t.clock.learn(res.Header)
	}
	return res, err
}

// CloseIdleConnections lets http.Client reach what is below.
func (t timed) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}
