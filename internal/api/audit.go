package api

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

func (a *api) auditOps() {
	add(a, op("list-audit", http.MethodGet, "/audit", "Audit entries, newest first", signedIn), a.listAudit)
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

type auditInput struct {
	Search string    `query:"search" maxLength:"200" doc:"Part of the actor's name"`
	Action string    `query:"action" maxLength:"100" doc:"The whole of it, such as run.launched"`
	Object string    `query:"object" maxLength:"200" doc:"Part of the object's id"`
	From   time.Time `query:"from" doc:"Entries from this moment on"`
	Until  time.Time `query:"until" doc:"Entries before this moment"`
	Before int64     `query:"before" minimum:"0" doc:"Entries with a lower id: the last one of the page before"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

func (a *api) listAudit(ctx context.Context, in *auditInput) (*body[[]client.AuditEntry], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	all, err := a.Audit.List(ctx, domain.AuditFilter{Actor: in.Search, Action: in.Action, Object: in.Object, From: in.From, Until: in.Until,
		BeforeID: in.Before, Limit: in.Limit})
	out := make([]client.AuditEntry, len(all))
	for i, e := range all {
		out[i] = client.AuditEntry{ID: e.ID, At: e.At, Actor: e.Actor.Name, Action: e.Action, Kind: e.ObjectKind, Object: e.ObjectID,
			Detail: e.Detail}
	}
	return answer(out), err
}
