package api

import (
	"context"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type adminInput struct {
	PersonPath
	Body client.AdminChange
}

func (a *api) setAdmin(ctx context.Context, in *adminInput) (*none, error) {
	if err := a.admin(ctx); err != nil {
		return nil, err
	}
	_, err := a.Accounts.SetAdmin(ctx, callerOf(ctx).actor, in.ID, in.Body.Admin)
	return nil, err
}

func (a *api) listRoles(ctx context.Context, in *FederationPath) (*body[[]client.Role], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	all, err := a.Accounts.Grants(ctx, f.ID)
	out := make([]client.Role, len(all))
	for i, g := range all {
		out[i] = client.Role{PersonID: g.Person.ID, Email: g.Person.Email, Name: g.Person.Name, Role: string(g.Role)}
	}
	return answer(out), err
}

type roleInput struct {
	FederationPath
	Body client.RoleChange
}

func (a *api) setRole(ctx context.Context, in *roleInput) (*none, error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	role := domain.Role(in.Body.Role)
	if in.Body.Role == "none" {
		role = domain.RoleNone
	}
	return nil, a.Accounts.Grant(ctx, callerOf(ctx).actor, f.ID, in.Body.Email, role)
}

func tokenView(t domain.APIToken) client.PersonToken {
	return client.PersonToken{ID: t.ID, Name: t.Name, Scope: string(t.Scope), CreatedAt: t.CreatedAt, LastUsedAt: when(t.LastUsedAt),
		ExpiresAt: t.ExpiresAt}
}

func (a *api) listTokens(ctx context.Context, _ *none) (*body[[]client.PersonToken], error) {
	all, err := a.Accounts.Tokens(ctx, callerOf(ctx).person.ID)
	out := make([]client.PersonToken, len(all))
	for i, t := range all {
		out[i] = tokenView(t)
	}
	return answer(out), err
}

type newTokenInput struct {
	Body client.NewToken
}

func (a *api) createToken(ctx context.Context, in *newTokenInput) (*body[client.CreatedToken], error) {
	c := callerOf(ctx)
	secret, t, err := a.Accounts.CreateToken(ctx, c.actor, c.person.ID, in.Body.Name, domain.TokenScope(in.Body.Scope),
		time.Duration(in.Body.Days)*24*time.Hour)
	if err != nil {
		return nil, err
	}
	return answer(client.CreatedToken{PersonToken: tokenView(t), Token: secret}), nil
}

// TokenPath names an API token.
type TokenPath struct {
	ID int64 `path:"id" minimum:"1"`
}

func (a *api) revokeToken(ctx context.Context, in *TokenPath) (*none, error) {
	return nil, a.Accounts.RevokeToken(ctx, callerOf(ctx).person, in.ID)
}
