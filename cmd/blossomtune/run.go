//go:build !participant

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type runCmd struct {
	Start        runStartCmd        `cmd:"" op:"launch-run" help:"Launch a run. Exit code with --watch: 0 completed, 11 not."`
	List         runListCmd         `cmd:"" op:"list-runs" help:"List a federation's newest runs."`
	Find         runFindCmd         `cmd:"" op:"find-runs" help:"List runs with their config and metrics, filtered and sorted."`
	Queue        runQueueCmd        `cmd:"" op:"list-queue" help:"List the queued runs, the next one first."`
	Show         runShowCmd         `cmd:"" op:"get-run" help:"Show one run."`
	Watch        runWatchCmd        `cmd:"" op:"get-run,run-metrics" help:"Follow a run to its end. Exit codes: 0 completed, 11 not."`
	Logs         runLogsCmd         `cmd:"" op:"run-log" help:"Print the ServerApp's log."`
	Compare      runCompareCmd      `cmd:"" op:"get-run,run-metrics" help:"Compare two runs: their config and last metrics."`
	Metrics      runMetricsCmd      `cmd:"" op:"run-metrics,run-metrics-csv" help:"Print metrics."`
	Participants runParticipantsCmd `cmd:"" op:"run-participants" help:"List who took part in a run."`
	Round        runRoundCmd        `cmd:"" op:"run-round" help:"Show what each SuperNode was asked in a round, and when."`
	Traffic      runTrafficCmd      `cmd:"" op:"run-traffic" help:"Show the bytes to and from each SuperNode."`
	Artifacts    runArtifactsCmd    `cmd:"" op:"list-artifacts" help:"List the files that a run wrote."`
	Pull         runPullCmd         `cmd:"" op:"list-artifacts,download-artifact" help:"Download the files that a run wrote."`
	Receipt      runReceiptCmd      `cmd:"" op:"run-receipt" help:"Download a run's signed receipt, for blossomtune verify."`
	Describe     runDescribeCmd     `cmd:"" op:"describe-run" help:"Change a run's note and tags."`
	Stop         runStopCmd         `cmd:"" op:"stop-run" help:"Stop a run; a queued one is cancelled."`
	Again        runAgainCmd        `cmd:"" op:"clone-run" help:"Launch a run again, as it was or with changes."`
	Move         runMoveCmd         `cmd:"" op:"move-run" help:"Give a queued run another place."`
	Requeue      runRequeueCmd      `cmd:"" op:"requeue-run" help:"Queue a cancelled run again."`
	Delete       runDeleteCmd       `cmd:"" op:"delete-runs" help:"Delete ended runs, by name or by rule. They can be restored for 7 days."`
	Deleted      runDeletedCmd      `cmd:"" op:"list-deleted-runs" help:"List the deleted runs that can be restored."`
	Restore      runRestoreCmd      `cmd:"" op:"restore-runs" help:"Restore deleted runs."`
	Share        runShareCmd        `cmd:"" op:"share-run" help:"Create a read-only link to a run. It is shown only here."`
	Shares       runSharesCmd       `cmd:"" op:"list-shares" help:"List the links to a run."`
	Unshare      runUnshareCmd      `cmd:"" op:"revoke-share" help:"Revoke a link to a run."`
}

// runArg names a run.
type runArg struct {
	RunID string `arg:"" name:"run" help:"The Run ID."`
	remoteFlags
}

func (c runArg) path(format string, args ...any) string {
	return client.Path("/runs/%s", c.RunID) + client.Path(format, args...)
}

func roundsWords(r client.Run) string {
	if r.Rounds == 0 {
		return strconv.Itoa(r.Round)
	}
	return fmt.Sprintf("%d/%d", r.Round, r.Rounds)
}

func listRuns(w io.Writer, all []client.Run) {
	var rows [][]any
	for _, r := range all {
		rows = append(rows, []any{r.Name, r.State, r.App + " " + r.AppVersion, roundsWords(r), strings.Join(r.Tags, ","), r.CreatedAt, r.EndedAt})
	}
	table(w, "RUN STATE APP ROUNDS TAGS CREATED ENDED", rows)
}

func showRun(w io.Writer, r client.Run) {
	state := r.State
	if o := domain.Outcome(r.Outcome).Words(); o != "" {
		state += ", " + o
	}
	facts(w, "run", r.Name, "federation", r.Federation, "state", state, "app", r.App+" "+r.AppVersion, "version", r.AppHash, "rounds",
		roundsWords(r),
		"asked", r.Asked, "contributed", r.Contributed, "note", r.Note, "tags", strings.Join(r.Tags, ", "), "launched by", r.CreatedBy,
		"created", r.CreatedAt, "started", r.StartingAt, "running since", r.RunningAt, "ended", r.EndedAt, "config", configWords(r.Config))
	if r.Cause != nil {
		facts(w, "cause", r.Cause.Message, "remedy", r.Cause.Remedy)
	}
	if r.Waits != nil {
		facts(w, "waits for", r.Waits.What, "what helps", r.Waits.Helps)
	}
	for _, f := range r.Failures {
		facts(w, fmt.Sprintf("SuperNode %d failed %d times", f.NodeID, f.Times), f.Message+" "+f.Remedy)
	}
}

