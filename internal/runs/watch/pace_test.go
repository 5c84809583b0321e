package watch

import (
	"testing"
	"time"

	"blossomtune/internal/domain"
)

func TestThePaceIsTheMedianOfTheLastRounds(t *testing.T) {
	start := time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)
	begin := func(seconds ...int) (out []domain.RoundSpan) {
		for i, s := range seconds {
			out = append(out, domain.RoundSpan{Round: i + 1, FirstAsk: start.Add(time.Duration(s) * time.Second)})
		}
		return out
	}
	for _, c := range []struct {
		name   string
		spans  []domain.RoundSpan
		rounds int
		now    int
		want   Pace
	}{
		{"in the first round nobody can tell", begin(0), 10, 5, Pace{}},
		{"the second, just begun", begin(0, 10), 10, 10, Pace{Left: 90 * time.Second}},
		{"what has passed of a round counts", begin(0, 10), 10, 14, Pace{Left: 86 * time.Second}},
		{"one slow round does not change it", begin(0, 10, 20, 100, 110, 120), 10, 120, Pace{Left: 50 * time.Second}},
		{"slower than usual", begin(0, 10, 20), 3, 41, Pace{Left: time.Second, Slow: true}},
		{"an unknown number of rounds", begin(0, 10), 0, 12, Pace{}},
	} {
		if got := paceOf(c.spans, c.rounds, start.Add(time.Duration(c.now)*time.Second)); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}
