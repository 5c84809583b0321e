package api

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs"

	"github.com/danielgtaylor/huma/v2"
)

// Run is one run.
type Run struct {
	Name        string         `json:"name" doc:"The Run ID"`
	Federation  string         `json:"federation"`
	State       string         `json:"state" enum:"queued,starting,running,completed,failed,stopped"`
	Outcome     string         `json:"outcome,omitempty" enum:"contributed,nothing_trained,nobody_asked" doc:"Of a completed run: whether any participant gave a reply without an error"`
	Asked       *int           `json:"asked,omitempty" doc:"Of an ended run: participants' SuperNodes that were asked"`
	Contributed *int           `json:"contributed,omitempty" doc:"Of an ended run: those that gave at least one reply without an error"`
	App         string         `json:"app"`
	AppVersion  string         `json:"app_version"`
	AppHash     string         `json:"app_hash"`
	Partitions  int            `json:"partitions"`
	Config      map[string]any `json:"config" doc:"What differs from the app's defaults; a float that is no JSON number is the text inf, -inf or nan"`
	Settings    RunSettings    `json:"settings"`
	Note        string         `json:"note,omitempty"`
	Tags        []string       `json:"tags"`
	Override    string         `json:"override,omitempty" doc:"Why it was launched although the board said no-go"`
	NotBefore   *time.Time     `json:"not_before,omitempty"`
	EngineRunID DecimalID      `json:"engine_run_id,string"`
	Round       int            `json:"round"`
	Rounds      int            `json:"rounds" doc:"0 while unknown"`
	Cause       *domain.Cause  `json:"cause,omitempty"`
	Waits       *Wait          `json:"waits,omitempty" doc:"Of one run that has not ended: what it waits for"`
	Failures    []AppFailure   `json:"clientapp_failures,omitempty" doc:"Of one run: how ClientApps failed"`
	CreatedBy   string         `json:"created_by,omitempty"`
	CreatedAt   time.Time      `json:"created_at"`
	StartingAt  *time.Time     `json:"starting_at,omitempty"`
	RunningAt   *time.Time     `json:"running_at,omitempty"`
	EndedAt     *time.Time     `json:"ended_at,omitempty"`
}

// Wait is what a run that has not ended waits for.
type Wait struct {
	What  string     `json:"what"`
	Since *time.Time `json:"since,omitempty"`
	Helps string     `json:"helps" doc:"Whether patience helps, and what else does"`
	Late  bool       `json:"late" doc:"It will not come right by itself, or takes longer than it should"`
}

// AppFailure is one way in which a participant's ClientApp failed.
type AppFailure struct {
	NodeID  DecimalID `json:"node_id,string"`
	Times   int       `json:"times"`
	Message string    `json:"message"`
	Remedy  string    `json:"remedy"`
}

func runView(r domain.Run, slug string, role domain.Role) Run {
	out := Run{Name: r.Name, Federation: slug, State: string(r.State), App: r.AppID, AppVersion: r.AppVersion, AppHash: r.AppHash, Partitions: r.TotalPartitions, Config: domain.JSONConfig(r.Config), Settings: settingsView(r.Settings), NotBefore: when(r.NotBefore),
		Note: r.Note, Tags: append([]string{}, r.Tags...), EngineRunID: DecimalID(r.EngineRunID), Round: r.Round, Rounds: r.Rounds, CreatedAt: r.CreatedAt,
		StartingAt: when(r.StartingAt), RunningAt: when(r.RunningAt), EndedAt: when(r.EndedAt)}
	if r.State.Ended() {
		out.Outcome, out.Asked, out.Contributed = string(r.Outcome()), &r.Asked, &r.Contributed
	}
	if r.Cause != (domain.Cause{}) {
		out.Cause = &r.Cause
	}
	if role.AtLeast(domain.RoleViewer) {
		out.CreatedBy, out.Override = r.CreatedBy, r.Override
	} else if out.Cause != nil && r.State == domain.Stopped {
		out.Cause = nil // it names who stopped it
	}
	return out
}

type launchInput struct {
	FederationPath
	Body struct {
		App                 string            `json:"app" doc:"Hash of the app version"`
		Name                string            `json:"name,omitempty" doc:"The Run ID; left out: the next free one"`
		Partitions          int               `json:"partitions,omitempty" doc:"Total; left out: the federation's"`
		Config              map[string]string `json:"config,omitempty" doc:"Values as text; keys left out keep the default"`
		InstallDependencies bool              `json:"install_dependencies,omitempty" doc:"The same as in settings"`
		Settings            *LaunchSettings   `json:"settings,omitempty"`
		Note                string            `json:"note,omitempty"`
		Tags                []string          `json:"tags,omitempty"`
		NotBefore           time.Time         `json:"not_before,omitzero" doc:"Left out: as soon as it can"`
		Override            string            `json:"override,omitempty" doc:"An admin's reason to launch although the board says no-go"`
	}
}

