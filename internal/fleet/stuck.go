package fleet

import (
	"context"
	"maps"
	"slices"
	"time"

	"blossomtune/internal/domain"
)

// A flower-supernode can wedge: it sends heartbeats and takes no message any more, or it answers each message too late. It cannot be
// healed from here, but it shows: a good one asks for messages all the time, except while it works for a run, and it answers the
// message that it took last.

// stuckAfter is how long a SuperNode may neither ask for messages nor send anything while no run needs its work. It is longer than the
// 20 s for which a SuperNode may pause between two tries.
const stuckAfter = 30 * time.Second

// work is what a SuperNode does with messages. It is guarded by the node's lock.
type work struct {
	polls    int        // calls of pull-messages being served
	activeAt time.Time  // of the last call other than a heartbeat
	taken    messageKey // the message that it took last; empty after it has come online
	joined   bool       // this server has seen it come online, so taken tells all
	overAt   time.Time  // when it was first found silent without a run that needs it; zero while it is not
}

// begin notes a call. A SuperNode that asks for messages waits for no ClientApp.
func (c *call) begin() {
	n, now := c.node, c.g.o.Clock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.meth.sign == signHeartbeat {
		return
	}
	n.work.activeAt, n.work.overAt = now, time.Time{}
	if c.meth.held == heldPoll {
		n.work.polls++
		if n.seen.Stuck == domain.StuckWaiting {
			n.setStuck("", c.g)
		}
	}
}

// finishWork notes the end of a call, and what it says about the SuperNode.
func (c *call) finishWork() {
	n, now := c.node, c.g.o.Clock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.meth.sign == signHeartbeat {
		return
	}
	n.work.activeAt = now
	if c.meth.held == heldPoll {
		n.work.polls--
	}
	switch {
	case c.went && c.meth.step == stepTake && c.message.id != "":
		n.work.taken = c.message
	case c.went && (c.meth.sign == signHello || c.meth.sign == signBye):
		n.work.taken, n.work.joined = messageKey{}, c.meth.sign == signHello
		n.setStuck("", c.g)
	}
}

// replying looks at a reply that is announced. A plain SuperNode handles one message at a time: a reply to another message than the one
// it took last was left in its state, and from then on each reply waits for the next message.
func (c *call) replying() {
	m, ok := firstMessage(c.head)
	n := c.node
	n.mu.Lock()
	defer n.mu.Unlock()
	if c.meth.step != stepPut || !ok || m.replyTo == "" || n.work.taken.id == "" || c.key.Via == "agent" {
		return
	}
	switch {
	case m.replyTo != n.work.taken.id:
		n.setStuck(domain.StuckLate, c.g)
	case n.seen.Stuck == domain.StuckLate:
		n.setStuck("", c.g)
	}
}

// setStuck notes a change and reports it. The caller holds the node's lock.
func (n *node) setStuck(s domain.Stuck, g *Gateway) {
	if n.seen.Stuck == s {
		return
	}
	n.seen.Stuck, n.dirty = s, true
	if g.o.OnStuck != nil {
		seen := Seen{Key: n.key, Seen: n.seen}
		seen.Key.Seen = n.seen
		g.o.OnStuck(seen)
	}
}

// findStuck looks for SuperNodes that wait for the ClientApp of a run that has ended.
func (g *Gateway) findStuck(ctx context.Context) error {
	if g.o.ActiveRuns == nil {
		return nil
	}
	now := g.o.Clock()
	g.mu.Lock()
	nodes := slices.Collect(maps.Values(g.nodes))
	g.mu.Unlock()
	suspects := map[int64][]*node{}
	for _, n := range nodes {
		n.mu.Lock()
		if n.silent(now, g.started) {
			suspects[n.key.FederationID] = append(suspects[n.key.FederationID], n)
		} else {
			n.work.overAt = time.Time{}
		}
		n.mu.Unlock()
	}
	for fed, some := range suspects {
		active, err := g.o.ActiveRuns(ctx, fed)
		if err != nil {
			return err
		}
		for _, n := range some {
			n.mu.Lock()
			n.judge(g, now, active)
			n.mu.Unlock()
		}
	}
	return nil
}

// silent reports whether the SuperNode is online and has done nothing for a while. The caller holds the lock.
func (n *node) silent(now, started time.Time) bool {
	last := n.work.activeAt
	if last.IsZero() {
		last = started // it may have asked before this server was started
	}
	return n.enrolled && n.seen.Online && n.key.SuspendedAt.IsZero() && n.work.polls == 0 && now.Sub(last) >= stuckAfter
}

// judge decides on a silent SuperNode. One that took a message of an active run may work on it for as long as it likes. Nothing can be
// said while any run is active of one whose message is not known, because this server was restarted, nor of an agent, which may have
// several messages. The caller holds the lock.
func (n *node) judge(g *Gateway, now time.Time, active map[uint64]bool) {
	if n.work.joined && n.work.taken.id == "" {
		return // it has taken no message, so it waits for no ClientApp; on a busy machine its first poll can be late
	}
	several := n.work.taken.id == "" || n.key.Via == "agent"
	switch needed := active[n.work.taken.run] || several && len(active) > 0; {
	case needed || n.work.polls > 0:
		n.work.overAt = time.Time{}
	case n.work.overAt.IsZero():
		n.work.overAt = now
	case now.Sub(n.work.overAt) >= stuckAfter && n.seen.Stuck == "":
		n.setStuck(domain.StuckWaiting, g)
	}
}
