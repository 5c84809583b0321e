//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"blossomtune/internal/client"
)

type runCompareCmd struct {
	A string `arg:"" help:"A Run ID."`
	B string `arg:"" help:"Another one."`
	remoteFlags
}

// comparedValue is a value of both runs; nil where a run has none.
type comparedValue struct {
	Name string `json:"name"`
	A    any    `json:"a"`
	B    any    `json:"b"`
}

// comparison is what differs between two runs, and the last value of each metric of the whole federation.
type comparison struct {
	A       client.Run      `json:"a"`
	B       client.Run      `json:"b"`
	Differs []comparedValue `json:"differs"`
	Metrics []comparedValue `json:"metrics"`
}

// Run compares two runs.
func (c *runCompareCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	var out comparison
	var lastA, lastB map[string]any
	if out.A, lastA, err = r.outcome(ctx, c.A); err != nil {
		return err
	}
	if out.B, lastB, err = r.outcome(ctx, c.B); err != nil {
		return err
	}
	for _, v := range bothOf(factsOf(out.A), factsOf(out.B)) {
		if fmt.Sprint(v.A) != fmt.Sprint(v.B) {
			out.Differs = append(out.Differs, v)
		}
	}
	out.Metrics = bothOf(lastA, lastB)
	return r.show(out, func(w io.Writer) {
		var rows [][]any
		for _, v := range append(out.Differs, out.Metrics...) {
			rows = append(rows, []any{v.Name, v.A, v.B})
		}
		table(w, "- "+plain(out.A.Name)+" "+plain(out.B.Name), rows)
	})
}

// outcome returns a run with the last value of each metric of the whole federation.
func (r *remote) outcome(ctx context.Context, name string) (run client.Run, last map[string]any, err error) {
	if err := r.do(ctx, http.MethodGet, client.Path("/runs/%s", name), nil, &run); err != nil {
		return run, nil, err
	}
	all, err := r.metrics(ctx, name, 0)
	last = map[string]any{}
	for _, m := range all {
		if m.NodeID == 0 {
			last[m.Phase+"."+m.Name] = metricText(m)
		}
	}
	return run, last, err
}

func factsOf(r client.Run) map[string]any {
	out := map[string]any{"state": r.State, "app": r.App + " " + r.AppVersion, "version": r.AppHash, "partitions": r.Partitions,
		"rounds": roundsWords(r)}
	if r.Contributed != nil {
		out["contributed"] = *r.Contributed
	}
	if r.EndedAt != nil && r.StartingAt != nil {
		out["seconds"] = int(r.EndedAt.Sub(*r.StartingAt).Seconds())
	}
	for k, v := range r.Config {
		out["config."+k] = v
	}
	return out
}

func bothOf(a, b map[string]any) (out []comparedValue) {
	names := map[string]bool{}
	for k := range a {
		names[k] = true
	}
	for k := range b {
		names[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(names)) {
		out = append(out, comparedValue{k, a[k], b[k]})
	}
	return out
}
