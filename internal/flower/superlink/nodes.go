package superlink

import (
	"cmp"
	"math"
	"net/http"
	"slices"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/wire/flwrpb"
)

// What Flower allows between two heartbeats, and how many may be missed (flwr 1.42, common/constant.py).
const (
	leastInterval = 10 * time.Second
	mostInterval  = 30 * time.Minute
	patience      = 2
)

// node is a registered SuperNode.
type node struct {
	NodeRow
	until time.Time     // it is online
	mail  []*letter     // to it, not answered yet, in order
	news  chan struct{} // closed when there may be something for its polls
	polls int           // of it that are held open now
	bytes int64         // of objects that it sent, with those that are being received
}

func newNode(row NodeRow) *node { return &node{NodeRow: row, news: make(chan struct{})} }

func (n *node) wake() {
	close(n.news)
	n.news = make(chan struct{})
}

// Register makes a public key known and returns the number of its SuperNode. want is the number that it is to have; 0: any. A key that
// is known already keeps its number; one that was unregistered is a [domain.Conflict].
func (l *Link) Register(publicPEM []byte, name string, want uint64) (id uint64, err error) {
	err = l.change(func(now time.Time) ([]Change, error) {
		if n := l.byKey[string(publicPEM)]; n != nil {
			if id = n.ID; n.Status == Unregistered {
				return nil, domain.Errorf(domain.Conflict, "This key was unregistered; it cannot be used again.")
			}
			return nil, nil
		}
		for id = want; id <= ServerID || l.nodes[id] != nil; {
			id = number()
		}
		n := newNode(NodeRow{ID: id, PublicPEM: slices.Clone(publicPEM), Name: name, Status: Registered, Interval: mostInterval,
			RegisteredAt: now})
		l.nodes[id], l.byKey[string(publicPEM)] = n, n
		return []Change{n.NodeRow}, nil
	})
	return id, err
}

// Unregister ends a SuperNode for good. What it was asked is answered with an error. One that is unknown or gone is no error.
func (l *Link) Unregister(id uint64) error {
	return l.change(func(now time.Time) ([]Change, error) {
		n := l.nodes[id]
		if n == nil || n.Status == Unregistered {
			return nil, nil
		}
		n.Status, n.UnregisteredAt, n.until = Unregistered, now, time.Time{}
		n.wake()
		return append(l.unreachable(n, now), n.NodeRow), nil
	})
}

// Nodes lists the SuperNodes in the order of their numbers.
func (l *Link) Nodes() []NodeRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]NodeRow, 0, len(l.nodes))
	for _, n := range l.nodes {
		out = append(out, n.NodeRow)
	}
	slices.SortFunc(out, func(a, b NodeRow) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// interval checks the seconds between two heartbeats.
func interval(seconds float64) (time.Duration, error) {
	if math.IsNaN(seconds) || seconds < leastInterval.Seconds() || seconds > mostInterval.Seconds() {
		return 0, errInterval
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// activate marks a SuperNode as online. Flower rejects a SuperNode that it still considers online, which blocks a killed SuperNode for a
// minute. This implementation rejects it only while a poll of it is open. A restarted SuperNode has lost the messages it had received:
// unconfirmed ones are sent again, the others are answered with an error.
func (l *Link) activate(publicPEM []byte, seconds float64) (id uint64, err error) {
	err = l.change(func(now time.Time) ([]Change, error) {
		n := l.byKey[string(publicPEM)]
		if n == nil || n.Status == Unregistered || n.polls > 0 {
			return nil, errActivation
		}
		every, err := interval(seconds)
		if err != nil {
			return nil, err
		}
		var out []Change
		for _, m := range slices.Clone(n.mail) {
			if m.row.State == Confirmed {
				out = append(out, l.stand(m, codeNodeUnavailable, restarted, now)...)
			} else {
				m.touched = time.Time{}
			}
		}
		id, n.Status, n.ActivatedAt, n.Interval, n.until = n.ID, Online, now, every, now.Add(patience*every)
		return append(out, n.NodeRow), nil
	})
	return id, err
}

const restarted = "Error: The SuperNode was restarted while it handled this message."

// deactivate takes a SuperNode's goodbye.
func (l *Link) deactivate(id uint64) error {
	return l.change(func(now time.Time) ([]Change, error) {
		n := l.nodes[id]
		if n == nil || n.Status != Online {
			return nil, errDeactivation
		}
		return l.offline(n, now), nil
	})
}

// offline notes that a SuperNode is gone, and answers in its place.
func (l *Link) offline(n *node, now time.Time) []Change {
	n.Status, n.DeactivatedAt, n.until = Offline, now, now
	n.wake()
	return append(l.unreachable(n, now), n.NodeRow)
}

// beat records a heartbeat. It is stored only if it changes the SuperNode's state. beat returns false for an unknown SuperNode.
func (l *Link) beat(id uint64, seconds float64) (known bool, err error) {
	every, err := interval(seconds)
	if err != nil {
		return false, err
	}
	err = l.change(func(now time.Time) ([]Change, error) {
		n := l.nodes[id]
		if n == nil || n.Status == Unregistered {
			return nil, nil
		}
		known, n.until = true, now.Add(patience*every)
		if n.Status == Online && n.Interval == every {
			return nil, nil
		}
		if n.Interval = every; n.Status != Online {
			n.Status, n.ActivatedAt = Online, now
		}
		return []Change{n.NodeRow}, nil
	})
	return known, err
}

func (l *Link) runtimeNodes(w http.ResponseWriter, _ *http.Request, _ uint64) error {
	out := &flwrpb.GetNodesResponse{}
	l.mu.Lock()
	for _, n := range l.nodes {
		if n.Status == Online {
			out.Nodes = append(out.Nodes, n.describe())
		}
	}
	l.mu.Unlock()
	slices.SortFunc(out.Nodes, func(a, b *flwrpb.NodeInfo) int { return cmp.Compare(a.GetNodeId(), b.GetNodeId()) })
	answer(w, out)
	return nil
}

func (n *node) describe() *flwrpb.NodeInfo {
	until := seconds(n.until)
	out := &flwrpb.NodeInfo{NodeId: n.ID, Status: n.Status, RegisteredAt: stamp(n.RegisteredAt), HeartbeatInterval: n.Interval.Seconds(),
		PublicKey: n.PublicPEM, OnlineUntil: &until}
	for _, f := range []struct {
		to **string
		at time.Time
	}{{&out.LastActivatedAt, n.ActivatedAt}, {&out.LastDeactivatedAt, n.DeactivatedAt}, {&out.UnregisteredAt, n.UnregisteredAt}} {
		if text := stamp(f.at); text != "" {
			*f.to = &text
		}
	}
	if n.Name != "" {
		out.Name = &n.Name
	}
	return out
}
