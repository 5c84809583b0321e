package rounds

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
)

const (
	mapColumns = 200 // rounds, or bins of them, side by side
	leafUpTo   = 30  // columns that are drawn as leaves; more are drawn as bars
)

// mapColumn is a round of the participation map, or several.
type mapColumn struct {
	from, to int // rounds
	label    string
	now      bool // holds the round that is shown
}

// mapShape is how a run's rounds become columns.
type mapShape struct {
	size    int // rounds in a column
	width   int // of a column in pixels
	columns []mapColumn
}

func shapeOf(last, planned, shown int) mapShape {
	n := max(last, min(planned, leafUpTo), 1)
	m := mapShape{size: (n + mapColumns - 1) / mapColumns}
	count := (n + m.size - 1) / m.size
	m.width = 26
	if count > leafUpTo {
		m.width = max(600/count, 3)
	}
	every := 1
	for every*m.width < 26 {
		every = nextRound(every)
	}
	for i := range count {
		c := mapColumn{from: i*m.size + 1, to: min((i+1)*m.size, n)}
		c.now = shown >= c.from && shown <= c.to
		if i%every == every-1 || every == 1 {
			c.label = ui.Itoa(c.to)
		}
		m.columns = append(m.columns, c)
	}
	return m
}

// nextRound is the next number that people count in: 1, 2, 5, 10, 20 …
func nextRound(n int) int {
	for digit := 1; ; digit *= 10 {
		for _, step := range []int{1, 2, 5} {
			if step*digit > n {
				return step * digit
			}
		}
	}
}

// mapCell is a column of one participant; equal ones of a dense map are drawn as one.
type mapCell struct {
	column, columns int
	cell            domain.Cell
	words           string
}

// LabelOf names a SuperNode of a run: by its label, or by its id where it has none.
func LabelOf(labels map[string]string, node uint64) string {
	id := strconv.FormatUint(node, 10)
	if l := labels[id]; l != "" {
		return l
	}
	return "SuperNode " + id[:min(6, len(id))]
}

// cellsOf draws what happened to some participants in all rounds of a run.
func (s *Pages) cellsOf(ctx context.Context, run domain.Run, m mapShape, nodes []uint64, last int) (map[uint64][]mapCell, error) {
	open := last
	if run.State.Ended() {
		open = last + 1
	}
	happened, err := s.Runs.Participation(ctx, run, nodes, m.size, open)
	if err != nil {
		return nil, err
	}
	came, err := s.Runs.Presences(ctx, run, nodes)
	if err != nil {
		return nil, err
	}
	firsts := make([]int, len(m.columns))
	for i, c := range m.columns {
		firsts[i] = c.from
	}
	starts, err := s.Runs.RoundStarts(ctx, run, firsts)
	if err != nil {
		return nil, err
	}
	out := map[uint64][]mapCell{}
	for _, node := range nodes {
		for i, c := range m.columns {
			cell, asked := happened[node][i]
			if at, known := starts[c.from]; !asked && known && wasOffline(came[node], at) {
				cell = domain.CellOffline
			}
			out[node] = append(out[node], mapCell{column: i, columns: 1, cell: cell, words: roundsWord(c) + ": " + cellWord(cell, c.from > last)})
		}
	}
	return out, nil
}

// wasOffline reports whether a SuperNode was known to be away at a time.
func wasOffline(came []domain.Presence, at time.Time) bool {
	i, _ := slices.BinarySearchFunc(came, at, func(p domain.Presence, at time.Time) int {
		if p.At.After(at) {
			return 1
		}
		return -1
	})
	return i > 0 && !came[i-1].Online
}

// merged joins neighbours that look the same: a dense map has many.
func merged(cells []mapCell) (out []mapCell) {
	for _, c := range cells {
		if n := len(out); n > 0 && out[n-1].cell == c.cell {
			out[n-1].columns++
			continue
		}
		out = append(out, c)
	}
	return out
}

func roundsWord(c mapColumn) string {
	if c.from == c.to {
		return "round " + ui.Itoa(c.from)
	}
	return fmt.Sprintf("rounds %d to %d", c.from, c.to)
}

func cellClass(c domain.Cell) string {
	if c == domain.CellNotAsked {
		return "ahead"
	}
	return string(c)
}

func cellWord(c domain.Cell, ahead bool) string {
	switch c {
	case domain.CellNotAsked:
		if ahead {
			return "still to come"
		}
		return "not asked"
	case domain.CellEvaluated:
		return "trained and evaluated"
	case domain.CellAsked:
		return "asked"
	case domain.CellNoReply:
		return "no reply"
	}
	return string(c)
}
