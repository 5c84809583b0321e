package api

import (
	"context"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
)

type deleteRunsInput struct {
	FederationPath
	Body client.RunDeletion
}

type restoreRunsInput struct {
	FederationPath
	Body client.RunNames
}

func deletedRuns(all []domain.Run, slug string, role domain.Role) []client.DeletedRun {
	out := []client.DeletedRun{}
	for _, r := range all {
		v := client.DeletedRun{Run: runView(r, slug, role), DeletedBy: r.DeletedBy}
		if !r.DeletedAt.IsZero() {
			until := r.RestorableUntil()
			v.DeletedAt, v.RestorableUntil = &r.DeletedAt, &until
		}
		out = append(out, v)
	}
	return out
}

func (a *api) deleteRuns(ctx context.Context, in *deleteRunsInput) (*body[[]client.DeletedRun], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	d := domain.RunDeletion{FederationID: f.ID, Names: in.Body.Runs, Tag: in.Body.Tag, Days: in.Body.OlderThanDays}
	for _, s := range in.Body.States {
		d.States = append(d.States, domain.RunState(s))
	}
	all, err := a.Runs.ToDelete(ctx, d)
	if err == nil && !in.Body.DryRun {
		all, err = a.Runs.Delete(ctx, callerOf(ctx).actor, d)
	}
	if err != nil {
		return nil, err
	}
	return answer(deletedRuns(all, f.Slug, role)), nil
}

func (a *api) listDeletedRuns(ctx context.Context, in *FederationPath) (*body[[]client.DeletedRun], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Deleted(ctx, f.ID)
	if err != nil {
		return nil, err
	}
	return answer(deletedRuns(all, f.Slug, role)), nil
}

func (a *api) restoreRuns(ctx context.Context, in *restoreRunsInput) (*body[[]client.Run], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	all, err := a.Runs.Restore(ctx, callerOf(ctx).actor, f.ID, in.Body.Runs)
	if err != nil {
		return nil, err
	}
	out := []client.Run{}
	for _, r := range all {
		out = append(out, runView(r, f.Slug, role))
	}
	return answer(out), nil
}
