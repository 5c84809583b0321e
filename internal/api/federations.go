package api

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/domain"
)

// Federation is a federation with the state of its SuperLink.
type Federation struct {
	Slug        string    `json:"slug" doc:"Its part of an address"`
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Partitions  int       `json:"partitions" doc:"Total number of partitions"`
	Role        string    `json:"role" doc:"What the caller may do in it"`
	SuperLink   SuperLink `json:"superlink"`
	CreatedAt   time.Time `json:"created_at"`
}

// SuperLink is the state of a federation's engine.
type SuperLink struct {
	State    string     `json:"state" enum:"stopped,starting,up,restarting,unreachable,failed"`
	Since    *time.Time `json:"since,omitempty"`
	Restarts int        `json:"restarts"`
	Reason   string     `json:"reason,omitempty"`
	Engine   string     `json:"engine" doc:"Which it is: builtin, part of this program, or flower, Flower's own"`
	Idle     bool       `json:"idle,omitempty" doc:"Stopped because nothing ran; it starts with the next run"`
}

func (a *api) federationView(f domain.Federation, role domain.Role) Federation {
	st := a.Engines.Status(f.ID)
	return Federation{Slug: f.Slug, Name: f.Name, Description: f.Description, Partitions: f.TotalPartitions, Role: string(role), CreatedAt: f.CreatedAt,
		SuperLink: SuperLink{State: string(st.State), Since: when(st.Since), Restarts: st.Restarts, Reason: st.Reason,
			Engine: string(st.Engine), Idle: st.State == domain.SuperLinkStopped && f.EngineIdle}}
}

// FederationPath names a federation.
type FederationPath struct {
	Slug string `path:"federation" maxLength:"40" doc:"The federation's part of an address"`
}

type federationInput struct {
	Body struct {
		Slug        string `json:"slug" maxLength:"40"`
		Name        string `json:"name" maxLength:"120"`
		Description string `json:"description,omitempty" maxLength:"4000"`
		Partitions  int    `json:"partitions" doc:"Total number of partitions"`
		Engine      string `json:"engine,omitempty" enum:"default,builtin,flower" doc:"Its SuperLink: part of this program, Flower's own, or the server's default"`
	}
}

type resizeInput struct {
	FederationPath
	Body struct {
		Partitions int `json:"partitions"`
	}
}

type configureInput struct {
	FederationPath
	Body struct {
		Name            string `json:"name" maxLength:"120"`
		Description     string `json:"description,omitempty" maxLength:"4000"`
		Proof           string `json:"proof" enum:"both,either" doc:"What askers prove: an account at a sign-in provider and their address, or either of them"`
		Question        string `json:"question,omitempty" maxLength:"240"`
		AnswerNeeded    bool   `json:"answer_needed,omitempty"`
		InvitationsOnly bool   `json:"invitations_only,omitempty"`
	}
}

type superLinkInput struct {
	FederationPath
	Body struct {
		State string `json:"state" enum:"up,stopped"`
	}
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

func (a *api) listFederations(ctx context.Context, _ *none) (*body[[]Federation], error) {
	all, err := a.Onboarding.Federations(ctx)
	if err != nil {
		return nil, err
	}
	out := []Federation{}
	for _, f := range all {
		role, err := a.Accounts.Role(ctx, callerOf(ctx).person, f.ID)
		if err != nil {
			return nil, err
		}
		if role != domain.RoleNone {
			out = append(out, a.federationView(f, role))
		}
	}
	return answer(out), nil
}

func (a *api) createFederation(ctx context.Context, in *federationInput) (*body[Federation], error) {
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

func (a *api) getFederation(ctx context.Context, in *FederationPath) (*body[Federation], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	return answer(a.federationView(f, role)), nil
}

func (a *api) resizeFederation(ctx context.Context, in *resizeInput) (*body[Federation], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if f, err = a.Onboarding.Resize(ctx, callerOf(ctx).actor, f.ID, in.Body.Partitions); err != nil {
		return nil, err
	}
	return answer(a.federationView(f, role)), nil
}

func (a *api) configureFederation(ctx context.Context, in *configureInput) (*body[Federation], error) {
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

func (a *api) setSuperLink(ctx context.Context, in *superLinkInput) (*body[Federation], error) {
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

// Node is a SuperNode's key and what the gateway has seen of it.
type Node struct {
	Partition   int        `json:"partition"`
	Request     string     `json:"request,omitempty" doc:"For managers: the request's id"`
	Holder      string     `json:"holder,omitempty" doc:"For managers: who holds the partition"`
	State       string     `json:"state" enum:"online,offline,never_seen,suspended,revoked"`
	Fingerprint string     `json:"fingerprint" doc:"SHA-256 of the public key"`
	NodeID      DecimalID  `json:"node_id,string" doc:"The SuperLink's id; 0 until registered"`
	FirstSeen   *time.Time `json:"first_seen,omitempty"`
	LastSeen    *time.Time `json:"last_seen,omitempty"`
	BytesIn     int64      `json:"bytes_in" doc:"From the SuperNode"`
	BytesOut    int64      `json:"bytes_out" doc:"To the SuperNode"`
	Flwr        string     `json:"flwr,omitempty"`
	Stuck       *Stuck     `json:"stuck,omitempty" doc:"Set if the SuperNode is online and takes no part in runs until it is restarted"`
}

// Stuck says why a SuperNode is stuck and what to do.
type Stuck struct {
	Cause  string `json:"cause"`
	Remedy string `json:"remedy"`
}

func stuckOf(k domain.NodeKey) *Stuck {
	cause, remedy := k.Stuck()
	if cause == "" || !k.Seen.Online {
		return nil
	}
	return &Stuck{Cause: cause, Remedy: remedy}
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

func (a *api) listNodes(ctx context.Context, in *listNodesInput) (*body[[]Node], error) {
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
	out := make([]Node, 0, len(rows))
	for _, r := range rows {
		k := r.Key
		n := Node{Partition: k.Partition, State: nodeState(k), Fingerprint: k.Fingerprint, NodeID: DecimalID(k.NodeID), FirstSeen: when(k.Seen.FirstAt), LastSeen: when(k.Seen.LastAt),
			BytesIn: k.Seen.BytesIn, BytesOut: k.Seen.BytesOut, Flwr: k.Seen.Flwr, Stuck: stuckOf(k)}
		if r.Holder.State == domain.Approved && role.AtLeast(domain.RoleManager) {
			n.Request, n.Holder = r.Holder.Ref, r.Holder.Name
		}
		out = append(out, n)
	}
	return answer(out), nil
}
