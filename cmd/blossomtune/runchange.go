//go:build !participant

package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"blossomtune/internal/client"
)

type runDescribeCmd struct {
	runArg
	Note *string  `help:"The note; empty removes it."`
	Tag  []string `help:"The tags, in place of those that the run has. Repeat it for several."`
}

// Run changes a run's note and tags.
func (c *runDescribeCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPatch, c.path(""), client.RunDescription{Note: c.Note, Tags: c.Tag}, showRun)
}

type runStopCmd struct{ runArg }

// Run stops a run.
func (c *runStopCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/stop"), nil, showRun)
}

type runAgainCmd struct {
	runArg
	Name      string            `help:"The Run ID. Default: the next free one."`
	Config    map[string]string `help:"A run config value that differs. Repeat it for several." short:"c" placeholder:"KEY=VALUE" mapsep:"none"`
	Note      *string           `help:"A note."`
	Tag       []string          `help:"A tag. Repeat it for several."`
	NotBefore time.Time         `help:"Start at this time at the earliest." placeholder:"2026-01-02T15:04:05Z"`
	Override  string            `help:"An admin's reason to launch although the checks advise against it."`
	Watch     bool              `help:"Follow the run to its end."`
}

// Run launches a run again.
func (c *runAgainCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	in := client.RunClone{Name: c.Name, Config: configValues(c.Config), Note: c.Note, Tags: c.Tag, NotBefore: c.NotBefore,
		Override: c.Override}
	var run client.Run
	if err := r.create(ctx, c.path("/clone"), in, &run); err != nil {
		return err
	}
	if c.Watch {
		return r.watch(ctx, run.Name)
	}
	return r.show(run, func(w io.Writer) { showRun(w, run) })
}

type runMoveCmd struct {
	runArg
	Place int `arg:"" help:"Its new place; 1 is the next."`
}

// Run moves a queued run.
func (c *runMoveCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/move"), client.RunMove{Place: c.Place}, showRun)
}

type runRequeueCmd struct{ runArg }

// Run queues a cancelled run again.
func (c *runRequeueCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/requeue"), nil, showRun)
}

func listShares(w io.Writer, all []client.Share) {
	var rows [][]any
	for _, s := range all {
		rows = append(rows, []any{s.ID, s.Log, s.CreatedBy, s.ExpiresAt, s.RevokedAt})
	}
	table(w, "ID LOG BY EXPIRES REVOKED", rows)
}

type runShareCmd struct {
	runArg
	Days int  `help:"How long the link works." default:"30"`
	Log  bool `help:"The log and the cause of a failure can be read too."`
}

// Run creates a link to a run.
func (c *runShareCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/shares"), client.NewShare{Days: c.Days, Log: c.Log},
		func(w io.Writer, s client.Share) {
			facts(w, "link", s.URL, "id", s.ID, "expires", s.ExpiresAt)
		})
}

type runSharesCmd struct{ runArg }

// Run lists the links to a run.
func (c *runSharesCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/shares"), nil, listShares)
}

type runUnshareCmd struct {
	runArg
	ID int64 `arg:"" help:"The link's id, as in run shares."`
}

// Run revokes a link.
func (c *runUnshareCmd) Run(ctx context.Context, t *terminal) error {
	return act(ctx, t, c.remoteFlags, http.MethodPost, c.path("/shares/%d/revoke", c.ID), nil, "The link is revoked.")
}

type runDeleteCmd struct {
	fedArg
	Runs          []string `arg:"" optional:"" name:"run" help:"Run IDs. Leave them out to delete by rule."`
	OlderThanDays int      `help:"By rule: runs that ended at least so many days ago."`
	State         []string `help:"By rule: only these states." enum:"completed,failed,stopped"`
	Tag           string   `help:"By rule: only runs with this tag."`
	DryRun        bool     `help:"Show what would be deleted, and delete nothing."`
}

func listDeletedRuns(w io.Writer, all []client.DeletedRun) {
	var rows [][]any
	for _, r := range all {
		rows = append(rows, []any{r.Name, r.State, r.App + " " + r.AppVersion, r.EndedAt, r.DeletedBy, r.RestorableUntil})
	}
	table(w, "RUN STATE APP ENDED DELETED_BY RESTORABLE_UNTIL", rows)
}

// Run deletes ended runs.
func (c *runDeleteCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/runs/delete"), client.RunDeletion{Runs: c.Runs, States: c.State, Tag: c.Tag,
		OlderThanDays: c.OlderThanDays, DryRun: c.DryRun}, listDeletedRuns)
}

type runDeletedCmd struct{ fedArg }

// Run lists the deleted runs that can be restored.
func (c *runDeletedCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/runs/deleted"), nil, listDeletedRuns)
}

type runRestoreCmd struct {
	fedArg
	Runs []string `arg:"" name:"run" help:"Run IDs."`
}

// Run restores deleted runs.
func (c *runRestoreCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodPost, c.path("/runs/restore"), client.RunNames{Runs: c.Runs}, listRuns)
}
