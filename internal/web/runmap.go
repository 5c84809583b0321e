package web

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// lane is one participant's row of the map.
type lane struct {
	label string
	cells map[int]string // by round: evaluated, trained, noreply, failed
	took  time.Duration  // of its last training; 0 while unknown
}

// maxColumns bounds the map; the newest rounds are shown.
const maxColumns = 24

func nodeLabels(keys []domain.NodeKey) map[string]string {
	out := map[string]string{}
	for _, k := range keys {
		if k.NodeID != 0 {
			out[strconv.FormatUint(k.NodeID, 10)] = fmt.Sprintf("partition %d", k.Partition)
		}
	}
	return out
}

// lanesOf draws the participation map from what was asked and answered.
func lanesOf(exchanges []domain.Exchange, labels map[string]string, run domain.Run) ([]lane, []int) {
	byNode := map[uint64]*lane{}
	last, newest := 0, map[uint64]int{}
	for _, e := range exchanges {
		if e.Round < 1 {
			continue
		}
		last = max(last, e.Round)
		l := byNode[e.NodeID]
		if l == nil {
			id := strconv.FormatUint(e.NodeID, 10)
			label := labels[id]
			if label == "" {
				label = "node " + id[:min(6, len(id))]
			}
			l = &lane{label: label, cells: map[int]string{}}
			byNode[e.NodeID] = l
		}
		l.cells[e.Round] = worse(l.cells[e.Round], cellOf(e, run))
		if e.Phase == domain.PhaseTrain && !e.RepliedAt.IsZero() && e.Round >= newest[e.NodeID] {
			newest[e.NodeID], l.took = e.Round, e.RepliedAt.Sub(e.AskedAt)
		}
	}
	out := make([]lane, 0, len(byNode))
	for _, l := range byNode {
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b lane) int {
		if len(a.label) != len(b.label) {
			return len(a.label) - len(b.label) // partition 9 before partition 10
		}
		return strings.Compare(a.label, b.label)
	})
	last = max(last, min(run.Rounds, maxColumns))
	var columns []int
	for n := max(1, last-maxColumns+1); n <= last; n++ {
		columns = append(columns, n)
	}
	return out, columns
}

func cellOf(e domain.Exchange, run domain.Run) string {
	switch {
	case e.Failed:
		return "failed"
	case e.RepliedAt.IsZero() && run.State.Ended():
		return "noreply"
	case e.RepliedAt.IsZero():
		return "asked"
	case e.Phase == domain.PhaseEvaluate:
		return "evaluated"
	}
	return "trained"
}

// worse keeps what matters more of two things in one round.
func worse(a, b string) string {
	order := []string{"", "trained", "evaluated", "asked", "noreply", "failed"}
	if slices.Index(order, b) > slices.Index(order, a) {
		return b
	}
	return a
}
