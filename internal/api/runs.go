package api

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"strconv"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs"

	"github.com/danielgtaylor/huma/v2"
)

func runView(r domain.Run, slug string, role domain.Role) client.Run {
	out := client.Run{Name: r.Name, Federation: slug, State: string(r.State), App: r.AppID, AppVersion: r.AppVersion, AppHash: r.AppHash,
		Partitions: r.TotalPartitions, Config: domain.JSONConfig(r.Config), Settings: settingsView(r.Settings), NotBefore: when(r.NotBefore),
		Note: r.Note, Tags: append([]string{}, r.Tags...), EngineRunID: client.DecimalID(r.EngineRunID), Round: r.Round, Rounds: r.Rounds,
		CreatedAt:  r.CreatedAt,
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
	Body client.RunLaunch
}

type listRunsInput struct {
	FederationPath
	After string `query:"after" maxLength:"64" doc:"Only runs that are older than this one: the last Run ID of the page before"`
	Limit int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"Ask again with after for more"`
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

func (a *api) launch(ctx context.Context, in *launchInput) (*body[client.Run], error) {
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
	settings := launchSettings(b.Settings, domain.RunSettings{Limits: f.Limits, InstallDependencies: b.InstallDependencies})
	r, err := a.Runs.Launch(ctx, callerOf(ctx).actor, runs.LaunchInput{FederationID: f.ID, AppHash: b.App, Name: b.Name,
		Partitions: b.Partitions, Config: client.ConfigTexts(b.Config),
		Settings: settings, Limits: &settings.Limits, Note: b.Note, Tags: b.Tags, NotBefore: b.NotBefore, Override: b.Override})
	if err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func (a *api) listRuns(ctx context.Context, in *listRunsInput) (*body[[]client.Run], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	filter := domain.RunFilter{FederationID: f.ID, SeenBy: seenBy(ctx, role), Limit: in.Limit}
	if in.After != "" {
		last, _, _, err := a.run(ctx, in.After, domain.RoleParticipant)
		if err != nil {
			return nil, err
		}
		filter.BeforeID = last.ID
	}
	all, err := a.Runs.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	out := []client.Run{}
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

func (a *api) getRun(ctx context.Context, in *RunPath) (*body[client.Run], error) {
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
		out.Waits = &client.Wait{What: wait.What, Since: when(wait.Since), Helps: wait.Helps, Late: wait.Late}
	}
	failures, err := a.Runs.AppFailures(ctx, r)
	for _, v := range failures {
		out.Failures = append(out.Failures, client.AppFailure{NodeID: client.DecimalID(v.NodeID), Times: v.Times, Message: v.Message,
			Remedy: v.Remedy})
	}
	return answer(out), err
}

func (a *api) stopRun(ctx context.Context, in *RunPath) (*body[client.Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if r, err = a.Runs.Stop(ctx, callerOf(ctx).actor, r.ID); err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func (a *api) metrics(ctx context.Context, in *metricsInput) (*body[[]client.Metric], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Metrics(ctx, r, in.After, in.Limit)
	if err != nil {
		return nil, err
	}
	out := []client.Metric{}
	for _, m := range all {
		v := client.Metric{ID: m.ID, Round: m.Round, Phase: string(m.Phase), NodeID: client.DecimalID(m.NodeID), Name: m.Name, At: m.At}
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

func (a *api) log(ctx context.Context, in *logInput) (*body[client.Log], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	lines, total, err := a.Runs.Log(ctx, r, in.From, in.Limit)
	if err != nil {
		return nil, err
	}
	return answer(client.Log{Lines: append([]logfile.Line{}, lines...), Total: total}), nil
}
