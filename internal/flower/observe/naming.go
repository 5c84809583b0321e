package observe

import (
	"maps"

	"blossomtune/internal/domain"
)

// naming reads rounds from what the messages' groups and configs name.
type naming struct {
	zero  bool // groups count from 0
	other bool // a group besides "0" was seen

	base    int             // rounds of the strategies before this one
	last    int             // the newest named, without the base
	top     int             // the highest, with it
	trained map[uint64]bool // SuperNodes that this strategy has asked to train
}

// group returns the round that a group names; counted is what the turns make of the batch. It returns 0 where the group names none.
func (g *naming) group(text string, phase domain.Phase, counted int) int {
	n, ok := groupNumber(text)
	switch {
	case !ok:
		return 0
	case n > 0:
		g.other = true
		if g.zero {
			n++
		}
		return n
	case g.zero && g.other: // another strategy begins
		return 1
	case phase == domain.PhaseEvaluate && !g.zero, g.other: // the initial model, or a group that says nothing
		return 0
	}
	g.zero = true
	return counted
}

// round makes the rounds of a run of what is named: an app that runs another strategy after the first begins again with 1, and its rounds
// are further rounds of the run. It returns 0 for 0.
func (g *naming) round(n int, phase domain.Phase, nodes map[uint64]bool) int {
	if n == 0 {
		return 0
	}
	if phase == domain.PhaseTrain {
		if n == 1 && g.last > 1 && overlap(g.trained, nodes) {
			g.base, g.trained = g.top, nil
		}
		if g.trained == nil {
			g.trained = map[uint64]bool{}
		}
		maps.Copy(g.trained, nodes)
		g.last = n
	}
	g.top = max(g.top, g.base+n)
	return g.base + n
}

func overlap(a, b map[uint64]bool) bool {
	for k := range b {
		if a[k] {
			return true
		}
	}
	return false
}
