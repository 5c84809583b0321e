//go:build !participant

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// line prints a value as one line of JSON.
func (r *remote) line(v any) error { return json.NewEncoder(r.Out).Encode(v) }

type runMetricsCmd struct {
	runArg
	CSV   bool  `help:"Print all of them as CSV." name:"csv"`
	After int64 `help:"Only metrics with a larger id."`
}

// Run prints metrics.
func (c *runMetricsCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	if c.CSV {
		res, err := r.Open(ctx, c.path("/metrics.csv"), 0)
		if err != nil {
			return r.reached(err)
		}
		defer res.Body.Close()
		_, err = io.Copy(r.Out, res.Body)
		return err
	}
	all, err := r.metrics(ctx, c.RunID, c.After)
	if err != nil {
		return err
	}
	return r.show(all, func(w io.Writer) {
		var rows [][]any
		for _, m := range all {
			rows = append(rows, []any{m.ID, m.Round, m.Phase, uint64(m.NodeID), m.Name, metricText(m)})
		}
		table(w, "ID ROUND PHASE NODE NAME VALUE", rows)
	})
}

func (r *remote) metrics(ctx context.Context, run string, after int64) ([]client.Metric, error) {
	all := []client.Metric{}
	for {
		var part []client.Metric
		if err := r.do(ctx, http.MethodGet, client.Path("/runs/%s/metrics?after=%d", run, after), nil, &part); err != nil {
			return all, err
		}
		all = append(all, part...)
		if len(part) < 10_000 {
			return all, nil
		}
		after = part[len(part)-1].ID
	}
}

type runParticipantsCmd struct{ runArg }

// Run lists participants.
func (c *runParticipantsCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/participants"), nil, func(w io.Writer, p client.RunParticipants) {
		var rows [][]any
		for _, v := range p.Participants {
			rows = append(rows, []any{v.Partition, uint64(v.NodeID), v.Name, v.Organisation, v.AskedAt, v.ContributedAt, v.FailedAt})
		}
		table(w, "PARTITION NODE NAME ORGANISATION ASKED CONTRIBUTED FAILED", rows)
	})
}

type runRoundCmd struct {
	runArg
	Round int `arg:"" help:"The round."`
}

// Run shows a round.
func (c *runRoundCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/rounds/%d", c.Round), nil, func(w io.Writer, all []client.Exchange) {
		var rows [][]any
		for _, e := range all {
			rows = append(rows, []any{uint64(e.NodeID), e.Phase, e.Asked, e.Got, e.Put, e.Replied, e.Failed})
		}
		table(w, "NODE PHASE ASKED RECEIVED ANSWERED REPLIED FAILED", rows)
	})
}

type runTrafficCmd struct{ runArg }

// Run shows traffic.
func (c *runTrafficCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/traffic"), nil, func(w io.Writer, all []client.Traffic) {
		var rows [][]any
		for _, v := range all {
			rows = append(rows, []any{uint64(v.NodeID), size(v.Up), size(v.Down)})
		}
		table(w, "NODE UP DOWN", rows)
	})
}

type runArtifactsCmd struct{ runArg }

// Run lists artifacts.
func (c *runArtifactsCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/artifacts"), nil, func(w io.Writer, all []client.Artifact) {
		var rows [][]any
		for _, a := range all {
			rows = append(rows, []any{a.Path, size(a.Size), a.ChangedAt, a.Problem})
		}
		table(w, "PATH SIZE CHANGED PROBLEM", rows)
	})
}

type runPullCmd struct {
	runArg
	Paths []string `arg:"" optional:"" help:"Only these files, as in run artifacts."`
	To    string   `help:"Folder to write them to. Default: the Run ID." type:"path"`
}

// Run downloads artifacts. A download that broke off is continued.
func (c *runPullCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	var files []client.Artifact
	if err := r.do(ctx, http.MethodGet, c.path("/artifacts"), nil, &files); err != nil {
		return err
	}
	to := c.To
	if to == "" {
		to = filepath.Base(c.RunID)
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(to) // a file's name cannot lead out of it
	if err != nil {
		return err
	}
	defer root.Close()
	got := []string{}
	for _, f := range files {
		if len(c.Paths) > 0 && !slices.Contains(c.Paths, f.Path) {
			continue
		}
		if f.Problem != "" {
			fmt.Fprintf(r.Err, "%s: not downloaded: %s\n", plain(f.Path), plain(f.Problem))
			continue
		}
		if err := r.pull(ctx, c.path("/artifacts/file?path=")+url.QueryEscape(f.Path), root, f.Path); err != nil {
			return err
		}
		got = append(got, f.Path)
	}
	if len(got) == 0 {
		return domain.Errorf(domain.NotFound, "The run has no such files.").Fix("List them with blossomtune run artifacts %s.", c.RunID)
	}
	return r.done(got, "%d files are in %s.", len(got), to)
}

// pull downloads one file into a folder. The file appears when it is whole.
func (r *remote) pull(ctx context.Context, from string, root *os.Root, name string) error {
	if dir := filepath.Dir(filepath.FromSlash(name)); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	name = filepath.FromSlash(name)
	part := name + ".part"
	f, err := root.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = r.download(ctx, from, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return root.Rename(part, name)
}

// download writes a file, and continues once where the connection broke.
func (r *remote) download(ctx context.Context, from string, to io.Writer) error {
	var have int64
	for try := 0; ; try++ {
		res, err := r.Open(ctx, from, have)
		if err != nil {
			return r.reached(err)
		}
		if have > 0 && res.StatusCode != http.StatusPartialContent {
			_ = res.Body.Close()
			return domain.Errorf(domain.Unavailable, "The download broke off and cannot be continued.").Fix("Run the command again.")
		}
		n, err := io.Copy(to, res.Body)
		_ = res.Body.Close()
		if have += n; err == nil || try == 3 {
			return err
		}
	}
}

type runReceiptCmd struct {
	runArg
	To string `help:"File to write it to. Default: standard output." type:"path"`
}

// Run downloads a receipt.
func (c *runReceiptCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	var text strings.Builder
	if err := r.download(ctx, c.path("/receipt"), &text); err != nil {
		return err
	}
	if c.To == "" {
		_, err = fmt.Fprint(r.Out, text.String())
		return err
	}
	return os.WriteFile(c.To, []byte(text.String()), 0o644)
}
