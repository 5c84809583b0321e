package domain

// NodeStatus is what a participant's SuperNode is at a moment: exactly one of these.
type NodeStatus string

// Statuses of SuperNodes.
const (
	NodeOnline       NodeStatus = "online"
	NodeStuck        NodeStatus = "stuck" // online, but taking no part in runs; see [NodeKey.Stuck]
	NodeOffline      NodeStatus = "offline"
	NodeSuspended    NodeStatus = "suspended"
	NodeNeverSeen    NodeStatus = "never_seen"    // its key is enrolled, and it has not called yet
	NodeNotConnected NodeStatus = "not_connected" // its participant is approved and has no key yet
	NodeRevoked      NodeStatus = "revoked"
)

// NodeStatuses are all statuses. Those before [NodeRevoked] are of people who are approved now.
var NodeStatuses = []NodeStatus{NodeOnline, NodeStuck, NodeOffline, NodeSuspended, NodeNeverSeen, NodeNotConnected, NodeRevoked}

// Status returns the status of a key's SuperNode. The database has the same rule, as the column node_key.status.
func (k NodeKey) Status() NodeStatus {
	switch {
	case k.ID == 0:
		return NodeNotConnected
	case !k.RevokedAt.IsZero():
		return NodeRevoked
	case !k.SuspendedAt.IsZero():
		return NodeSuspended
	case k.Seen.FirstAt.IsZero():
		return NodeNeverSeen
	case !k.Seen.Online:
		return NodeOffline
	case k.Seen.Stuck != "":
		return NodeStuck
	}
	return NodeOnline
}

// NodeTally counts the SuperNodes of a federation.
type NodeTally struct {
	By       map[NodeStatus]int
	Releases map[string]int // of those online, by their version of flwr; "" where it is not known
	Approved int            // people who hold a partition, with or without a key
}

// Count returns the numbers that heads of pages show.
func (t NodeTally) Count() NodeCount {
	c := NodeCount{Online: t.By[NodeOnline], Stuck: t.By[NodeStuck]}
	for _, s := range []NodeStatus{NodeOnline, NodeStuck, NodeOffline, NodeSuspended, NodeNeverSeen} {
		c.Good += t.By[s]
	}
	return c
}

// NodeSort is an order of SuperNodes.
type NodeSort string

// Orders of SuperNodes; the empty one is [NodesByPartition].
const (
	NodesByPartition NodeSort = "partition"
	NodesByName      NodeSort = "name"
	NodesLatest      NodeSort = "latest"   // last seen first
	NodesSilent      NodeSort = "silent"   // not seen for longest first
	NodesSent        NodeSort = "sent"     // most sent first
	NodesReceived    NodeSort = "received" // most received first
)

// NodeSorts are all orders.
var NodeSorts = []NodeSort{NodesByPartition, NodesByName, NodesLatest, NodesSilent, NodesSent, NodesReceived}

// NodeFilter chooses SuperNodes and orders them.
type NodeFilter struct {
	FederationID int64
	Status       NodeStatus // "": everyone who is approved, with or without a SuperNode
	Keys         bool       // every enrolled key, revoked ones too, instead of everyone who is approved
	Release      string     // the version of flwr; "": any
	Search       string     // part of the participant's name, organisation, e-mail or request, in any case; or a partition's number
	Sort         NodeSort
	Limit        int   // 0: 50
	AfterID      int64 // cursor: only what comes after the row with this [NodeRow.Cursor]
}

// NodeRow is a participant with their SuperNode.
type NodeRow struct {
	Key    NodeKey // ID 0 without one
	Holder Request // without code and message
	Cursor int64   // for [NodeFilter.AfterID] with the same status
}
