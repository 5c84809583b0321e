package fleet

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"blossomtune/internal/domain"
)

// keyFresh is how long a looked-up key is believed without [Gateway.Forget]. An idle SuperNode calls every 20 s or so.
const keyFresh = 5 * time.Minute

// node is what the gateway remembers of one key.
type node struct {
	fp    string
	pace  *rate.Limiter
	slots chan struct{}

	mu       sync.Mutex
	refs     int // requests inside, guarded by Gateway.mu
	calls    map[*call]struct{}
	enrolled bool           // key holds a looked-up or restored key
	key      domain.NodeKey // see keyAt
	keyAt    time.Time      // when key was looked up; zero: look it up
	epoch    int            // increased by forget, so that a lookup begun before it is not kept
	seen     domain.NodeSeen
	dirty    bool
	used     replays

	down, up trail // the messages being got, and those being answered

	work     work      // what it does with messages
	sendings []sending // replies on their way to the SuperLink

	failing map[string]failure // since when a method's calls get a 500, by path
	kept    []poll             // messages whose poll was given up before they came

	shortUntil time.Time // polls are held open for a short while only: the SuperNode left a long one

	beat        beaten    // the last one that the SuperLink got
	heartbeatAt time.Time // of the last heartbeat
	byeAt       time.Time // of the last goodbye
	refusedAt   time.Time // first activation refused because the key is online; zero after a good one
}

func newNode(g *Gateway, fp string) *node {
	return &node{fp: fp, pace: rate.NewLimiter(rate.Limit(g.o.RatePerKey), g.o.BurstPerKey), slots: make(chan struct{}, g.o.CallsPerKey),
		calls: map[*call]struct{}{}}
}

func (g *Gateway) find(fp string) *node {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.nodes[fp]
}

// enter registers a call before its key is looked up: a revocation after the lookup then finds the call and cuts it.
func (g *Gateway) enter(fp string, c *call) *node {
	g.mu.Lock()
	n := g.nodes[fp]
	if n == nil {
		n = newNode(g, fp)
		g.nodes[fp] = n
	}
	n.refs++
	g.mu.Unlock()
	n.mu.Lock()
	n.calls[c] = struct{}{}
	n.mu.Unlock()
	return n
}

// leave forgets the call, and the node if no enrolled key stands behind it: strangers leave nothing in memory.
func (g *Gateway) leave(n *node, c *call) {
	n.mu.Lock()
	delete(n.calls, c)
	enrolled := n.enrolled
	n.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	n.refs--
	if n.refs == 0 && !enrolled {
		delete(g.nodes, n.fp)
	}
}

// lookup returns the key, from memory while it is fresh.
func (n *node) lookup(ctx context.Context, keys Keys, now time.Time) (domain.NodeKey, error) {
	n.mu.Lock()
	if age := now.Sub(n.keyAt); !n.keyAt.IsZero() && age >= 0 && age < keyFresh {
		defer n.mu.Unlock()
		return n.key, nil
	}
	epoch := n.epoch
	n.mu.Unlock()
	key, err := keys.ByFingerprint(ctx, n.fp)
	if err != nil {
		return key, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.epoch == epoch && key.RevokedAt.IsZero() {
		if !n.enrolled {
			n.seen = key.Seen
		}
		n.enrolled, n.key = true, key
		if key.NodeID != 0 && key.SuspendedAt.IsZero() { // one not yet registered, or suspended, is looked up again each time
			n.keyAt = now
		}
	}
	return key, nil
}

// forget drops the looked-up key, and ends the calls being held if there is a cause.
func (n *node) forget(cause error) {
	n.mu.Lock()
	n.epoch++
	n.keyAt = time.Time{}
	calls := slices.Collect(maps.Keys(n.calls))
	n.mu.Unlock()
	if cause == nil {
		return
	}
	for _, c := range calls {
		c.end(cause)
	}
}

// touch notes a sign of life and bytes; it reports whether the key just came online.
func (n *node) touch(now time.Time, in, out int64, alive bool) (came bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.seen.FirstAt.IsZero() {
		n.seen.FirstAt = now
	}
	if now.After(n.seen.LastAt) {
		n.seen.LastAt = now
	}
	n.seen.BytesIn += in
	n.seen.BytesOut += out
	n.dirty = true
	came = alive && !n.seen.Online
	if alive {
		n.seen.Online = true
	}
	if came {
		n.work.activeAt = now // it may pause before it asks for messages
	}
	return came
}

// leftSince reports whether the SuperNode has said goodbye since a moment.
func (n *node) leftSince(t time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byeAt.After(t)
}

func (n *node) snapshot() Seen {
	n.mu.Lock()
	defer n.mu.Unlock()
	return Seen{Key: n.key, Seen: n.seen}
}

func (g *Gateway) notify(n *node) {
	if g.o.OnSeen != nil {
		g.o.OnSeen(n.snapshot())
	}
}

func (g *Gateway) setOffline(n *node) {
	n.mu.Lock()
	was := n.seen.Online
	n.seen.Online = false
	n.dirty = n.dirty || was
	n.mu.Unlock()
	if was {
		g.notify(n)
	}
}

// Flush finds keys gone offline and hands what changed to the store. After an error the same is tried at the next call.
func (g *Gateway) Flush(ctx context.Context) error {
	g.mu.Lock()
	nodes := slices.Collect(maps.Values(g.nodes))
	g.mu.Unlock()
	now := g.o.Clock()
	var dirty []*node
	var out []Seen
	for _, n := range nodes {
		if n.goneSince(now) {
			g.setOffline(n)
		}
		n.mu.Lock()
		if n.dirty && n.enrolled {
			n.dirty = false
			dirty, out = append(dirty, n), append(out, Seen{Key: n.key, Seen: n.seen})
		}
		n.mu.Unlock()
	}
	if len(out) == 0 || g.o.Store == nil {
		return nil
	}
	err := g.o.Store.SaveSeen(ctx, out)
	if err != nil {
		for _, n := range dirty {
			n.mu.Lock()
			n.dirty = true
			n.mu.Unlock()
		}
	}
	return err
}

func (n *node) goneSince(now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen.Online && now.Sub(n.seen.LastAt) > domain.OnlineWindow
}
