package client

import (
	"time"
)

// AuditChain is what a check of the audit's chain came to.
type AuditChain struct {
	Whole   bool       `json:"whole"`
	Entries int        `json:"entries" doc:"That fit"`
	Since   *time.Time `json:"since,omitempty" doc:"Since when entries are chained as they are written"`
	Hash    string     `json:"hash" doc:"Of the newest entry: kept elsewhere, it tells later that nothing before it has changed"`
	Fault   int64      `json:"fault,omitempty" doc:"The first entry that does not fit the one before it"`
	Short   bool       `json:"short,omitempty" doc:"Entries are missing at the end, or their number is not the one recorded"`
}

// AuditEntry is one entry of the audit: who did what, on what.
type AuditEntry struct {
	ID     int64             `json:"id"`
	At     time.Time         `json:"at"`
	Actor  string            `json:"actor" doc:"Name of the person, token or part of the server"`
	Action string            `json:"action" doc:"Such as run.launched"`
	Kind   string            `json:"object_kind,omitempty"`
	Object string            `json:"object_id,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
}
