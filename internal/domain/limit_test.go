package domain

import (
	"strconv"
	"testing"
	"time"
)

// A key may do so many things at once; they come back evenly, and no key takes another one's.
func TestALimiterGivesBackEvenly(t *testing.T) {
	l, now := NewLimiter(5, 10*time.Minute), time.Now()
	allowed := func(key string, at time.Time) (n int) {
		for l.Allow(key, at) && n < 100 {
			n++
		}
		return n
	}
	if a, b := allowed("a", now), allowed("b", now); a != 5 || b != 5 {
		t.Errorf("%d and %d at once", a, b)
	}
	if n := allowed("a", now.Add(4*time.Minute+time.Second)); n != 2 {
		t.Errorf("%d after four minutes", n)
	}
	if n := allowed("b", now.Add(time.Hour)); n != 5 {
		t.Errorf("%d after an hour", n)
	}
	if n := allowed("", now); n != 100 {
		t.Errorf("the empty key is limited to %d", n)
	}
}

// However many keys there are, no more than a bounded number is remembered, and those at their limit are the last to go.
func TestALimiterForgetsIdleKeysFirst(t *testing.T) {
	l, now := NewLimiter(1, time.Minute), time.Now()
	for i := range maxLimitKeys - 1 {
		l.Allow(strconv.Itoa(i), now.Add(-time.Hour))
	}
	l.Allow("busy", now)
	l.Allow("new", now)
	if len(l.keys) != 2 || l.Allow("busy", now) {
		t.Errorf("%d keys are left", len(l.keys))
	}
}
