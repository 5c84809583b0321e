package api

import (
	"context"
	"net/http"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type peopleInput struct {
	Search string `query:"search" maxLength:"200" doc:"A part of a name, an address or an organisation"`
	Before int64  `query:"before" minimum:"0" doc:"Only people with a lower id: the last one of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

// PersonPath names a person.
type PersonPath struct {
	ID int64 `path:"id" minimum:"1"`
}

type personPartPath struct {
	PersonPath
	Part int64 `path:"part" minimum:"1" doc:"The id of the session or token"`
}

func (a *api) people() {
	add(a, op("list-people", http.MethodGet, "/people", "People, newest first", signedIn), a.listPeople)
	add(a, op("get-person-access", http.MethodGet, "/people/{id}/access", "A person's sessions and API tokens", signedIn), a.personAccess)
	add(a, op("end-person-access", http.MethodDelete, "/people/{id}/access", "Sign a person out everywhere and revoke all their API tokens", signedIn), a.endAccess)
	add(a, op("end-person-session", http.MethodDelete, "/people/{id}/sessions/{part}", "Sign a person out in one place", signedIn), a.endPersonSession)
	add(a, op("erase-person", http.MethodPost, "/people/{id}/erase", "Erase a person's data for good; the audit's chain stays valid", signedIn), a.erasePerson)
	add(a, op("set-person-admin", http.MethodPut, "/people/{id}/admin", "Make a person an admin, or end that", signedIn), a.setAdmin)
	add(a, op("list-roles", http.MethodGet, "/federations/{federation}/roles", "Who has been given a role in a federation", signedIn),
		a.listRoles)
	add(a, op("set-role", http.MethodPut, "/federations/{federation}/roles", "Give a person a role in a federation, or take it away",
		signedIn), a.setRole)
	add(a, op("list-tokens", http.MethodGet, "/me/tokens", "The caller's API tokens", signedIn), a.listTokens)
	add(a, holdsSecret(op("create-token", http.MethodPost, "/me/tokens", "Create an API token with the caller's rights", signedIn)), a.createToken)
	add(a, op("revoke-token", http.MethodDelete, "/me/tokens/{id}", "Revoke one of the caller's API tokens", signedIn), a.revokeToken)
	add(a, op("revoke-person-token", http.MethodDelete, "/people/{id}/tokens/{part}", "Revoke one of a person's API tokens", signedIn), a.revokePersonToken)
}

func (a *api) erasePerson(ctx context.Context, in *PersonPath) (*body[client.ErasedPerson], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	name, err := a.Accounts.Erase(ctx, callerOf(ctx).actor, in.ID)
	if err != nil {
		return nil, err
	}
	return answer(client.ErasedPerson{ID: in.ID, Name: name}), nil
}

func (a *api) listPeople(ctx context.Context, in *peopleInput) (*body[[]client.Person], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	all, err := a.Accounts.People(ctx, domain.PeopleFilter{Search: in.Search, BeforeID: in.Before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := make([]client.Person, len(all))
	for i, p := range all {
		out[i] = client.Person{ID: p.ID, Email: p.Email, Name: p.Name, Organisation: p.Organisation, Admin: p.Admin, CreatedAt: p.CreatedAt}
	}
	return answer(out), nil
}

func (a *api) personAccess(ctx context.Context, in *PersonPath) (*body[client.PersonAccess], error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	has, err := a.Accounts.Access(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := client.PersonAccess{Sessions: []client.PersonSession{}, Tokens: []client.PersonToken{}}
	for _, v := range has.Sessions {
		out.Sessions = append(out.Sessions, client.PersonSession{ID: v.ID, Address: v.Address, Agent: v.Agent, CreatedAt: v.CreatedAt,
			LastUsedAt: v.LastSeenAt, ExpiresAt: v.ExpiresAt})
	}
	for _, t := range has.Tokens {
		out.Tokens = append(out.Tokens, tokenView(t))
	}
	return answer(out), nil
}

func (a *api) endAccess(ctx context.Context, in *PersonPath) (*none, error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	_, err := a.Accounts.EndAccess(ctx, callerOf(ctx).actor, in.ID)
	return nil, err
}

func (a *api) endPersonSession(ctx context.Context, in *personPartPath) (*none, error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	return nil, a.Accounts.EndSessionOf(ctx, callerOf(ctx).actor, in.ID, in.Part)
}

func (a *api) revokePersonToken(ctx context.Context, in *personPartPath) (*none, error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	return nil, a.Accounts.RevokeTokenOf(ctx, callerOf(ctx).actor, in.ID, in.Part)
}
