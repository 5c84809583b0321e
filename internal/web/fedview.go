package web

import (
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// tileTone is how a partition looks.
func tileTone(t tile, now time.Time) tone {
	switch {
	case !t.held:
		return tone{class: "is-off", icon: "free", word: "free"}
	case t.key.ID == 0:
		return tone{class: "is-wait", icon: "wait", word: "not connected yet"}
	}
	return nodeTone(t.key, t.busy, now)
}

// tileWords sums the partitions up.
func tileWords(o overview) string {
	held := 0
	for _, t := range o.tiles {
		if t.held {
			held++
		}
	}
	parts := []string{fmt.Sprintf("%d online", o.nodes.Online)}
	if o.nodes.Stuck > 0 {
		parts = append(parts, fmt.Sprintf("%d stuck", o.nodes.Stuck))
	}
	if off := o.nodes.Good - o.nodes.Online - o.nodes.Stuck; off > 0 {
		parts = append(parts, fmt.Sprintf("%d offline", off))
	}
	if waits := held - o.nodes.Good; waits > 0 {
		parts = append(parts, fmt.Sprintf("%d not connected yet", waits))
	}
	if o.more == 0 {
		parts = append(parts, fmt.Sprintf("%d free", len(o.tiles)-held))
	}
	return strings.Join(parts, ", ")
}

// startOf is when a run began to be worked on, or was queued.
func startOf(r domain.Run) time.Time {
	for _, t := range []time.Time{r.RunningAt, r.StartingAt} {
		if !t.IsZero() {
			return t
		}
	}
	return r.CreatedAt
}

// took is how long a run ran, "–" for one that did not begin.
func took(r domain.Run, now time.Time) string {
	from := startOf(r)
	switch {
	case r.StartingAt.IsZero() && r.RunningAt.IsZero():
		return "–"
	case r.EndedAt.IsZero():
		return span(now.Sub(from))
	}
	return span(r.EndedAt.Sub(from))
}
