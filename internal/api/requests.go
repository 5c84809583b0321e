package api

import (
	"context"
	"net/http"

	"blossomtune/internal/account"
	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

func requestView(r domain.Request, slug string) client.Request {
	out := client.Request{Ref: r.Ref, Federation: slug, State: string(r.State), Name: r.Name, Organisation: r.Organisation, Email: r.Email,
		Message: r.Message, Reason: r.Reason,
		CreatedAt: r.CreatedAt, DecidedAt: when(r.DecidedAt)}
	if r.Partition >= 0 {
		out.Partition = &r.Partition
	}
	return out
}

type askInput struct {
	FederationPath
	Body client.Ask
}

// RequestPath names a request.
type RequestPath struct {
	Ref string `path:"ref" maxLength:"20" doc:"The request's id"`
}

type verifyInput struct {
	RequestPath
	Body client.Verify
}

type verifyOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      client.Request
}

type listRequestsInput struct {
	FederationPath
	State  []string `query:"state" enum:"unverified,pending,approved,rejected,revoked,withdrawn,expired"`
	Search string   `query:"search" maxLength:"100"`
	Sort   string   `query:"sort" enum:"newest,oldest,name,organisation,partition,decided" default:"newest"`
	After  string   `query:"after" maxLength:"20" doc:"The id of the last request of the page before"`
	Limit  int      `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type approveInput struct {
	FederationPath
	Body client.Approve
}

type reasonInput struct {
	RequestPath
	Body client.Reason
}

func (a *api) requests() {
	add(a, op("ask", http.MethodPost, "/federations/{federation}/requests", "Ask to join", anyone), a.ask)
	add(a, op("verify", http.MethodPost, "/requests/{ref}/verify", "Enter the mailed code; signs the person in", anyone), a.verify)
	add(a, op("resend", http.MethodPost, "/requests/{ref}/resend", "Mail a new code", anyone), a.resend)
	add(a, op("list-requests", http.MethodGet, "/federations/{federation}/requests", "Requests, newest first", signedIn), a.listRequests)
	add(a, op("approve", http.MethodPost, "/federations/{federation}/requests/approve", "Approve requests with the next free partitions, or one with a named one", signedIn), a.approve)
	add(a, op("remind", http.MethodPost, "/federations/{federation}/requests/remind", "Remind approved people who have never connected", signedIn),
		a.remind)
	add(a, op("reject", http.MethodPost, "/requests/{ref}/reject", "Turn a request down", signedIn), a.reject)
	add(a, op("suspend", http.MethodPost, "/requests/{ref}/suspend", "Make an approved participant's SuperNode wait", signedIn), a.suspend)
	add(a, op("resume", http.MethodPost, "/requests/{ref}/resume", "Let a suspended SuperNode go on", signedIn), a.resume)
	add(a, op("revoke", http.MethodPost, "/requests/{ref}/revoke", "End an approved participant's access", signedIn), a.revoke)
}

func (a *api) ask(ctx context.Context, in *askInput) (*body[client.Asked], error) {
	f, err := a.Onboarding.FederationBySlug(ctx, in.Slug)
	if err != nil {
		return nil, err
	}
	asker := a.visitor(ctx)
	if email, err := domain.NormalEmail(in.Body.Email); err != nil || asker.Email != "" && asker.Email != email {
		asker = domain.Person{} // who asks for somebody else proves nothing by being signed in
	}
	r, err := a.Onboarding.Ask(ctx, onboarding.AskInput{FederationID: f.ID, Email: in.Body.Email, Name: in.Body.Name, Organisation: in.Body.Organisation, Message: in.Body.Message,
		Invitation: in.Body.Invitation, Asker: asker, Address: clientOf(ctx).address})
	if err != nil {
		return nil, err
	}
	return answer(client.Asked{Ref: r.Ref}), nil
}

func (a *api) verify(ctx context.Context, in *verifyInput) (*verifyOutput, error) {
	r, err := a.Onboarding.Verify(ctx, in.Ref, in.Body.Code, domain.Person{})
	if err != nil {
		return nil, err
	}
	f, err := a.Onboarding.Federation(ctx, r.FederationID)
	if err != nil {
		return nil, err
	}
	c := clientOf(ctx)
	secret, s, err := a.Accounts.NewSession(ctx, r.PersonID, c.address, c.agent)
	if err != nil {
		return nil, err
	}
	return &verifyOutput{Body: requestView(r, f.Slug),
		SetCookie: http.Cookie{Name: account.SessionCookie, Value: secret, Path: "/", Expires: s.ExpiresAt, HttpOnly: true, Secure: c.secure,
			SameSite: http.SameSiteLaxMode}}, nil
}

func (a *api) resend(ctx context.Context, in *RequestPath) (*none, error) {
	return nil, a.Onboarding.Resend(ctx, in.Ref, clientOf(ctx).address)
}

func (a *api) listRequests(ctx context.Context, in *listRequestsInput) (*body[[]client.Request], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	filter := domain.RequestFilter{FederationID: f.ID, Search: in.Search, Sort: domain.RequestSort(in.Sort), Limit: in.Limit}
	if in.After != "" {
		last, err := a.Onboarding.ByRef(ctx, in.After)
		if err != nil || last.FederationID != f.ID {
			return nil, domain.Errorf(domain.NotFound, "%s has no request %q.", f.Name, in.After).At("after").Because(err)
		}
		filter.AfterID = last.ID
	}
	for _, s := range in.State {
		filter.States = append(filter.States, domain.RequestState(s))
	}
	all, err := a.Onboarding.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	return answer(requestViews(all, f.Slug)), nil
}

func requestViews(all []domain.Request, slug string) []client.Request {
	out := make([]client.Request, len(all))
	for i, r := range all {
		out[i] = requestView(r, slug)
	}
	return out
}

type remindInput struct {
	FederationPath
	Body client.Remind
}

func (a *api) remind(ctx context.Context, in *remindInput) (*body[client.Reminded], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if in.Body.All == (len(in.Body.Refs) > 0) {
		return nil, domain.Errorf(domain.Invalid, "It is not clear who is to be reminded.").Fix("Set refs, or all.").At("refs")
	}
	ids, err := a.requestIDs(ctx, f, in.Body.Refs)
	if err != nil {
		return nil, err
	}
	done, err := a.Onboarding.RemindToConnect(ctx, callerOf(ctx).actor, f.ID, ids)
	if err != nil {
		return nil, err
	}
	return answer(client.Reminded{Mailed: done.Mailed, Skipped: done.Skipped}), nil
}

// requestIDs returns the ids of requests of a federation.
func (a *api) requestIDs(ctx context.Context, f domain.Federation, refs []string) ([]int64, error) {
	ids := make([]int64, len(refs))
	for i, ref := range refs {
		r, err := a.Onboarding.ByRef(ctx, ref)
		if err != nil || r.FederationID != f.ID {
			return nil, domain.Errorf(domain.NotFound, "%s has no request %q.", f.Name, ref).At("refs").Because(err)
		}
		ids[i] = r.ID
	}
	return ids, nil
}

func (a *api) approve(ctx context.Context, in *approveInput) (*body[[]client.Request], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	ids, err := a.requestIDs(ctx, f, in.Body.Refs)
	if err != nil {
		return nil, err
	}
	partition := onboarding.NextFreePartition
	if in.Body.Partition != nil {
		if partition = *in.Body.Partition; partition < 0 {
			return nil, domain.Errorf(domain.Invalid, "A partition is not negative.").At("partition")
		}
	}
	done, err := a.Onboarding.Approve(ctx, callerOf(ctx).actor, ids, partition)
	if err != nil {
		return nil, err
	}
	return answer(requestViews(done, f.Slug)), nil
}

// request returns a request in whose federation the caller is a manager.
func (a *api) request(ctx context.Context, ref string) (domain.Request, domain.Federation, error) {
	missing := domain.Errorf(domain.NotFound, "There is no such request.")
	r, err := a.Onboarding.ByRef(ctx, ref)
	if err != nil {
		return r, domain.Federation{}, missing.Because(err)
	}
	f, err := a.Onboarding.Federation(ctx, r.FederationID)
	if err != nil {
		return r, f, err
	}
	role, err := a.Accounts.Role(ctx, callerOf(ctx).person, f.ID)
	if err == nil && !role.AtLeast(domain.RoleManager) {
		err = missing
	}
	return r, f, err
}

func (a *api) decide(ctx context.Context, in *reasonInput, change func(context.Context, domain.Actor, int64, string) (domain.Request,
	error)) (*body[client.Request], error) {
	r, f, err := a.request(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	if r, err = change(ctx, callerOf(ctx).actor, r.ID, in.Body.Reason); err != nil {
		return nil, err
	}
	return answer(requestView(r, f.Slug)), nil
}

func (a *api) reject(ctx context.Context, in *reasonInput) (*body[client.Request], error) {
	return a.decide(ctx, in, a.Onboarding.Reject)
}

func (a *api) revoke(ctx context.Context, in *reasonInput) (*body[client.Request], error) {
	return a.decide(ctx, in, a.Onboarding.Revoke)
}

func (a *api) suspend(ctx context.Context, in *reasonInput) (*none, error) {
	r, _, err := a.request(ctx, in.Ref)
	if err == nil {
		_, err = a.Onboarding.Suspend(ctx, callerOf(ctx).actor, r.ID, in.Body.Reason)
	}
	return nil, err
}

func (a *api) resume(ctx context.Context, in *RequestPath) (*none, error) {
	r, _, err := a.request(ctx, in.Ref)
	if err == nil {
		_, err = a.Onboarding.Resume(ctx, callerOf(ctx).actor, r.ID)
	}
	return nil, err
}
