//go:build !participant

package main

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"blossomtune/internal/client"
)

type nodeCmd struct {
	List    nodeListCmd    `cmd:"" op:"list-nodes" help:"List a federation's SuperNodes."`
	Suspend nodeSuspendCmd `cmd:"" op:"suspend" help:"Suspend an approved participant's SuperNode."`
	Resume  nodeResumeCmd  `cmd:"" op:"resume" help:"Let a suspended SuperNode continue."`
}

type nodeListCmd struct {
	fedArg
	State string `help:"Only SuperNodes in this state." enum:",online,stuck,offline,suspended,never_seen,revoked" default:""`
	Limit int    `help:"How many at most." default:"10000"`
}

// Run lists SuperNodes.
func (c *nodeListCmd) Run(ctx context.Context, t *terminal) error {
	return pages(ctx, t, c.remoteFlags, c.path("/nodes"), url.Values{"state": {c.State}}, c.Limit, 1000,
		func(n client.Node) (string, string) { return "after", n.Fingerprint },
		func(w io.Writer, all []client.Node) {
			var rows [][]any
			for _, n := range all {
				state := n.State
				if n.Stuck != nil {
					state += ", stuck: " + n.Stuck.Cause
				}
				rows = append(rows, []any{n.Partition, n.Request, n.Holder, state, uint64(n.NodeID), n.Flwr, n.LastSeen, size(n.BytesIn),
					size(n.BytesOut)})
			}
			table(w, "PARTITION REQUEST HOLDER STATE NODE FLWR SEEN IN OUT", rows)
		})
}

type nodeSuspendCmd struct {
	reasonArg
}

// Run suspends a SuperNode.
func (c *nodeSuspendCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/requests/%s/suspend", c.Ref), client.Reason{Reason: c.Reason},
		"The SuperNode of %s is suspended.", c.Ref)
}

type nodeResumeCmd struct {
	refArg
}

// Run lets a SuperNode continue.
func (c *nodeResumeCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPost, client.Path("/requests/%s/resume", c.Ref), nil, "The SuperNode of %s continues.", c.Ref)
}
