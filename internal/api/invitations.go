package api

import (
	"context"
	"net/http"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/onboarding"
)

func invitationView(i domain.Invitation, link string) client.Invitation {
	return client.Invitation{ID: i.ID, Note: i.Note, Email: i.Email, Domain: i.Domain, Uses: i.Uses, Used: i.Used, Auto: i.Auto,
		Ended: i.Ended(time.Now()), CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt, Link: link}
}

type listInvitationsInput struct {
	FederationPath
	Before int64 `query:"before" minimum:"0" doc:"Those with a lower id"`
}

type inviteInput struct {
	FederationPath
	Body client.NewInvitation
}

type importInput struct {
	FederationPath
	Body client.InvitationImport
}

type ruleInput struct {
	FederationPath
	Body client.NewRule
}

type idInput struct {
	FederationPath
	ID int64 `path:"id" minimum:"1"`
}

func (a *api) invitations() {
	const invites, rules = "/federations/{federation}/invitations", "/federations/{federation}/rules"
	add(a, op("list-invitations", http.MethodGet, invites, "Invitations, newest first", signedIn), a.listInvitations)
	add(a, holdsSecret(op("invite", http.MethodPost, invites, "Make an invitation", signedIn)), a.invite)
	add(a, op("import-invitations", http.MethodPost, invites+"/import", "Invite a list of addresses by mail", signedIn), a.importInvitations)
	add(a, op("revoke-invitation", http.MethodDelete, invites+"/{id}", "Take an invitation back", signedIn), a.revokeInvitation)
	add(a, op("list-rules", http.MethodGet, rules, "What approves requests without a review", signedIn), a.listRules)
	add(a, op("add-rule", http.MethodPost, rules, "Approve requests of a domain or organisation without a review", signedIn), a.addRule)
	add(a, op("drop-rule", http.MethodDelete, rules+"/{id}", "End such a rule", signedIn), a.dropRule)
}

func (a *api) listInvitations(ctx context.Context, in *listInvitationsInput) (*body[[]client.Invitation], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	all, err := a.Onboarding.Invitations(ctx, f.ID, in.Before, 100)
	out := make([]client.Invitation, len(all))
	for i, v := range all {
		out[i] = invitationView(v, "")
	}
	return answer(out), err
}

func (a *api) invite(ctx context.Context, in *inviteInput) (*body[client.Invitation], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	b := in.Body
	link, inv, err := a.Onboarding.Invite(ctx, callerOf(ctx).actor, onboarding.InviteInput{FederationID: f.ID, Note: b.Note, Domain: b.Domain, Uses: b.Uses, Days: b.Days, Auto: b.Auto})
	if err != nil {
		return nil, err
	}
	return answer(invitationView(inv, link)), nil
}

func (a *api) importInvitations(ctx context.Context, in *importInput) (*body[client.Imported], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	done, err := a.Onboarding.ImportInvitations(ctx, callerOf(ctx).actor, f.ID, in.Body.Emails, in.Body.Days, in.Body.Auto)
	if err != nil {
		return nil, err
	}
	return answer(client.Imported{Invited: append([]string{}, done.Invited...), Known: append([]string{}, done.Known...)}), nil
}

func (a *api) revokeInvitation(ctx context.Context, in *idInput) (*none, error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	return nil, a.Onboarding.RevokeInvitation(ctx, callerOf(ctx).actor, f.ID, in.ID)
}

func (a *api) listRules(ctx context.Context, in *FederationPath) (*body[[]client.Rule], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	all, err := a.Onboarding.Rules(ctx, f.ID)
	out := make([]client.Rule, len(all))
	for i, r := range all {
		out[i] = client.Rule{ID: r.ID, Kind: string(r.Kind), Value: r.Value}
	}
	return answer(out), err
}

func (a *api) addRule(ctx context.Context, in *ruleInput) (*body[client.Rule], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	r, err := a.Onboarding.AddRule(ctx, callerOf(ctx).actor, f.ID, domain.RuleKind(in.Body.Kind), in.Body.Value)
	if err != nil {
		return nil, err
	}
	return answer(client.Rule{ID: r.ID, Kind: string(r.Kind), Value: r.Value}), nil
}

func (a *api) dropRule(ctx context.Context, in *idInput) (*none, error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	return nil, a.Onboarding.DropRule(ctx, callerOf(ctx).actor, f.ID, in.ID)
}
