package domain

import (
	"cmp"
	"fmt"
	"time"
)

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

// PeopleCount sums a run's participants up.
type PeopleCount struct {
	Lines       int // as many as there are [RunParticipant] of the run
	Enrolled    int // each participant once
	Online      int // at the run's start
	Asked       int
	Contributed int
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

// ParticipantPlace is where a participant stands in the list of a run's participants: they are in the order of its fields.
type ParticipantPlace struct {
	Partition int
	JoinedAt  int64 // Unix time in milliseconds; 0 where it is not known
	RequestID int64
	NodeID    uint64
}

// Place is where a participant stands in the list of its run's participants.
func (p RunParticipant) Place() ParticipantPlace {
	place := ParticipantPlace{Partition: p.Partition, RequestID: p.RequestID, NodeID: p.NodeID}
	if !p.JoinedAt.IsZero() {
		place.JoinedAt = p.JoinedAt.UnixMilli()
	}
	return place
}

// Compare is negative where p comes before q, and positive where it comes after it.
func (p ParticipantPlace) Compare(q ParticipantPlace) int {
	return cmp.Or(cmp.Compare(p.Partition, q.Partition), cmp.Compare(p.JoinedAt, q.JoinedAt), cmp.Compare(p.RequestID, q.RequestID),
		cmp.Compare(int64(p.NodeID), int64(q.NodeID))) // as databases keep them
}

// String is the cursor of a place. [ParseParticipantPlace] reads it.
func (p ParticipantPlace) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", p.Partition, p.JoinedAt, p.RequestID, p.NodeID)
}

// ParseParticipantPlace reads a cursor. Another text is an [Invalid] error at field "after".
func ParseParticipantPlace(s string) (p ParticipantPlace, err error) {
	_, err = fmt.Sscanf(s, "%d.%d.%d.%d", &p.Partition, &p.JoinedAt, &p.RequestID, &p.NodeID)
	if err != nil || p.String() != s {
		return p, Errorf(Invalid, "This is not a cursor of a page of participants.").Fix("Pass the value of next of the page before.").At("after")
	}
	return p, nil
}
