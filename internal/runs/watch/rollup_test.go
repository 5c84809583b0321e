package watch

import (
	"testing"
	"time"
)

// A long step leaves others at least 50 times as long, up to 5 s; a short one does not delay charts.
func TestThePauseAfterSummingUp(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		time.Millisecond:       10 * time.Millisecond,
		4 * time.Millisecond:   40 * time.Millisecond,
		50 * time.Millisecond:  2500 * time.Millisecond,
		300 * time.Millisecond: 5 * time.Second,
		8 * time.Second:        8 * time.Second,
	} {
		if got := rollPause(took); got != want {
			t.Errorf("after %s the pause is %s, want %s", took, got, want)
		}
	}
}
