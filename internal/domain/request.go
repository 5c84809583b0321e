package domain

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// RequestState is where a request to join stands.
type RequestState string

// States of a request. See [RequestState.May] for the life.
const (
	Unverified RequestState = "unverified" // e-mail given, code mailed
	Pending    RequestState = "pending"    // code entered, waits for a manager
	Approved   RequestState = "approved"   // holds a partition
	Rejected   RequestState = "rejected"
	Revoked    RequestState = "revoked"
	Withdrawn  RequestState = "withdrawn"
	ExpiredReq RequestState = "expired"
)

var requestMoves = map[RequestState][]RequestState{
	Unverified: {Pending, Withdrawn, ExpiredReq},
	Pending:    {Approved, Rejected, Withdrawn},
	Approved:   {Revoked},
}

// May reports whether a request in state s can become next.
func (s RequestState) May(next RequestState) bool { return slices.Contains(requestMoves[s], next) }

// Active reports whether a request in state s keeps its person from asking again.
func (s RequestState) Active() bool { return s == Unverified || s == Pending || s == Approved }

// Request is one person's request to join one federation.
type Request struct {
	ID           int64
	Ref          string // short and readable, unique, e.g. "K7MP-2QX4"
	FederationID int64
	PersonID     int64
	State        RequestState
	Partition    int // -1 unless approved (kept when revoked, to tell what it was)
	Name         string
	Organisation string
	Email        string // of the person
	Message      string // the asker's words
	Reason       string // of a rejection or revocation
	DecidedBy    string
	CreatedAt    time.Time
	VerifiedAt   time.Time // code entered
	DecidedAt    time.Time
	ExpiresAt    time.Time // of an unverified one
	InvitationID int64     // by which it came; 0 for none
	Code         ActivationCode
}

// Ask is what somebody asked, before anything is known of who asks. It comes to a request of theirs, new or old.
type Ask struct {
	Ref          string // what the asker was told; a new request has it as its own
	FederationID int64
	Email        string
	Name         string
	Organisation string
	Message      string
	InvitationID int64
	CreatedAt    time.Time
	RequestID    int64 // 0 until it is settled

	// What was told about the code under this id, as if it were the only one of its request.
	CodeTries  int // wrong tries
	CodeSent   int // codes asked for
	CodeSentAt time.Time
}

// ActivationCode is the mailed code of an unverified request, kept only as a hash.
type ActivationCode struct {
	Hash      []byte
	ExpiresAt time.Time
	Tries     int // wrong tries so far
	Sent      int // mails sent for this request
	SentAt    time.Time
}

// Limits of activation codes (design.md).
const (
	CodeLife     = 30 * time.Minute
	CodeTries    = 5
	CodeSends    = 5           // mails per request
	CodeSendGap  = time.Minute // between two mails of one request
	RequestsLife = 48 * time.Hour
)

// JoinToken lets one agent enrol one key for one approved request. Its secret is kept only as a hash.
type JoinToken struct {
	ID        int64
	Public    string // the id part of <pin>.<id>.<secret>
	RequestID int64
	Hash      []byte
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero until an enrolment succeeded
}

// JoinTokenLife is how long a join token can be used.
const JoinTokenLife = 24 * time.Hour

// NodeKey is a SuperNode's public key: enrolled at most once, for ever, over all federations.
type NodeKey struct {
	ID           int64
	FederationID int64
	RequestID    int64
	Partition    int
	PublicPEM    []byte // PEM SubjectPublicKeyInfo, the exact bytes that go into flwr-public-key
	Fingerprint  string // hex SHA-256 of the DER SubjectPublicKeyInfo
	NodeID       uint64 // given by the SuperLink; 0 until registered there
	Via          string // "agent" or "upload"
	CreatedAt    time.Time
	RevokedAt    time.Time // zero while good
	SuspendedAt  time.Time // zero unless a manager has suspended it
	Reason       string    // of the suspension, for its participant
	Seen         NodeSeen
}

// NodeSeen is what the gateway has seen of a SuperNode; flushed to the database every few seconds.
type NodeSeen struct {
	FirstAt    time.Time // first authenticated request, zero before
	LastAt     time.Time
	Online     bool   // seen within [OnlineWindow] and not deactivated since
	BytesIn    int64  // request bodies, from the SuperNode
	BytesOut   int64  // answers, to the SuperNode
	Flwr       string // version, as reported by our agent; may be empty
	Agent      string
	Python     string
	ClockOff   time.Duration // what the machine's clock is behind ours, as its agent tells; whole seconds
	Proxy      string        // host:port of the proxy it goes through, as its agent tells
	SharesLogs bool          // its owner lets the agent send its logs
	Approve    string        // which app versions run there, as its agent tells: "any", "listed" or "ask"; empty where it does not
	Ledger     LedgerHead    // the newest line of its ledger that its agent reported
	Contained  Containment   // how ClientApps run there, as its agent reports
	Data       int           // how many folders its owner lets ClientApps read
	Stuck      Stuck         // why it takes no part in runs although it is online
}

// LedgerHead names a line of a participant's ledger. Its hash covers all lines before it.
type LedgerHead struct {
	N    int64
	Hash string // SHA-256 in hexadecimal
}

// Verdict says whether the SuperNode of a good key can take part in a run with a version of Flower, and if not, why and who mends it.
func (k NodeKey) Verdict(flwr string) (good bool, why, remedy string) {
	switch {
	case !k.SuspendedAt.IsZero():
		return false, "suspended", "Resume it, or run without it."
	case k.Seen.FirstAt.IsZero():
		return false, "never seen", "Its owner runs the command of the status page."
	case k.Seen.Flwr != "" && !trainsWith(k.Seen.Flwr, flwr):
		return false, fmt.Sprintf("flwr %s, this needs %s", k.Seen.Flwr, neededFlwr(flwr)),
			"Its owner updates blossomtune (or: " + InstallFlwr(flwr) + ") and connects again."
	case !k.Seen.Online:
		return false, "offline", "Its owner starts the same command again."
	case k.Seen.Stuck != "":
		cause, remedy := k.Stuck()
		return false, "stuck", cause + " " + remedy
	}
	return true, "compatible", ""
}

// NodeCount counts a federation's keys.
type NodeCount struct {
	Good   int // not revoked
	Online int // of these, without the stuck ones
	Stuck  int // online, but taking no part in runs; see [NodeKey.Stuck]
}

// String returns a text such as "3 of 5 online, 1 stuck".
func (c NodeCount) String() string { return c.Of(strconv.Itoa(c.Good)) }

// Of is String with other words for all keys, such as "5 SuperNodes".
func (c NodeCount) Of(all string) string {
	text := fmt.Sprintf("%d of %s online", c.Online, all)
	if c.Stuck > 0 {
		text += fmt.Sprintf(", %d stuck", c.Stuck)
	}
	return text
}

// OnlineWindow is how long a SuperNode counts as online after its last request: two of Flower's longest heartbeat intervals and a little.
const OnlineWindow = 50 * time.Second

// NodeConfig returns the --node-config value of a SuperNode for a partition.
func NodeConfig(partition, total int) string {
	return fmt.Sprintf("partition-id=%d num-partitions=%d", partition, total)
}