type runStartCmd struct {
	fedArg
	App        string            `arg:"" help:"Hash of the app version, or publisher/name for its newest version."`
	Name       string            `help:"The Run ID. Default: the next free one."`
	Config     map[string]string `help:"A run config value. Repeat it for several." short:"c" placeholder:"KEY=VALUE" mapsep:"none"`
	Partitions int               `help:"Total of partitions. Default: the federation's."`
	Install    bool              `help:"Install the packages that the app names." name:"install-dependencies"`
	Index      string            `help:"Package index for them (https)." placeholder:"URL"`
	Env        map[string]string `help:"A variable of the ServerApp. Repeat it for several. The value is shown nowhere again." placeholder:"NAME=VALUE" mapsep:"none"`
	CPUs       int               `help:"Cores that the ServerApp may use; 0: all." name:"cpus"`
	MemoryMB   int               `help:"Memory that its processes may use together; 0: no limit." name:"memory-mb"`
	LogLevel   string            `help:"Least level of its log." enum:",DEBUG,INFO,WARNING,ERROR" default:"" placeholder:"LEVEL"`
	Note       string            `help:"A note."`
	Tag        []string          `help:"A tag. Repeat it for several."`
	NotBefore  time.Time         `help:"Start at this time at the earliest." placeholder:"2026-01-02T15:04:05Z"`
	Override   string            `help:"An admin's reason to launch although the checks advise against it."`
	Watch      bool              `help:"Follow the run to its end."`
}

// Run launches a run.
func (c *runStartCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	hash, err := r.appHash(ctx, c.App)
	if err != nil {
		return err
	}
	in := client.RunLaunch{App: hash, Name: c.Name, Partitions: c.Partitions, Config: configValues(c.Config), InstallDependencies: c.Install,
		Note: c.Note, Tags: c.Tag, NotBefore: c.NotBefore, Override: c.Override}
	if c.Index != "" || len(c.Env) > 0 || c.CPUs != 0 || c.MemoryMB != 0 || c.LogLevel != "" {
		in.Settings = &client.LaunchSettings{InstallDependencies: &c.Install, PackageIndex: c.Index, Environment: c.Env, CPUs: c.CPUs,
			MemoryMB: c.MemoryMB, LogLevel: c.LogLevel}
	}
	var run client.Run
	if err := r.create(ctx, c.path("/runs"), in, &run); err != nil {
		return err
	}
	if c.Watch {
		return r.watch(ctx, run.Name)
	}
	return r.show(run, func(w io.Writer) { fmt.Fprintf(w, "Run %s is %s.\n", plain(run.Name), plain(run.State)) })
}

// appHash returns the hash of an app version: the given one, or that of the newest version of an app.
func (r *remote) appHash(ctx context.Context, app string) (string, error) {
	if !strings.Contains(app, "/") {
		return app, nil
	}
	var all []client.App // newest first
	if err := r.do(ctx, http.MethodGet, "/apps", nil, &all); err != nil {
		return "", err
	}
	for _, v := range all {
		if v.ID == app {
			return v.Hash, nil
		}
	}
	return "", domain.Errorf(domain.NotFound, "The app %s was not found.", app).Fix("List the apps with blossomtune app list.")
}

type runListCmd struct {
	fedArg
	Limit int `help:"How many at most." default:"50"`
}

// Run lists runs.
func (c *runListCmd) Run(ctx context.Context, t *terminal) error {
	return pages(ctx, t, c.remoteFlags, c.path("/runs"), url.Values{}, c.Limit, 500,
		func(r client.Run) (string, string) { return "after", r.Name }, listRuns)
}

type runFindCmd struct {
	fedArg
	State     []string `help:"Only these states." enum:"queued,starting,running,completed,failed,stopped"`
	Search    string   `help:"Part of the Run ID, app, note or a tag."`
	Tag       string   `help:"Only runs with this tag."`
	Sort      string   `help:"began, name, rounds, took, or a column." default:"began"`
	Ascending bool     `help:"Sort in ascending order."`
	Column    []string `help:"A column: config.KEY, or PHASE.METRIC.last, .min or .max. Repeat it for several." name:"col" sep:"none"`
	Limit     int      `help:"How many at most." default:"200"`
}

// Run finds runs.
func (c *runFindCmd) Run(ctx context.Context, t *terminal) error {
	r, err := c.open(ctx, t)
	if err != nil {
		return err
	}
	q := url.Values{"state": c.State, "q": {c.Search}, "tag": {c.Tag}, "sort": {c.Sort}, "col": {strings.Join(c.Column, ",")}}
	if c.Ascending {
		q.Set("ascending", "true")
	}
	all := client.RunTable{Runs: []client.RunTableRow{}}
	for len(all.Runs) < c.Limit {
		q.Set("limit", strconv.Itoa(min(500, c.Limit-len(all.Runs))))
		var part client.RunTable
		if err := r.do(ctx, http.MethodGet, c.path("/run-table")+"?"+given0(q).Encode(), nil, &part); err != nil {
			return err
		}
		all.Runs, all.Total, all.Next = append(all.Runs, part.Runs...), part.Total, part.Next
		if part.Next == "" {
			break
		}
		q.Set("after", part.Next)
	}
	return r.show(all, func(w io.Writer) {
		head, rows := "RUN STATE ROUNDS", [][]any{}
		for _, col := range c.Column {
			head += " " + strings.ToUpper(strings.ReplaceAll(col, " ", "_"))
		}
		for _, v := range all.Runs {
			row := []any{v.Name, v.State, roundsWords(v.Run)}
			for _, col := range c.Column {
				row = append(row, v.Values[col].Text)
			}
			rows = append(rows, row)
		}
		table(w, head, rows)
	})
}

type runQueueCmd struct{ fedArg }

// Run lists the queue.
func (c *runQueueCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path("/queue"), nil, listRuns)
}

type runShowCmd struct{ runArg }

// Run shows a run.
func (c *runShowCmd) Run(ctx context.Context, t *terminal) error {
	return call(ctx, t, c.remoteFlags, http.MethodGet, c.path(""), nil, showRun)
}
