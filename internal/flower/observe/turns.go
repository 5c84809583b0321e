package observe

import (
	"maps"

	"blossomtune/internal/domain"
)

// turns tells rounds apart by what is asked of whom, for messages whose round neither their group nor a config names: Flower 1.42's own
// FedAvg leaves the group empty, and apps with a loop of their own may say nothing at all.
//
// A round begins when SuperNodes are asked again for what they were asked for in this round. Training leads: once an app trains, what else
// it asks for belongs to the round of the last training. An evaluation before the first training is of the initial model, in round 0.
type turns struct {
	round   int
	trained bool
	asked   map[string]map[uint64]bool // in this round: SuperNodes by message type
	well    map[answerer]bool          // who has replied without an error in it
	pulled  bool                       // replies have come since the last batch
}

// answerer is a SuperNode that has replied to a phase.
type answerer struct {
	phase domain.Phase
	node  uint64
}

const maxKinds = 100 // of messages, told apart in a round

// next takes a batch of messages of one type and returns its round.
func (t *turns) next(kind string, phase domain.Phase, nodes map[uint64]bool) int {
	if t.asked[kind] == nil && len(t.asked) >= maxKinds {
		kind = "" // an app makes up its types
	}
	again := t.again(kind, phase, nodes)
	switch {
	case phase == domain.PhaseTrain && !t.trained:
		t.trained = true
		t.begin(max(t.round, 1))
	case phase != domain.PhaseTrain && t.trained: // within the round
	case again:
		t.begin(t.round + 1)
	case t.round == 0 && phase != domain.PhaseEvaluate:
		t.round = 1
	}
	if t.asked == nil {
		t.begin(t.round)
	}
	if t.asked[kind] == nil {
		t.asked[kind] = map[uint64]bool{}
	}
	maps.Copy(t.asked[kind], nodes)
	t.pulled = false
	return t.round
}

func (t *turns) begin(round int) {
	t.round, t.asked, t.well = round, map[string]map[uint64]bool{}, map[answerer]bool{}
}

// again reports whether a batch asks for what was asked for in this round. To ask those once more who failed is a second try; to ask
// others, after replies have come, is a new sample, unless they are asked one by one.
func (t *turns) again(kind string, phase domain.Phase, nodes map[uint64]bool) bool {
	before, repeated := t.asked[kind], 0
	for node := range nodes {
		if !before[node] {
			continue
		}
		if t.well[answerer{phase, node}] {
			return true
		}
		repeated++
	}
	if repeated > 0 {
		return repeated == len(before)
	}
	return t.pulled && len(before) > 1 && len(nodes) > 1
}

// replied notes a reply.
func (t *turns) replied(phase domain.Phase, node uint64, failed bool) {
	t.pulled = true
	if t.well != nil && !failed {
		t.well[answerer{phase, node}] = true
	}
}

// named follows a round that a group or config names, so that counting continues from there where nothing names the next one.
func (t *turns) named(round int) {
	if round > 0 {
		t.round = round
	}
}
