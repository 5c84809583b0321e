package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
)

func (a *api) auditOps() {
	add(a, op("check-audit", http.MethodGet, "/audit/check", "Go through the audit's whole chain", signedIn), a.checkAudit)
}

func (a *api) checkAudit(ctx context.Context, _ *none) (*body[client.AuditChain], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	v, err := a.Audit.Check(ctx)
	if err != nil {
		return nil, err
	}
	out := client.AuditChain{Whole: v.Whole(), Entries: v.Entries, Hash: v.Hash, Fault: v.Fault, Short: v.Short}
	if !v.Since.IsZero() {
		out.Since = &v.Since
	}
	return answer(out), nil
}
