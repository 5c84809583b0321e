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

// statusTones are how SuperNodes look in a sum, in its order.
var statusTones = []struct {
	status domain.NodeStatus
	tone   tone
}{
	{domain.NodeOnline, tone{class: "is-ok", icon: "ok", word: "online"}},
	{domain.NodeStuck, tone{class: "is-bad", icon: "warn", word: "stuck"}},
	{domain.NodeOffline, tone{class: "is-off", icon: "off", word: "offline"}},
	{domain.NodeSuspended, tone{class: "is-off", icon: "pause", word: "suspended"}},
	{domain.NodeNeverSeen, tone{class: "is-wait", icon: "wait", word: "never seen"}},
	{domain.NodeNotConnected, tone{class: "is-wait", icon: "wait", word: "not connected yet"}},
}

// tileWords sums the partitions up.
func tileWords(o overview) string {
	parts := []string{fmt.Sprintf("%d online", o.nodes.Online)}
	for _, s := range statusTones[1:] {
		if n := o.tally.By[s.status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.tone.word))
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("%d free", o.freePartitions())), ", ")
}
