package fleet

import (
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// replayWindow is longer than any signature can be valid: 300 s old, 5 s ahead, and some of Flower's tolerance.
	replayWindow = 320 * time.Second
	replayMost   = 80_000 // timestamps remembered per key and window: more than the pace allows
)

// replays remembers the timestamps a key has signed, in two generations: each is kept for at least one window.
type replays struct {
	since    time.Time     // when cur began
	cur, old map[int64]int // how often each was used
}

// use notes a timestamp and returns how often it was used, now included; full means that there is no room to tell.
func (p *replays) use(ts, now time.Time) (times int, full bool) {
	if age := now.Sub(p.since); p.cur == nil || age > replayWindow {
		p.old = p.cur
		if age > 2*replayWindow {
			p.old = nil
		}
		p.cur, p.since = map[int64]int{}, now
	}
	k := ts.UnixNano()
	if p.old[k] == 0 && p.cur[k] == 0 && len(p.cur) >= replayMost {
		return 0, true
	}
	if p.old[k] > 0 {
		p.old[k]++
		return p.old[k], false
	}
	p.cur[k]++
	return p.cur[k], false
}

// failures slows down addresses that keep failing: each failure costs a signature check or a database query.
type failures struct {
	limit rate.Limit
	mu    sync.Mutex
	since time.Time
	byIP  map[string]*rate.Limiter
}

const (
	failureBurst = 100
	failureIPs   = 10_000
	failureReset = 10 * time.Minute
)

// blocked reports whether an address has failed too often lately.
func (f *failures) blocked(ip string, now time.Time) bool {
	if a := net.ParseIP(ip); a != nil && a.IsLoopback() {
		return false // a reverse proxy on this machine: everybody at once
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.byIP[ip]
	return l != nil && l.TokensAt(now) < 1
}

func (f *failures) note(ip string, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byIP == nil || len(f.byIP) >= failureIPs || now.Sub(f.since) > failureReset {
		f.byIP, f.since = map[string]*rate.Limiter{}, now
	}
	l := f.byIP[ip]
	if l == nil {
		l = rate.NewLimiter(f.limit, failureBurst)
		f.byIP[ip] = l
	}
	l.AllowN(now, 1)
}
