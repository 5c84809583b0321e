package observe

import (
	"fmt"
	"slices"
	"testing"

	"blossomtune/internal/domain"

	"github.com/google/go-cmp/cmp"
)

// push is a batch that a ServerApp sends: of one type, in one group, to some SuperNodes; the bad ones answer with an error.
type push struct {
	kind, group string
	nodes       []uint64
	bad         []uint64
	waits       bool // the ServerApp sends the next batch before it asks for replies
	want        int
}

func to(nodes ...uint64) []uint64 { return nodes }

// Rounds are told apart whatever an app does or does not say: by groups that count from 0 or 1, and without any by who is asked again.
func TestRoundsAreToldApart(t *testing.T) {
	for name, pushes := range map[string][]push{
		"the older API's groups": {
			{kind: "train", group: "1", nodes: to(1, 2), want: 1}, {kind: "evaluate", group: "1", nodes: to(1, 2), want: 1},
			{kind: "train", group: "2", nodes: to(1, 2), want: 2}, {kind: "evaluate", group: "2", nodes: to(1, 2), want: 2}},
		"groups from 0": {
			{kind: "train", group: "0", nodes: to(1, 2), want: 1}, {kind: "evaluate", group: "0", nodes: to(1, 2), want: 1},
			{kind: "train", group: "1", nodes: to(1, 2), want: 2}, {kind: "evaluate", group: "1", nodes: to(1, 2), want: 2}, {kind: "train", group: "2", nodes: to(1), want: 3}},
		"the initial model in group 0": {
			{kind: "evaluate", group: "0", nodes: to(1, 2), want: 0}, {kind: "train", group: "1", nodes: to(1, 2), want: 1}, {kind: "train", group: "2", nodes: to(1, 2), want: 2}},
		"group 0 for everything": {
			{kind: "train", group: "0", nodes: to(1, 2), want: 1}, {kind: "train", group: "0", nodes: to(1, 2), want: 2}, {kind: "train", group: "0", nodes: to(1, 2), want: 3}},
		"groups that are words": {
			{kind: "train", group: "round-1", nodes: to(1), want: 1}, {kind: "train", group: "Round 2", nodes: to(1), want: 2}, {kind: "train", group: "rnd_3", nodes: to(1), want: 3}},
		"no groups": {
			{kind: "train", nodes: to(1, 2), want: 1}, {kind: "evaluate", nodes: to(1, 2), want: 1}, {kind: "train", nodes: to(1, 2), want: 2}, {kind: "evaluate", nodes: to(1, 2), want: 2}},
		"words that name no round": {
			{kind: "train", group: "mine", nodes: to(1, 2), want: 1}, {kind: "train", group: "mine", nodes: to(1, 2), want: 2}},
		"queries only": {
			{kind: "query", nodes: to(1, 2), want: 1}, {kind: "query", nodes: to(1, 2), want: 2}, {kind: "query.more", nodes: to(1, 2), want: 2}, {kind: "query", nodes: to(1, 2), want: 3}},
		"a query first": {
			{kind: "query", nodes: to(1, 2), want: 1}, {kind: "train", nodes: to(1, 2), want: 1}, {kind: "query", nodes: to(1, 2), want: 1}, {kind: "train", nodes: to(1, 2), want: 2}},
		"the initial model is evaluated first": {
			{kind: "evaluate", nodes: to(1, 2), want: 0}, {kind: "train", nodes: to(1, 2), want: 1}, {kind: "evaluate", nodes: to(1, 2), want: 1}, {kind: "train", nodes: to(1, 2), want: 2}},
		"evaluations only": {
			{kind: "evaluate", nodes: to(1, 2), want: 0}, {kind: "evaluate", nodes: to(1, 2), want: 1}, {kind: "evaluate", nodes: to(1, 2), want: 2}},
		"one message at a time": {
			{kind: "train", nodes: to(1), waits: true, want: 1}, {kind: "train", nodes: to(2), want: 1}, {kind: "train", nodes: to(1), waits: true, want: 2}, {kind: "train", nodes: to(2), want: 2}},
		"one after another": {
			{kind: "train", nodes: to(1), want: 1}, {kind: "train", nodes: to(2), want: 1}, {kind: "train", nodes: to(3), want: 1}, {kind: "train", nodes: to(1), want: 2}},
		"other samples": {
			{kind: "train", nodes: to(1, 2), want: 1}, {kind: "train", nodes: to(3, 4), want: 2}, {kind: "train", nodes: to(1, 4), want: 3}},
		"a second try": {
			{kind: "train", nodes: to(1, 2, 3), bad: to(2), want: 1}, {kind: "train", nodes: to(2), want: 1}, {kind: "train", nodes: to(1, 2, 3), want: 2}},
		"all fail": {
			{kind: "train", nodes: to(1, 2), bad: to(1, 2), want: 1}, {kind: "train", nodes: to(1, 2), bad: to(1, 2), want: 2}},
		"secure aggregation asks several times in a round": {
			{kind: "train", group: "1", nodes: to(1, 2), want: 1}, {kind: "train", group: "1", nodes: to(1, 2), want: 1}, {kind: "train", group: "2", nodes: to(1, 2), want: 2}},
		"another strategy after the first": {
			{kind: "train", group: "1", nodes: to(1, 2), want: 1}, {kind: "train", group: "2", nodes: to(1, 2), want: 2}, {kind: "evaluate", group: "2", nodes: to(1, 2), want: 2},
			{kind: "train", group: "1", nodes: to(1, 2), want: 3}, {kind: "evaluate", group: "1", nodes: to(1, 2), want: 3}, {kind: "train", group: "2", nodes: to(1, 2), want: 4}},
		"another strategy that counts from 0": {
			{kind: "train", group: "0", nodes: to(1, 2), want: 1}, {kind: "train", group: "1", nodes: to(1, 2), want: 2}, {kind: "train", group: "0", nodes: to(1, 2), want: 3},
			{kind: "train", group: "1", nodes: to(1, 2), want: 4}},
		"queries before a strategy": {
			{kind: "query", group: "1", nodes: to(1, 2), want: 1}, {kind: "query", group: "2", nodes: to(1, 2), want: 2}, {kind: "train", group: "1", nodes: to(1, 2), want: 1}},
		"a round without its group": {
			{kind: "train", group: "5", nodes: to(1, 2), want: 5}, {kind: "train", nodes: to(1, 2), want: 6}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			var got, want []int
			var open []ask
			for i, p := range pushes {
				got = append(got, m.pushes(i, p, &open)...)
				for range p.nodes {
					want = append(want, p.want)
				}
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// pushes sends a batch, lets it be answered with those that are open, and returns the rounds that it has.
func (m *memory) pushes(at int, p push, open *[]ask) (rounds []int) {
	var batch []ask
	for _, node := range p.nodes {
		e := domain.Exchange{MessageID: fmt.Sprint(at, "-", node), NodeID: node, Phase: phaseOf(p.kind)}
		batch = append(batch, ask{exchange: e, kind: p.kind, group: p.group})
	}
	m.stored(m.ask(batch))
	m.ask(batch) // its answer got lost, so that it comes again
	if *open = append(*open, batch...); !p.waits {
		m.stored(m.settle())
		for _, a := range *open {
			e := a.exchange
			e.Failed = slices.Contains(p.bad, e.NodeID)
			m.replied(e)
		}
		*open = nil
	}
	for _, a := range batch {
		kept, _ := m.asks.get(a.exchange.MessageID)
		rounds = append(rounds, kept.counted)
		if !p.waits {
			rounds[len(rounds)-1] = m.roundOf(a.exchange)
		}
	}
	return rounds
}
