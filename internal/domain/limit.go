package domain

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter allows a number of things per key at once, which come back evenly within a window. It remembers a bounded number of keys, and
// is safe for concurrent use.
type Limiter struct {
	most int
	per  rate.Limit

	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

const maxLimitKeys = 50_000

// NewLimiter returns a limiter that allows most things per key and window.
func NewLimiter(most int, window time.Duration) *Limiter {
	return &Limiter{most: most, per: rate.Limit(float64(most) / window.Seconds()), keys: map[string]*rate.Limiter{}}
}

// Allow reports whether one more is allowed, and counts it if so. The empty key has no limit.
func (l *Limiter) Allow(key string, now time.Time) bool {
	if key == "" {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.keys[key]
	if one == nil {
		if len(l.keys) >= maxLimitKeys {
			l.sweep(now)
		}
		one = rate.NewLimiter(l.per, l.most)
		l.keys[key] = one
	}
	return one.AllowN(now, 1)
}

// sweep drops keys that are at no limit; if that is not enough, any.
func (l *Limiter) sweep(now time.Time) {
	for key, one := range l.keys {
		if one.TokensAt(now) >= float64(l.most) {
			delete(l.keys, key)
		}
	}
	for key := range l.keys {
		if len(l.keys) < maxLimitKeys {
			return
		}
		delete(l.keys, key)
	}
}
