package api

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

func (a *api) federationView(f domain.Federation, role domain.Role) client.Federation {
	st := a.Engines.Status(f.ID)
	return client.Federation{Slug: f.Slug, Name: f.Name, Description: f.Description, Partitions: f.TotalPartitions, Role: string(role),
		CreatedAt: f.CreatedAt,
		SuperLink: client.SuperLink{State: string(st.State), Since: when(st.Since), Restarts: st.Restarts, Reason: st.Reason,
			Engine: string(st.Engine), Idle: st.State == domain.SuperLinkStopped && f.EngineIdle}}
}

// FederationPath names a federation.
type FederationPath struct {
	Slug string `path:"federation" maxLength:"40" doc:"The federation's part of an address"`
}

type federationInput struct {
	Body client.NewFederation
}

type resizeInput struct {
	FederationPath
	Body client.Resize
}

type configureInput struct {
	FederationPath
	Body client.FederationSettings
}

type superLinkInput struct {
	FederationPath
	Body client.SuperLinkChange
}

func (a *api) federations() {
	add(a, op("list-federations", http.MethodGet, "/federations", "The federations that the caller is in", signedIn), a.listFederations)
	add(a, op("create-federation", http.MethodPost, "/federations", "Make a federation", signedIn), a.createFederation)
	add(a, op("get-federation", http.MethodGet, "/federations/{federation}", "One federation", signedIn), a.getFederation)
	add(a, op("resize-federation", http.MethodPatch, "/federations/{federation}", "Change the total of partitions", signedIn), a.resizeFederation)
	add(a, op("configure-federation", http.MethodPut, "/federations/{federation}/settings", "Change its texts, and how people ask to join", signedIn), a.configureFederation)
	add(a, op("set-superlink", http.MethodPut, "/federations/{federation}/superlink", "Start or stop the SuperLink", signedIn), a.setSuperLink)
	add(a, op("list-nodes", http.MethodGet, "/federations/{federation}/nodes", "The SuperNodes, by partition", signedIn), a.listNodes)
}

type listFederationsInput struct {
	After string `query:"after" maxLength:"64" doc:"Only federations that come after this one: the last slug of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"500" doc:"Ask again with after for more"`
}

func (a *api) listFederations(ctx context.Context, in *listFederationsInput) (*body[[]client.Federation], error) {
	all, err := a.Onboarding.Federations(ctx)
	if err != nil {
		return nil, err
	}
	out := []client.Federation{}
	for _, f := range all {
		role, err := a.Accounts.Role(ctx, callerOf(ctx).person, f.ID)
		if err != nil {
			return nil, err
		}
		if role != domain.RoleNone {
			out = append(out, a.federationView(f, role))
		}
	}
	out, err = pageAfter(out, in.After, in.Limit, func(f client.Federation) string { return f.Slug })
	if err != nil {
		return nil, err
	}
	return answer(out), nil
}

func (a *api) createFederation(ctx context.Context, in *federationInput) (*body[client.Federation], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	f := domain.Federation{Slug: in.Body.Slug, Name: in.Body.Name, Description: in.Body.Description, TotalPartitions: in.Body.Partitions}
	var err error
	if in.Body.Engine != "" {
		if f.Engine, err = domain.ParseEngine(in.Body.Engine); err != nil {
			return nil, err
		}
	}
	f, err = a.Onboarding.CreateFederation(ctx, callerOf(ctx).actor, f)
	if err != nil {
		return nil, err
	}
	return answer(a.federationView(f, domain.RoleManager)), nil
}

func (a *api) getFederation(ctx context.Context, in *FederationPath) (*body[client.Federation], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	out := a.federationView(f, role)
	if role.AtLeast(domain.RoleManager) {
		v := f.Asking
		out.Asking = &client.Asking{Proof: string(v.Proof), Question: v.Question, AnswerNeeded: v.AnswerNeeded,
			InvitationsOnly: v.InvitationsOnly}
	}
	return answer(out), nil
}

func (a *api) resizeFederation(ctx context.Context, in *resizeInput) (*body[client.Federation], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if f, err = a.Onboarding.Resize(ctx, callerOf(ctx).actor, f.ID, in.Body.Partitions); err != nil {
		return nil, err
	}
	return answer(a.federationView(f, role)), nil
}

func (a *api) configureFederation(ctx context.Context, in *configureInput) (*body[client.Federation], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	b := in.Body
	asking := domain.Asking{Proof: domain.Proof(b.Proof), Question: b.Question, AnswerNeeded: b.AnswerNeeded, InvitationsOnly: b.InvitationsOnly}
	if f, err = a.Onboarding.Configure(ctx, callerOf(ctx).actor, f.ID, b.Name, b.Description, asking); err != nil {
		return nil, err
	}
	return answer(a.federationView(f, role)), nil
}

func (a *api) setSuperLink(ctx context.Context, in *superLinkInput) (*body[client.Federation], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	set := a.Engines.Stop
	if in.Body.State == "up" {
		set = a.Engines.Start
	}
	if err := set(ctx, callerOf(ctx).actor, f.ID); err != nil {
		return nil, err
	}
	return answer(a.federationView(f, role)), nil
}

func stuckOf(k domain.NodeKey) *client.Stuck {
	cause, remedy := k.Stuck()
	if cause == "" || !k.Seen.Online {
		return nil
	}
	return &client.Stuck{Cause: cause, Remedy: remedy}
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func nodeState(k domain.NodeKey) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.SuspendedAt.IsZero():
		return "suspended"
	case k.Seen.Online:
		return "online"
	case k.Seen.LastAt.IsZero():
		return "never_seen"
	}
	return "offline"
}

type listNodesInput struct {
	FederationPath
	State string `query:"state" enum:"online,stuck,offline,suspended,never_seen,revoked" doc:"Only SuperNodes in this state; stuck ones are not among those online"`
	After string `query:"after" maxLength:"64" doc:"The fingerprint of the last SuperNode of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"500" doc:"Ask again with the last fingerprint for more"`
}

func (a *api) listNodes(ctx context.Context, in *listNodesInput) (*body[[]client.Node], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleViewer)
	if err != nil {
		return nil, err
	}
	filter := domain.NodeFilter{FederationID: f.ID, Keys: true, Status: domain.NodeStatus(in.State), Limit: in.Limit}
	if in.After != "" {
		k, err := a.Onboarding.FindKey(ctx, f.ID, in.After)
		if err != nil {
			return nil, domain.Errorf(domain.NotFound, "%s has no SuperNode with the fingerprint %q.", f.Name, in.After).At("after").Because(err)
		}
		filter.AfterID = k.ID
	}
	rows, err := a.Onboarding.Nodes(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := make([]client.Node, 0, len(rows))
	for _, r := range rows {
		k := r.Key
		n := client.Node{Partition: k.Partition, State: nodeState(k), Fingerprint: k.Fingerprint, NodeID: client.DecimalID(k.NodeID),
			FirstSeen: when(k.Seen.FirstAt), LastSeen: when(k.Seen.LastAt),
			BytesIn: k.Seen.BytesIn, BytesOut: k.Seen.BytesOut, Flwr: k.Seen.Flwr, Stuck: stuckOf(k)}
		if r.Holder.State == domain.Approved && role.AtLeast(domain.RoleManager) {
			n.Request, n.Holder = r.Holder.Ref, r.Holder.Name
		}
		out = append(out, n)
	}
	return answer(out), nil
}
