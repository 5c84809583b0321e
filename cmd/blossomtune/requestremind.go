//go:build !participant

package main

import (
	"context"
	"io"
	"net/http"

	"blossomtune/internal/client"
)

type requestRemindCmd struct {
	fedArg
	Refs []string `arg:"" optional:"" help:"The requests' ids."`
	All  bool     `help:"Remind everyone who was approved and has never connected."`
}

// Run reminds people to connect.
func (c *requestRemindCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/requests/remind"), client.Remind{Refs: c.Refs, All: c.All},
		func(w io.Writer, d client.Reminded) { facts(w, "mailed", d.Mailed, "skipped", d.Skipped) })
}
