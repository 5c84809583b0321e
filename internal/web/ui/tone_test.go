package ui

import (
	"testing"

	"blossomtune/internal/domain"
)

func TestARunThatItsAppEndedEarlyLacksNothing(t *testing.T) {
	for _, c := range []struct {
		state         domain.RunState
		round, rounds int
		want          string
	}{
		{domain.Completed, 2, 5, "ended after round 2 of 5"},
		{domain.Completed, 5, 5, "round 5/5"},
		{domain.Completed, 3, 0, "round 3"}, // nobody knew how many there would be
		{domain.Running, 2, 5, "round 2/5"},
		{domain.Failed, 2, 5, "round 2/5"},
		{domain.Stopped, 2, 5, "round 2/5"},
	} {
		if got := RoundWords(domain.Run{State: c.state, Round: c.round, Rounds: c.rounds}); got != c.want {
			t.Errorf("%s, %d of %d: %q", c.state, c.round, c.rounds, got)
		}
	}
}
