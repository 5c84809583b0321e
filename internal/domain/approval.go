package domain

import "time"

// ApprovalState is what a participant said of an app version.
type ApprovalState string

// The states.
const (
	ApprovalWaiting  ApprovalState = "waiting"
	ApprovalGiven    ApprovalState = "approved"
	ApprovalRejected ApprovalState = "rejected"
)

// MaxApprovals bounds the app versions of one request whose state is kept.
const MaxApprovals = 1000

// AppApproval is what a participant said of an app version, as the agent reported it. The agent decides by its own files alone.
type AppApproval struct {
	RequestID int64
	AppHash   string
	State     ApprovalState
	Reason    string // which rule holds it back, where it waits
	ChangedAt time.Time
	Mailed    bool // the participant was mailed that it waits
}

// NodeApproval is where the SuperNode of an approved request stands with an app version.
type NodeApproval struct {
	Partition int
	NodeID    uint64
	Approve   string        // which app versions run there: any, listed, ask; empty for a SuperNode that does not say
	State     ApprovalState // empty: not asked yet
}

// Asks reports whether the SuperNode runs a version only after its owner agreed.
func (n NodeApproval) Asks() bool { return n.Approve == "listed" || n.Approve == "ask" }
