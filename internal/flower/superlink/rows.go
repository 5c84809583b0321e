package superlink

import (
	"context"
	"time"
)

// The states of a SuperNode, in Flower's words.
const (
	Registered   = "registered"
	Online       = "online"
	Offline      = "offline"
	Unregistered = "unregistered"
)

// The states of a run, and how one ended, in Flower's words.
const (
	Pending   = "pending"
	Starting  = "starting"
	Running   = "running"
	Finished  = "finished"
	Completed = "completed"
	Failed    = "failed"
	Stopped   = "stopped"
)

// NodeRow is a SuperNode as it is stored. Until when it is online is not: after a restart each gets some time to be heard again.
type NodeRow struct {
	ID             uint64
	PublicPEM      []byte
	Name           string
	Status         string
	Interval       time.Duration // between its heartbeats
	RegisteredAt   time.Time
	ActivatedAt    time.Time
	DeactivatedAt  time.Time
	UnregisteredAt time.Time
}

// RunRow is a run as it is stored.
type RunRow struct {
	ID            uint64
	Key           string // the caller's own name of the run; two runs have two
	FABHash       string
	App           string // publisher/name
	Version       string
	Config        []byte // a flwrpb.Run with nothing but the overrides of the run config
	Status        string
	SubStatus     string // of a finished one
	Details       string
	TaskID        uint64
	TokenHash     []byte // SHA-256 of the ServerApp's token; empty: it has none
	BytesSent     uint64 // to SuperNodes
	BytesReceived uint64
	ClientSeconds float64 // that ClientApps ran
	PendingAt     time.Time
	StartingAt    time.Time
	RunningAt     time.Time
	FinishedAt    time.Time
}

// FABRow is a Flower App Bundle.
type FABRow struct {
	Hash    string
	Content []byte
}

// LetterState is how far a message or reply has come.
type LetterState int

// How far a message or reply has come. Whether all of its objects are here is told by the objects.
const (
	Waiting   LetterState = 0
	Confirmed LetterState = 2 // its SuperNode has all of it; 1 was written by earlier versions and means Waiting
)

// LetterRow is a message to a SuperNode, or a reply.
type LetterRow struct {
	ID      string // of its root object
	RunID   uint64
	NodeID  uint64 // the SuperNode that it is for, or from
	ReplyTo string // the message that it answers; empty: it is no reply
	Message []byte // a flwrpb.Message without content
	Tree    []byte // a flwrpb.ObjectTree
	State   LetterState
}

// ObjectRow is an object that is here whole.
type ObjectRow struct {
	ID      string
	Size    int64
	Content []byte // nil: it is in a file
}

// A Change is one of NodeRow, RunRow, FABRow, LetterRow and ObjectRow, which replace the row of the same name, or one of
// DropLetter and DropObject.
type Change any

// DropLetter removes a message or reply.
type DropLetter string

// DropObject removes an object's row.
type DropObject string

// Snapshot is all that a store holds, without the contents of objects and FABs.
type Snapshot struct {
	Nodes   []NodeRow
	Runs    []RunRow
	Letters []LetterRow // in any order
	Objects []ObjectRow
}

// Store keeps the state of one federation's SuperLink. One Link uses it at a time.
type Store interface {
	// Load returns what was committed last.
	Load(ctx context.Context) (Snapshot, error)
	// Commit makes all changes, in order, or none. When it returns nil they survive a kill -9 of this process.
	Commit(ctx context.Context, changes []Change) error
	// Object returns the content of an object that is not in a file.
	Object(ctx context.Context, id string) ([]byte, error)
	// FAB returns the content of a FAB; an error with [blossomtune/internal/domain.NotFound] where there is none.
	FAB(ctx context.Context, hash string) ([]byte, error)
}
