package api

import (
	"context"
	"math"
	"net/http"
	"reflect"
	"strconv"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/download"

	"github.com/danielgtaylor/huma/v2"
)

type runTableInput struct {
	FederationPath
	State     []string `query:"state" enum:"queued,starting,running,completed,failed,stopped"`
	Search    string   `query:"q" maxLength:"100" doc:"Part of the Run ID, app, note or a tag"`
	Tag       string   `query:"tag" maxLength:"40"`
	Order     string   `query:"sort" maxLength:"300" doc:"began, name, rounds, took, or a column"`
	Ascending bool     `query:"ascending"`
	Columns   []string `query:"col" maxItems:"50" doc:"config.KEY, or PHASE.METRIC.last, .min or .max"`
	Limit     int      `query:"limit" minimum:"1" maximum:"500" default:"50"`
	After     string   `query:"after" maxLength:"2000" doc:"The cursor that the page before gave"`
}

type describeRunInput struct {
	RunPath
	Body client.RunDescription
}

type shareRunInput struct {
	RunPath
	Body client.NewShare
}

type shareInput struct {
	RunPath
	ID int64 `path:"id"`
}

func (a *api) runTable() {
	add(a, op("find-runs", http.MethodGet, "/federations/{federation}/run-table", "Runs with their config and metrics, filtered and sorted", signedIn), a.findRuns)
	signed := op("run-receipt", http.MethodGet, "/runs/{run}/receipt", "The signed receipt of a run: a DSSE envelope around an in-toto statement", signedIn)
	signed.Responses = fileResponses("The receipt", "application/json",
		a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[client.Receipt](), true, "Receipt"))
	add(a, signed, a.receipt)
	add(a, op("describe-run", http.MethodPatch, "/runs/{run}", "Change a run's note and tags", signedIn), a.describeRun)
	add(a, holdsSecret(op("share-run", http.MethodPost, "/runs/{run}/shares", "Make a read-only link to a run", signedIn)), a.shareRun)
	add(a, op("list-shares", http.MethodGet, "/runs/{run}/shares", "The links to a run", signedIn), a.listShares)
	add(a, op("delete-runs", http.MethodPost, "/federations/{federation}/runs/delete", "Delete ended runs; they can be restored for 7 days", signedIn), a.deleteRuns)
	add(a, op("list-deleted-runs", http.MethodGet, "/federations/{federation}/runs/deleted", "Deleted runs that can be restored", signedIn), a.listDeletedRuns)
	add(a, op("restore-runs", http.MethodPost, "/federations/{federation}/runs/restore", "Restore deleted runs", signedIn), a.restoreRuns)
	add(a, op("revoke-share", http.MethodPost, "/runs/{run}/shares/{id}/revoke", "End a link to a run", signedIn), a.revokeShare)
}

func (a *api) findRuns(ctx context.Context, in *runTableInput) (*body[client.RunTable], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	q := domain.RunQuery{FederationID: f.ID, SeenBy: seenBy(ctx, role), Search: in.Search, Tag: in.Tag, Order: domain.RunOrder(in.Order), Ascending: in.Ascending, Limit: in.Limit, After: in.After}
	for _, s := range in.State {
		q.States = append(q.States, domain.RunState(s))
	}
	for _, key := range in.Columns {
		c, ok := domain.ParseRunColumn(key)
		if !ok {
			return nil, domain.Errorf(domain.Invalid, "%q is no column.", key).Fix("Use config.KEY, or PHASE.METRIC.last, .min or .max.").At("col")
		}
		q.Columns = append(q.Columns, c)
	}
	page, err := a.Runs.Find(ctx, q)
	if err != nil {
		return nil, err
	}
	out := client.RunTable{Runs: []client.RunTableRow{}, Total: page.Total, Next: page.Next}
	for _, row := range page.Rows {
		r := client.RunTableRow{Run: runView(row.Run, f.Slug, role), Values: map[string]client.RunTableValue{}}
		for i, c := range q.Columns {
			if row.Cells[i].Known {
				r.Values[c.Key()] = tableValue(c, row.Cells[i])
			}
		}
		out.Runs = append(out.Runs, r)
	}
	return answer(out), nil
}

func tableValue(c domain.RunColumn, cell domain.RunCell) client.RunTableValue {
	if !c.Metric() {
		return client.RunTableValue{Text: cell.Text}
	}
	v := client.RunTableValue{Text: strconv.FormatFloat(cell.Value, 'g', -1, 64), Round: cell.Round, Mean: cell.Mean}
	if !math.IsNaN(cell.Value) && !math.IsInf(cell.Value, 0) {
		v.Value = &cell.Value
	}
	return v
}

func (a *api) receipt(ctx context.Context, in *RunPath) (*huma.StreamResponse, error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	text, err := a.Runs.Receipt(ctx, r)
	if err != nil {
		return nil, err
	}
	return fileAnswer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		download.Bytes(w, r, text)
	}), nil
}

func (a *api) describeRun(ctx context.Context, in *describeRunInput) (*body[client.Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	note, tags := r.Note, r.Tags
	if in.Body.Note != nil {
		note = *in.Body.Note
	}
	if in.Body.Tags != nil {
		tags = in.Body.Tags
	}
	if r, err = a.Runs.Describe(ctx, callerOf(ctx).actor, r.ID, note, tags); err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func shareOf(s domain.Share) client.Share {
	return client.Share{ID: s.ID, Log: s.WithLog, CreatedBy: s.CreatedBy, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
		RevokedAt: when(s.RevokedAt)}
}

func (a *api) shareRun(ctx context.Context, in *shareRunInput) (*body[client.Share], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	secret, share, err := a.Runs.Share(ctx, callerOf(ctx).actor, r, in.Body.Days, in.Body.Log)
	if err != nil {
		return nil, err
	}
	out := shareOf(share)
	out.URL = a.Connection().PublicURL + "/share/" + secret
	return answer(out), nil
}

func (a *api) listShares(ctx context.Context, in *RunPath) (*body[[]client.Share], error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Shares(ctx, r)
	out := []client.Share{}
	for _, s := range all {
		out = append(out, shareOf(s))
	}
	return answer(out), err
}

func (a *api) revokeShare(ctx context.Context, in *shareInput) (*none, error) {
	r, _, _, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	return nil, a.Runs.RevokeShare(ctx, callerOf(ctx).actor, r, in.ID)
}
