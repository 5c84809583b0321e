package domain

import (
	"regexp"
	"time"
)

// MaxPartitions is the largest total of partitions a federation can have.
const MaxPartitions = 10_000

// Federation is a group of participants that train together: one SuperLink of its own.
type Federation struct {
	ID              int64
	Slug            string // in URLs: [a-z0-9-], 1 to 40, see [CheckSlug]
	Name            string
	Description     string
	TotalPartitions int
	Parallel        int  // runs at once, 1 unless told otherwise
	EngineWanted    bool // the SuperLink should be up
	CreatedAt       time.Time
	Asking          Asking
	Limits          Limits // of runs that name none of their own
	NoWeb           bool   // its ServerApps cannot reach web servers
	IdleStop        int    // minutes without a run after which the SuperLink stops until the next one; 0: never
	EngineIdle      bool   // it has stopped for that, and starts with the next run
	Engine          Engine // the implementation of its SuperLink
}

// MaxIdleStop is the longest that a SuperLink waits for a run, in minutes.
const MaxIdleStop = 7 * 24 * 60

// Proof is what somebody who asks to join has to prove.
type Proof string

// Proofs. Where no sign-in provider is configured, the mailed code is the sign-in, and both ask for it alone.
const (
	ProofBoth   Proof = "both"   // an account at a sign-in provider, and the e-mail address by a mailed code
	ProofEither Proof = "either" // being signed in with a proven address, or a mailed code
)

// Asking is how people ask to join a federation.
type Asking struct {
	Proof           Proof
	Question        string // above the field for the asker's words; "" for the usual one
	AnswerNeeded    bool   // the question must be answered
	InvitationsOnly bool   // only who has an invitation may ask
}

// DefaultQuestion is what askers are asked unless managers ask something else.
const DefaultQuestion = "What would you train on?"

// Asked is the question above the field for the asker's words.
func (a Asking) Asked() string {
	if a.Question == "" {
		return DefaultQuestion
	}
	return a.Question
}

var slugPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// CheckSlug returns an [Invalid] error at field "slug" unless s can name a federation in URLs.
func CheckSlug(s string) error {
	if s == "account" { // /me/account is everybody's own
		return Errorf(Invalid, "%q is a page of its own here.", s).Fix("Choose another short name.").At("slug")
	}
	if !slugPattern.MatchString(s) {
		return Errorf(Invalid, "%q cannot be part of an address.", s).Fix("Use 1 to 40 of a-z, 0-9 and -, with no - at either end.").At("slug")
	}
	return nil
}

// CheckTotal returns an [Invalid] error at field "partitions" unless n can be a total of partitions.
func CheckTotal(n int) error {
	if n < 1 || n > MaxPartitions {
		return Errorf(Invalid, "The total of partitions is from 1 to %d, not %d.", MaxPartitions, n).At("partitions")
	}
	return nil
}

// SuperLinkState is the state of a federation's engine as its keeper reports it.
type SuperLinkState string

// States of a SuperLink.
const (
	SuperLinkStopped     SuperLinkState = "stopped"
	SuperLinkStarting    SuperLinkState = "starting"
	SuperLinkUp          SuperLinkState = "up"
	SuperLinkRestarting  SuperLinkState = "restarting"
	SuperLinkUnreachable SuperLinkState = "unreachable"
	SuperLinkFailed      SuperLinkState = "failed"
)

// SuperLink is what is known of a federation's SuperLink at a moment.
type SuperLink struct {
	State    SuperLinkState
	Since    time.Time
	Address  string // host:port on loopback, while up
	PID      int
	Restarts int    // since the keeper started
	Reason   string // for failed, restarting, unreachable and leaving ones, and those restarted for their silence: the cause, for people
	// another version of the server started it: it keeps the runs that it has, gets no new ones, and is restarted when those have ended
	Leaving bool
	Engine  Engine // which it is, or will be when it is started: [EngineBuiltin] or [EngineFlower]
	Idle    bool   // it is stopped because nothing ran, and starts with the next run
}
