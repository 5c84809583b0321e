//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"blossomtune/internal/client"
)

type userCmd struct {
	List        userListCmd        `cmd:"" op:"list-people" help:"List people."`
	Access      userAccessCmd      `cmd:"" op:"get-person-access" help:"Show where a person is signed in, and their API tokens."`
	SignOut     userSignOutCmd     `cmd:"" op:"end-person-access" name:"sign-out" help:"Sign a person out everywhere and revoke all their API tokens."`
	EndSession  userEndSessionCmd  `cmd:"" op:"end-person-session" name:"end-session" help:"Sign a person out in one place."`
	RevokeToken userRevokeTokenCmd `cmd:"" op:"revoke-person-token" name:"revoke-token" help:"Revoke one of a person's API tokens."`
	Erase       userEraseCmd       `cmd:"" op:"erase-person" help:"Erase a person's data for good. The audit stays verifiable."`
	Admin       userAdminCmd       `cmd:"" op:"set-person-admin" help:"Make a person an admin, or not (--no-admin)."`
	Roles       userRolesCmd       `cmd:"" op:"list-roles" help:"List who has a role in a federation."`
	Grant       userGrantCmd       `cmd:"" op:"set-role" help:"Give a person a role in a federation, or take it away (none)."`
}

type userListCmd struct {
	remoteFlags
	Search string `help:"Part of a name, address or organisation."`
	Limit  int    `help:"How many at most." default:"1000"`
}

// Run lists people.
func (c *userListCmd) Run(ctx context.Context, t *terminal) error {
	return pages(ctx, t, c.remoteFlags, "/people", url.Values{"search": {c.Search}}, c.Limit, 200,
		func(p client.Person) (string, string) { return "before", strconv.FormatInt(p.ID, 10) },
		func(w io.Writer, all []client.Person) {
			var rows [][]any
			for _, p := range all {
				rows = append(rows, []any{p.ID, p.Email, p.Name, p.Organisation, p.Admin, p.CreatedAt})
			}
			table(w, "ID EMAIL NAME ORGANISATION ADMIN CREATED", rows)
		})
}

// personArg names a person.
type personArg struct {
	ID int64 `arg:"" help:"The person's id, as in user list."`
	remoteFlags
}

type userEraseCmd struct{ personArg }

// Run erases a person.
func (c *userEraseCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/people/%d/erase", c.ID), nil, func(w io.Writer, p client.ErasedPerson) {
		facts(w, "id", p.ID, "name", p.Name)
	})
}

type userAccessCmd struct{ personArg }

// Run shows a person's sessions and tokens.
func (c *userAccessCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, client.Path("/people/%d/access", c.ID), nil, func(w io.Writer, a client.PersonAccess) {
		var rows [][]any
		for _, s := range a.Sessions {
			rows = append(rows, []any{s.ID, s.Address, s.Agent, s.LastUsedAt, s.ExpiresAt})
		}
		table(w, "SESSION ADDRESS BROWSER USED EXPIRES", rows)
		fmt.Fprintln(w)
		listTokens(w, a.Tokens)
	})
}

type userSignOutCmd struct{ personArg }

// Run ends a person's access.
func (c *userSignOutCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodDelete, client.Path("/people/%d/access", c.ID), nil,
		"The person is signed out everywhere; their API tokens are revoked.")
}

type userEndSessionCmd struct {
	personArg
	Session int64 `arg:"" help:"The session's id."`
}

// Run ends a session.
func (c *userEndSessionCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodDelete, client.Path("/people/%d/sessions/%d", c.ID, c.Session), nil, "The session is ended.")
}

type userRevokeTokenCmd struct {
	personArg
	Token int64 `arg:"" help:"The token's id."`
}

// Run revokes a token.
func (c *userRevokeTokenCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodDelete, client.Path("/people/%d/tokens/%d", c.ID, c.Token), nil, "The token is revoked.")
}

type userAdminCmd struct {
	personArg
	Admin bool `help:"Whether the person is an admin." default:"true" negatable:""`
}

// Run makes a person an admin, or not.
func (c *userAdminCmd) Run(ctx context.Context, t *terminal) error {
	words := "The person is an admin."
	if !c.Admin {
		words = "The person is not an admin."
	}
	return act(ctx, t, c.remoteFlags, http.MethodPut, client.Path("/people/%d/admin", c.ID), client.AdminChange{Admin: c.Admin}, words)
}

type userRolesCmd struct{ fedArg }

// Run lists roles.
func (c *userRolesCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/roles"), nil, func(w io.Writer, all []client.Role) {
		var rows [][]any
		for _, v := range all {
			rows = append(rows, []any{v.Email, v.Name, v.Role})
		}
		table(w, "EMAIL NAME ROLE", rows)
	})
}

type userGrantCmd struct {
	fedArg
	Email string `arg:"" help:"The person's address."`
	Role  string `arg:"" help:"viewer, manager or none." enum:"viewer,manager,none"`
}

// Run gives a role.
func (c *userGrantCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPut, c.path("/roles"), client.RoleChange{Email: c.Email, Role: c.Role}, "%s: %s.", c.Email,
		c.Role)
}
