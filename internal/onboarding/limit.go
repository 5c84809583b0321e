package onboarding

import (
	"sync"
	"time"
)

// limiter allows a number of things per key within a window; it remembers a bounded number of keys.
type limiter struct {
	most   int
	window time.Duration

	mu   sync.Mutex
	seen map[string][]time.Time
}

const maxLimitKeys = 50_000

func newLimiter(most int, window time.Duration) *limiter {
	return &limiter{most: most, window: window, seen: map[string][]time.Time{}}
}

func (l *limiter) allow(key string, now time.Time) bool {
	if key == "" {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= maxLimitKeys {
		clear(l.seen)
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