type listRunsInput struct {
	FederationPath
	Limit int `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

// RunPath names a run.
type RunPath struct {
	Name string `path:"run" maxLength:"64" doc:"The Run ID"`
}

type metricsInput struct {
	RunPath
	After int64 `query:"after" doc:"Only metrics with a larger id"`
	Limit int   `query:"limit" minimum:"1" maximum:"10000" default:"10000" doc:"Ask again with the last id for more"`
}

type logInput struct {
	RunPath
	From  int `query:"from" default:"1" doc:"Line number; negative counts from the end"`
	Limit int `query:"limit" minimum:"1" maximum:"5000" default:"1000"`
}

func (a *api) runs() {
	add(a, op("launch-run", http.MethodPost, "/federations/{federation}/runs", "Put a run into the queue", signedIn), a.launch)
	add(a, op("list-runs", http.MethodGet, "/federations/{federation}/runs", "Runs, newest first", signedIn), a.listRuns)
	add(a, op("get-run", http.MethodGet, "/runs/{run}", "One run", signedIn), a.getRun)
	add(a, op("stop-run", http.MethodPost, "/runs/{run}/stop", "Stop a run; a queued one is cancelled", signedIn), a.stopRun)
	add(a, op("clone-run", http.MethodPost, "/runs/{run}/clone", "Launch a run again, with changes or as it was", signedIn), a.cloneRun)
	add(a, op("move-run", http.MethodPost, "/runs/{run}/move", "Give a queued run another place", signedIn), a.moveRun)
	add(a, op("requeue-run", http.MethodPost, "/runs/{run}/requeue", "Take the cancelling of a queued run back", signedIn), a.requeueRun)
	add(a, op("get-run-policy", http.MethodGet, "/federations/{federation}/run-policy", "How many runs at once, their limits, when the SuperLink rests", signedIn), a.getRunPolicy)
	add(a, op("set-run-policy", http.MethodPatch, "/federations/{federation}/run-policy", "Change how a federation runs; what is left out stays", signedIn), a.setRunPolicy)
	add(a, op("list-queue", http.MethodGet, "/federations/{federation}/queue", "The queued runs, the next first", signedIn), a.listQueue)
	add(a, op("run-participants", http.MethodGet, "/runs/{run}/participants", "Who took part in a run, as they were then", signedIn), a.participants)
	add(a, op("run-metrics", http.MethodGet, "/runs/{run}/metrics", "Metrics in the order of their arrival", signedIn), a.metrics)
	export := op("run-metrics-csv", http.MethodGet, "/runs/{run}/metrics.csv", "All metrics as CSV, one a row", signedIn)
	export.Description = "The file is made as it is sent, so the download cannot be resumed: the answer says Accept-Ranges: none and ignores Range. If the connection ends before the last chunk, download it again."
	add(a, export, a.metricsCSV)
	add(a, op("run-round", http.MethodGet, "/runs/{run}/rounds/{round}", "What was asked of whom in a round, and when each part of it was seen", signedIn), a.round)
	add(a, op("run-traffic", http.MethodGet, "/runs/{run}/traffic", "Bytes to and from each SuperNode because of a run", signedIn), a.traffic)
	add(a, op("run-log", http.MethodGet, "/runs/{run}/log", "Lines of the ServerApp's log", signedIn), a.log)
}

func (a *api) launch(ctx context.Context, in *launchInput) (*body[Run], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	b := in.Body
	if b.Name == "" {
		if b.Name, err = a.Runs.SuggestName(ctx, f.ID, b.App); domain.CodeOf(err) == domain.NotFound {
			b.Name = "run" // the app's own error is told below
		} else if err != nil {
			return nil, err
		}
	}
	settings := b.Settings.over(domain.RunSettings{Limits: f.Limits, InstallDependencies: b.InstallDependencies})
	r, err := a.Runs.Launch(ctx, callerOf(ctx).actor, runs.LaunchInput{FederationID: f.ID, AppHash: b.App, Name: b.Name, Partitions: b.Partitions, Config: b.Config,
		Settings: settings, Limits: &settings.Limits, Note: b.Note, Tags: b.Tags, NotBefore: b.NotBefore, Override: b.Override})
	if err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func (a *api) listRuns(ctx context.Context, in *listRunsInput) (*body[[]Run], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.List(ctx, domain.RunFilter{FederationID: f.ID, SeenBy: seenBy(ctx, role), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := []Run{}
	for _, r := range all {
		out = append(out, runView(r, f.Slug, role))
	}
	return answer(out), nil
}

// run returns a run in whose federation the caller has at least a role.
func (a *api) run(ctx context.Context, name string, least domain.Role) (domain.Run, domain.Federation, domain.Role, error) {
	missing := domain.Errorf(domain.NotFound, "There is no such run.")
	r, err := a.Runs.ByName(ctx, name)
	if err != nil {
		return r, domain.Federation{}, "", missing.Because(err)
	}
	f, err := a.Onboarding.Federation(ctx, r.FederationID)
	if err != nil {
		return r, f, "", err
	}
	role, err := a.Accounts.Role(ctx, callerOf(ctx).person, f.ID)
	switch {
	case err != nil:
		return r, f, role, err
	case role == domain.RoleNone:
		return r, f, role, missing
	case !role.AtLeast(least):
		return r, f, role, domain.Errorf(domain.Forbidden, "This needs the role of a %s.", least).Fix("Ask a manager of %s.", f.Name)
	}
	if person := seenBy(ctx, role); person != 0 {
		if sees, err := a.Runs.Sees(ctx, r, person); err != nil || !sees {
			return domain.Run{}, f, role, cmp.Or(err, error(missing))
		}
	}
	return r, f, role, nil
}

// seenBy is the participant whose runs alone a caller with a role may see; 0 for those who see every run.
func seenBy(ctx context.Context, role domain.Role) int64 {
	if role.AtLeast(domain.RoleViewer) {
		return 0
	}
	return callerOf(ctx).person.ID
}

func (a *api) getRun(ctx context.Context, in *RunPath) (*body[Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	out := runView(r, f.Slug, role)
	wait, err := a.Runs.WaitFor(ctx, r, seenBy(ctx, role))
	if err != nil {
		return nil, err
	}
	if wait.What != "" {
		out.Waits = &Wait{What: wait.What, Since: when(wait.Since), Helps: wait.Helps, Late: wait.Late}
	}
	failures, err := a.Runs.AppFailures(ctx, r)
	for _, v := range failures {
		out.Failures = append(out.Failures, AppFailure{NodeID: DecimalID(v.NodeID), Times: v.Times, Message: v.Message, Remedy: v.Remedy})
	}
	return answer(out), err
}

func (a *api) stopRun(ctx context.Context, in *RunPath) (*body[Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if r, err = a.Runs.Stop(ctx, callerOf(ctx).actor, r.ID); err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

// Metric is one number of one round. JSON has no NaN and no infinities: Text says those, and Value is then left out.
type Metric struct {
	ID     int64     `json:"id"`
	Round  int       `json:"round"`
	Phase  string    `json:"phase" enum:"train,evaluate,server,other"`
	NodeID DecimalID `json:"node_id,string" doc:"0: the whole federation"`
	Name   string    `json:"name" doc:"The metric's key; record.key where several records have it; key[3] for an element of a list"`
	Value  *float64  `json:"value,omitempty"`
	Text   string    `json:"text,omitempty" doc:"NaN, +Inf or -Inf"`
	At     time.Time `json:"at"`
}

func (a *api) metrics(ctx context.Context, in *metricsInput) (*body[[]Metric], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Metrics(ctx, r, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	out := []Metric{}
	for _, m := range all {
		v := Metric{ID: m.ID, Round: m.Round, Phase: string(m.Phase), NodeID: DecimalID(m.NodeID), Name: m.Name, At: m.At}
		if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
			v.Text = strconv.FormatFloat(m.Value, 'g', -1, 64)
		} else {
			v.Value = &m.Value
		}
		out = append(out, v)
	}
	return answer(out), nil
}

func (a *api) metricsCSV(ctx context.Context, in *RunPath) (*huma.StreamResponse, error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	labels, err := a.Runs.NodeLabels(ctx, r)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		out.SetHeader("Content-Type", "text/csv; charset=utf-8")
		out.SetHeader("Accept-Ranges", "none")
		out.SetHeader("Content-Disposition", `attachment; filename="metrics-`+r.Name+`.csv"`)
		if err := a.Runs.WriteCSV(ctx, r, labels, out.BodyWriter()); err != nil {
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}}, nil
}

// Log is a part of a log.
type Log struct {
	Lines []logfile.Line `json:"lines"`
	Total int            `json:"total" doc:"Complete lines so far"`
}

func (a *api) log(ctx context.Context, in *logInput) (*body[Log], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	lines, total, err := a.Runs.Log(ctx, r, in.From, in.Limit)
	if err != nil {
		return nil, err
	}
	return answer(Log{Lines: append([]logfile.Line{}, lines...), Total: total}), nil
}
