package domain

import (
	"sync"
	"time"
)

// Limiter allows a number of things per key within a window; it remembers a bounded number of keys. It is safe for concurrent use.
type Limiter struct {
	most   int
	window time.Duration

	mu   sync.Mutex
	seen map[string][]time.Time
}

const maxLimitKeys = 50_000

// NewLimiter returns a limiter that allows most things per key and window.
func NewLimiter(most int, window time.Duration) *Limiter {
	return &Limiter{most: most, window: window, seen: map[string][]time.Time{}}
}

// Allow reports whether one more is allowed, and counts it if so. The empty key has no limit.
func (l *Limiter) Allow(key string, now time.Time) bool {
	if key == "" {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= maxLimitKeys {
		l.sweep(now)
	}
	recent := l.seen[key][:0]
	for _, at := range l.seen[key] {
		if now.Sub(at) < l.window {
			recent = append(recent, at)
		}
	}
	if len(recent) >= l.most {
		l.seen[key] = recent
		return false
	}
	l.seen[key] = append(recent, now)
	return true
}

// sweep drops keys whose window has passed; if that is not enough, any.
func (l *Limiter) sweep(now time.Time) {
	for key, at := range l.seen {
		if len(at) == 0 || now.Sub(at[len(at)-1]) >= l.window {
			delete(l.seen, key)
		}
	}
	for key := range l.seen {
		if len(l.seen) < maxLimitKeys {
			return
		}
		delete(l.seen, key)
	}
}
