//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"blossomtune/internal/client"
)

func listTokens(w io.Writer, all []client.PersonToken) {
	var rows [][]any
	for _, k := range all {
		rows = append(rows, []any{k.ID, k.Name, k.Scope, k.LastUsedAt, k.ExpiresAt})
	}
	table(w, "TOKEN NAME SCOPE USED EXPIRES", rows)
}

type tokenListCmd struct{ remoteFlags }

// Run lists the caller's tokens.
func (c *tokenListCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, "/me/tokens", nil, listTokens)
}

type tokenNewCmd struct {
	Name  string `arg:"" help:"What it is for, shown in the audit."`
	Scope string `help:"all, or read to change nothing." enum:"all,read" default:"all"`
	Days  int    `help:"How long it works." default:"90"`
	remoteFlags
}

// Run creates a token of the caller's.
func (c *tokenNewCmd) Run(ctx context.Context, t *terminal) error {
	in := client.NewToken{Name: c.Name, Scope: c.Scope, Days: c.Days}
	return call(ctx, t, c.remoteFlags, http.MethodPost, "/me/tokens", in,
		func(w io.Writer, v client.CreatedToken) { fmt.Fprintln(w, plain(v.Token)) })
}

type tokenRevokeCmd struct {
	ID int64 `arg:"" help:"The token's id, as in token list."`
	remoteFlags
}

// Run revokes one of the caller's tokens.
func (c *tokenRevokeCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodDelete, client.Path("/me/tokens/%d", c.ID), nil, "The token is revoked.")
}
