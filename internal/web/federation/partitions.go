package federation

import (
	"fmt"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/web/ui"
)

// tileTone is how a partition looks.
func tileTone(t tile, now time.Time) ui.Tone {
	switch {
	case !t.held:
		return ui.Tone{Class: "is-off", Icon: "free", Word: "free"}
	case t.key.ID == 0:
		return ui.Tone{Class: "is-wait", Icon: "wait", Word: "not connected yet"}
	}
	return ui.NodeTone(t.key, t.busy, now)
}

// statusTones are how SuperNodes look in a sum, in its order.
var statusTones = []struct {
	status domain.NodeStatus
	tone   ui.Tone
}{
	{domain.NodeOnline, ui.Tone{Class: "is-ok", Icon: "ok", Word: "online"}},
	{domain.NodeStuck, ui.Tone{Class: "is-bad", Icon: "warn", Word: "stuck"}},
	{domain.NodeOffline, ui.Tone{Class: "is-off", Icon: "off", Word: "offline"}},
	{domain.NodeSuspended, ui.Tone{Class: "is-off", Icon: "pause", Word: "suspended"}},
	{domain.NodeNeverSeen, ui.Tone{Class: "is-wait", Icon: "wait", Word: "never seen"}},
	{domain.NodeNotConnected, ui.Tone{Class: "is-wait", Icon: "wait", Word: "not connected yet"}},
}

// tileWords sums the partitions up.
func tileWords(o overview) string {
	parts := []string{fmt.Sprintf("%d online", o.Nodes.Online)}
	for _, s := range statusTones[1:] {
		if n := o.Tally.By[s.status]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.tone.Word))
		}
	}
	return strings.Join(append(parts, fmt.Sprintf("%d free", o.FreePartitions())), ", ")
}
