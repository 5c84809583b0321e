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
	Short   bool       `json:"short,omitempty" doc:"Entries are missing at the end"`
}
