package client

import (
	"time"
)

// RunTable is a part of a table of runs.
type RunTable struct {
	Runs  []RunTableRow `json:"runs"`
	Total int           `json:"total" doc:"Runs that match"`
	Next  string        `json:"next,omitempty" doc:"The cursor of the next page; left out at the end"`
}

// RunTableRow is a run with its values in the columns.
type RunTableRow struct {
	Run
	Values map[string]RunTableValue `json:"values"`
}

// RunTableValue is a run's value in a column.
type RunTableValue struct {
	Text  string   `json:"text" doc:"As text; of a metric NaN, +Inf and -Inf too"`
	Value *float64 `json:"value,omitempty" doc:"Of a metric, where it is a finite number"`
	Round int      `json:"round,omitempty" doc:"Of a metric: the round of the value"`
	Mean  bool     `json:"mean,omitempty" doc:"The participants' mean: the app tells no value of the whole federation"`
}

// RunDescription changes a run's note and tags; fields left out stay.
type RunDescription struct {
	Note *string  `json:"note,omitempty" doc:"Left out: stays"`
	Tags []string `json:"tags,omitempty" doc:"Left out: stay"`
}

// NewShare is a link to a run to create.
type NewShare struct {
	Days int  `json:"days" minimum:"1" maximum:"365" doc:"How long the link works"`
	Log  bool `json:"log,omitempty" doc:"The log and the cause of a failure can be read too"`
}

// Share is a link to a run.
type Share struct {
	ID        int64      `json:"id"`
	URL       string     `json:"url,omitempty" doc:"Given out when the link is made, and never again"`
	Log       bool       `json:"log"`
	CreatedBy string     `json:"created_by"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt time.Time  `json:"expires_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

// Receipt describes a run's receipt, which is answered byte for byte as it was signed.
type Receipt struct {
	PayloadType string             `json:"payloadType"`
	Payload     string             `json:"payload" doc:"base64 of the statement, whose bytes are signed"`
	Signatures  []ReceiptSignature `json:"signatures" nullable:"false"`
	PublicKey   string             `json:"publicKey" doc:"PEM"`
}

// ReceiptSignature is a signature of a receipt.
type ReceiptSignature struct {
	KeyID string `json:"keyid" doc:"Hex SHA-256 of the public key"`
	Sig   string `json:"sig" doc:"base64"`
}
