package domain

import "time"

// RunParticipant is one participant of one run as they were then. Later changes of the federation do not change it. A participant whose
// key was replaced during the run has one for each SuperNode.
type RunParticipant struct {
	RunID        int64
	RequestID    int64 // 0: a SuperNode of which only the id is known
	PersonID     int64
	Name         string
	Organisation string
	Partition    int    // -1 where it is not known
	Partitions   int    // the federation's total when they came to the run
	NodeID       uint64 // 0: their SuperNode never registered
	Fingerprint  string // of the SuperNode's key; may be empty

	Online        bool      // at the run's start: between its hand-over and its ServerApp's first sign of life
	JoinedAt      time.Time // the run's start, or when they came to it later
	AskedAt       time.Time // the first message to their SuperNode; zero: it was never asked
	TakenAt       time.Time // when it first took one
	ContributedAt time.Time // its first reply without an error
	FailedAt      time.Time // its first reply that is an error
}

// Outcome is what a completed run achieved.
type Outcome string

// Outcomes of a completed run.
const (
	Contributed    Outcome = "contributed"     // at least one participant gave a reply without an error
	NothingTrained Outcome = "nothing_trained" // participants were asked, and none gave one
	NobodyAsked    Outcome = "nobody_asked"    // the app asks no participant; all its work is the ServerApp's
)

// Outcome returns what a completed run achieved; "" for a run in another state.
func (r Run) Outcome() Outcome {
	switch {
	case r.State != Completed:
		return ""
	case r.Asked == 0:
		return NobodyAsked
	case r.Contributed == 0:
		return NothingTrained
	}
	return Contributed
}

// Words is what people read of an outcome: "" where completed says it all.
func (o Outcome) Words() string {
	switch o {
	case NothingTrained:
		return "nothing was trained"
	case NobodyAsked:
		return "no participant was asked"
	}
	return ""
}

// RunPartOf is a run with what one participant did in it.
type RunPartOf struct {
	Run  Run
	Part RunParticipant // without who they are
}
