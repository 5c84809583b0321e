//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

// watchEvery is how often a run or log that is followed is read.
const watchEvery = time.Second

func configValues(in map[string]string) map[string]client.ConfigValue {
	if len(in) == 0 {
		return nil
	}
	out := map[string]client.ConfigValue{}
	for k, v := range in {
		out[k] = client.ConfigValue(v)
	}
	return out
}

func configWords(config map[string]any) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(config)) {
		out = append(out, fmt.Sprintf("%s=%v", k, config[k]))
	}
	return strings.Join(out, " ")
}

// wait waits for a tick, or returns false when the context ends.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

type runWatchCmd struct{ runArg }

// Run follows a run to its end.
func (c *runWatchCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	return r.watch(ctx, c.RunID)
}

// watch prints a run's states and metrics of the whole federation as they come, until it has ended. With JSON it prints the ended run.
func (r *remote) watch(ctx context.Context, name string) error {
	var after int64
	said := ""
	for {
		var run client.Run
		if err := r.do(ctx, http.MethodGet, client.Path("/runs/%s", name), nil, &run); err != nil {
			return err
		}
		lines, err := r.news(ctx, run, &after) // read after the state: at the end nothing more comes
		if err != nil {
			return err
		}
		now := run.State
		if run.Waits != nil && run.Waits.What != "" {
			now += ": " + run.Waits.What
		}
		if !r.asJSON {
			if now != said {
				fmt.Fprintf(r.Out, "%s %s\n", plain(name), plain(now))
			}
			for _, line := range lines {
				fmt.Fprintln(r.Out, plain(line))
			}
		}
		said = now
		if domain.RunState(run.State).Ended() {
			return r.ended(run)
		}
		if !wait(ctx, watchEvery) {
			return ctx.Err()
		}
	}
}

// ended prints an ended run; one that did not complete has an exit code of its own.
func (r *remote) ended(run client.Run) error {
	if err := r.show(run, func(w io.Writer) { showRun(w, run) }); err != nil {
		return err
	}
	if run.State != string(domain.Completed) {
		return withExit{errQuiet, exitRun}
	}
	return nil
}

// news returns a line for each metric of the whole federation that came since the last call.
func (r *remote) news(ctx context.Context, run client.Run, after *int64) (lines []string, err error) {
	for {
		var part []client.Metric
		if err := r.do(ctx, http.MethodGet, client.Path("/runs/%s/metrics?after=%d", run.Name, *after), nil, &part); err != nil {
			return lines, err
		}
		for _, m := range part {
			*after = m.ID
			if m.NodeID == 0 {
				lines = append(lines, fmt.Sprintf("round %d  %s %s = %s", m.Round, m.Phase, m.Name, metricText(m)))
			}
		}
		if len(part) < 10_000 {
			return lines, nil
		}
	}
}

func metricText(m client.Metric) string {
	if m.Value == nil {
		return m.Text
	}
	return strconv.FormatFloat(*m.Value, 'g', 6, 64)
}

type runLogsCmd struct {
	runArg
	Follow bool `help:"Print new lines until the run ends." short:"f"`
	Tail   int  `help:"Begin with the last lines; 0: all of the log." default:"0"`
}

// Run prints a log.
func (c *runLogsCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	from := 1
	if c.Tail > 0 {
		from = -c.Tail
	}
	for {
		var run client.Run // read before the log: lines that come before its end are printed
		if c.Follow {
			if err := r.do(ctx, http.MethodGet, c.path(""), nil, &run); err != nil {
				return err
			}
		}
		if from, err = r.log(ctx, c.path("/log"), from); err != nil {
			return err
		}
		if !c.Follow || domain.RunState(run.State).Ended() {
			return nil
		}
		if !wait(ctx, watchEvery) {
			return ctx.Err()
		}
	}
}

// log prints what a log has from a line on, and returns the line to continue with.
func (r *remote) log(ctx context.Context, path string, from int) (int, error) {
	for {
		var part client.Log
		if err := r.do(ctx, http.MethodGet, path+fmt.Sprintf("?from=%d&limit=5000", from), nil, &part); err != nil {
			return from, err
		}
		for _, line := range part.Lines {
			if r.asJSON {
				if err := r.line(line); err != nil {
					return from, err
				}
			} else if _, err := fmt.Fprintln(r.Out, plain(line.Text)); err != nil {
				return from, err
			}
			from = line.N + 1
		}
		if len(part.Lines) == 0 || from > part.Total {
			return from, nil
		}
	}
}
