package api

import (
	"context"
	"net/http"
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

func (a *api) auditOps() {
	add(a, op("check-audit", http.MethodGet, "/audit/check", "Go through the audit's whole chain", signedIn), a.checkAudit)
}

func (a *api) checkAudit(ctx context.Context, _ *none) (*body[AuditChain], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	v, err := a.Audit.Check(ctx)
	if err != nil {
		return nil, err
	}
	out := AuditChain{Whole: v.Whole(), Entries: v.Entries, Hash: v.Hash, Fault: v.Fault, Short: v.Short}
	if !v.Since.IsZero() {
		out.Since = &v.Since
	}
	return answer(out), nil
}
