package receipt

import "time"

// Types of what is signed.
const (
	PayloadType   = "application/vnd.in-toto+json"
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "urn:blossomtune:run-receipt:v1"
)

// Statement says of files, known by their hash, which run they belong to.
type Statement struct {
	Type          string    `json:"_type"`
	Subject       []Subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Run       `json:"predicate"`
}

// Subject is one file: the app ("fab"), the log ("log"), or "artifact/" with its path.
type Subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"` // "sha256": hex
}

// Run is everything that a receipt says of a run.
type Run struct {
	Federation   string            `json:"federation"`
	Run          string            `json:"run"`
	EngineRunID  string            `json:"engine_run_id,omitempty"`
	State        string            `json:"state"`
	Outcome      string            `json:"outcome,omitempty"` // of a completed run: contributed, nothing_trained or nobody_asked
	Cause        string            `json:"cause,omitempty"`
	QueuedAt     time.Time         `json:"queued_at"`
	StartedAt    *time.Time        `json:"started_at,omitempty"`
	EndedAt      time.Time         `json:"ended_at"`
	App          App               `json:"app"`
	Lock         Lock              `json:"lock"`
	Config       map[string]any    `json:"config"` // effective: the defaults with what the run changed
	Settings     any               `json:"settings"`
	Partitions   int               `json:"partitions"`
	Participants []Participant     `json:"participants"` // whose SuperNodes were asked
	Rounds       []Round           `json:"rounds"`
	Replies      Digest            `json:"replies"`           // of all replies, also those that rounds leaves out
	Ledgers      []LedgerHead      `json:"ledgers,omitempty"` // as the participants' agents reported them
	Metrics      []Metric          `json:"metrics"`           // of the whole federation
	AllMetrics   Digest            `json:"all_metrics"`
	LeftOut      map[string]string `json:"left_out,omitempty"` // what the receipt does not hold, and why
	Server       string            `json:"server"`             // version
	MadeAt       time.Time         `json:"made_at"`
}

// App is the app version that ran; its bytes are the subject "fab".
type App struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// Lock is the Python environment in which the ServerApp ran.
type Lock struct {
	Flwr                string `json:"flwr"`
	RequirementsSHA256  string `json:"requirements_sha256"`
	InstallDependencies bool   `json:"install_dependencies"` // the app's own dependencies were installed beside it
}

// Participant is a SuperNode's key and partition.
type Participant struct {
	Partition   int    `json:"partition"` // -1: not known
	NodeID      string `json:"node_id"`
	Fingerprint string `json:"key_sha256"` // of the key's DER form
	PublicKey   string `json:"public_key"` // PEM
}

// LedgerHead is the newest line of a participant's own ledger that its agent had reported; its hash covers all lines before it. With it,
// the
// participant finds out whether the ledger was changed after that.
type LedgerHead struct {
	NodeID string `json:"node_id"`
	N      int64  `json:"line"`
	Hash   string `json:"sha256"`
}

// Round is what came back in a round.
type Round struct {
	Round   int     `json:"round"`
	Replies []Reply `json:"replies"`
}

// Reply is one SuperNode's answer; Object is the hash of all that it sent in it, as Flower names the objects. "no reply" with an Object
// says
// that the SuperNode sent one and the ServerApp did not take it.
type Reply struct {
	NodeID string `json:"node_id"`
	Phase  string `json:"phase"`
	Object string `json:"object,omitempty"`
	State  string `json:"state"` // "replied", "failed", "no reply"
}

// Metric is one number; NaN and infinities are texts.
type Metric struct {
	Round int    `json:"round"`
	Phase string `json:"phase"`
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// Digest is a count and the SHA-256 of lines, each ended by a line feed.
type Digest struct {
	Count  int    `json:"count"`
	Lines  string `json:"lines"` // what is in a line
	SHA256 string `json:"sha256"`
}
