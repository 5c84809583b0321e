package diagnose

import (
	"fmt"
	"slices"
	"time"

	"blossomtune/internal/domain"
)

// outstanding are the newest exchanges of the newest round that SuperNodes have not answered, one for each of them: a round of secure
// aggregation sends each SuperNode several messages.
func (x Situation) outstanding() (out []domain.Exchange) {
	seen := map[uint64]bool{}
	for _, phase := range []domain.Phase{domain.PhaseTrain, domain.PhaseEvaluate, domain.PhaseOther} {
		for _, e := range newestOf(x.Asked, phase) {
			if e.RepliedAt.IsZero() && !e.Failed && !seen[e.NodeID] {
				seen[e.NodeID], out = true, append(out, e)
			}
		}
	}
	return out
}

func (x Situation) forReplies(out []domain.Exchange) Wait {
	first, usual := out[0].AskedAt, x.usual(out[0].Phase)
	var open, gone, stuck []int
	var remedy string
	var left time.Time
	key := x.keyOf()
	for _, e := range out {
		if e.AskedAt.Before(first) {
			first = e.AskedAt
		}
		k, known := key(e.NodeID)
		if !known {
			continue
		}
		open = append(open, k.Partition)
		if k.Seen.Stuck != "" && there(k) {
			stuck = append(stuck, k.Partition)
			_, remedy = k.Stuck()
		}
		if !there(k) {
			gone, left = append(gone, k.Partition), newest(left, k.Seen.LastAt, k.SuspendedAt)
		}
	}
	waited := x.Now.Sub(first)
	switch {
	case len(stuck) > 0:
		return Wait{What: fmt.Sprintf("waits for %s, stuck", Partitions(stuck)), Since: first, Late: true,
			Helps: remedy + " If the run does not continue then, stop it and launch it again." + x.secured() + x.ends()}
	case len(gone) > 0:
		return Wait{What: fmt.Sprintf("waits for %s, offline", Partitions(gone)), Since: left, Late: true,
			Helps: "It continues when the reply arrives, or when Flower gives up on the SuperNode after about a minute." + x.secured() + x.ends()}
	case waited < quietFor:
		return Wait{}
	}
	w := Wait{What: x.waitsFor(out, open), Since: first, Helps: "The round continues when the last SuperNode has answered." + x.secured() + x.ends()}
	if waited > lateAfter || usual > 0 && waited > max(lateTimes*usual, lateLeast) {
		w.Late, w.Helps = true, fmt.Sprintf("%s takes longer than the others: its owner checks that machine.%s%s",
			domain.FirstUpper(Partitions(open)), x.secured(), x.ends())
		if len(open) > 1 {
			w.Helps = fmt.Sprintf("%s take longer than the others: their owners check those machines.%s%s", domain.FirstUpper(Partitions(open)),
				x.secured(), x.ends())
		}
	}
	return w
}

// waitsFor says how many of the SuperNodes that were asked have not answered, and which.
func (x Situation) waitsFor(out []domain.Exchange, open []int) string {
	phase := out[0].Phase
	asked := len(newestOf(x.Asked, phase))
	if len(open) == 1 && len(out) == 1 {
		return fmt.Sprintf("waits for partition %d to %s", open[0], verb(phase))
	}
	what := fmt.Sprintf("waits for %d of %s to %s", len(out), count(max(asked, len(out)), "SuperNode"), verb(phase))
	if len(open) == len(out) {
		what += ": " + Partitions(open)
	}
	return what
}

// secured says what secure aggregation needs while one of its rounds is under way, and who has dropped out of it; else "".
func (x Situation) secured() string {
	if !x.Doing.Secure || x.Needs == nil {
		return ""
	}
	asked := newestOf(x.Asked, domain.PhaseTrain)
	words := " " + x.Needs.secureWords(len(asked))
	var dropped []int
	key := x.keyOf()
	for _, e := range asked {
		if k, known := key(e.NodeID); known && e.Failed {
			dropped = append(dropped, k.Partition)
		}
	}
	if len(dropped) > 0 {
		words += fmt.Sprintf(" %s dropped out of this round.", domain.FirstUpper(Partitions(dropped)))
	}
	return words
}

// usual is the median of how long the replies of a phase took that are there; 0 while there is none.
func (x Situation) usual(phase domain.Phase) time.Duration {
	var took []time.Duration
	for _, e := range x.Asked {
		if e.Phase == phase && !e.RepliedAt.IsZero() && !e.Failed {
			took = append(took, e.RepliedAt.Sub(e.AskedAt))
		}
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}
