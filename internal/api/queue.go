package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"blossomtune/internal/client"
	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

func limitsView(l domain.Limits) client.Limits {
	return client.Limits{Wall: l.Wall.Seconds(), Round: l.Round.Seconds(), NoProgress: l.NoProgress.Seconds(),
		FirstHeartbeat: l.FirstHeartbeat.Seconds()}
}

func settingsView(s domain.RunSettings) client.RunSettings {
	return client.RunSettings{InstallDependencies: s.InstallDependencies, PackageIndex: s.PackageIndex,
		Environment: slices.Sorted(maps.Keys(s.Environment)), CPUs: s.CPUs, MemoryMB: s.MemoryMB,
		LogLevel: s.LogLevel, Limits: limitsView(s.Limits)}
}

func changedLimits(c client.LimitChanges, l domain.Limits) domain.Limits {
	for _, v := range []struct {
		from *float64
		to   *time.Duration
	}{{c.Wall, &l.Wall}, {c.Round, &l.Round}, {c.NoProgress, &l.NoProgress}, {c.FirstHeartbeat, &l.FirstHeartbeat}} {
		if v.from != nil {
			*v.to = time.Duration(*v.from * float64(time.Second))
		}
	}
	return l
}

func launchSettings(l *client.LaunchSettings, s domain.RunSettings) domain.RunSettings {
	if l == nil {
		return s
	}
	if l.InstallDependencies != nil {
		s.InstallDependencies = *l.InstallDependencies
	}
	s.PackageIndex, s.Environment, s.CPUs, s.MemoryMB, s.LogLevel, s.Limits = l.PackageIndex, l.Environment, l.CPUs, l.MemoryMB, l.LogLevel,
		changedLimits(l.LimitChanges, s.Limits)
	return s
}

type cloneInput struct {
	RunPath
	Body client.RunClone
}

func (a *api) cloneRun(ctx context.Context, in *cloneInput) (*body[client.Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	b := in.Body
	r, err = a.Runs.Clone(ctx, callerOf(ctx).actor, r.ID, runs.Changes{Name: b.Name, Config: client.ConfigTexts(b.Config), Note: b.Note,
		Tags: b.Tags, NotBefore: b.NotBefore, Override: b.Override})
	if err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

type moveInput struct {
	RunPath
	Body client.RunMove
}

func (a *api) moveRun(ctx context.Context, in *moveInput) (*body[client.Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if r, err = a.Runs.Move(ctx, callerOf(ctx).actor, r.ID, in.Body.Place); err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func (a *api) requeueRun(ctx context.Context, in *RunPath) (*body[client.Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if r, err = a.Runs.Requeue(ctx, callerOf(ctx).actor, r.ID); err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func (a *api) listQueue(ctx context.Context, in *FederationPath) (*body[[]client.Run], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	queue, err := a.Runs.Queue(ctx, f.ID)
	out := []client.Run{}
	for _, r := range queue {
		out = append(out, runView(r, f.Slug, role))
	}
	return answer(out), err
}

type policyInput struct {
	FederationPath
	Body client.RunPolicyChange
}

func policyView(f domain.Federation) *body[client.RunPolicy] {
	return answer(client.RunPolicy{Parallel: f.Parallel, IdleStop: f.IdleStop, Web: !f.NoWeb, Engine: f.Engine.String(),
		Limits: limitsView(f.Limits)})
}

func (a *api) getRunPolicy(ctx context.Context, in *FederationPath) (*body[client.RunPolicy], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleViewer)
	if err != nil {
		return nil, err
	}
	return policyView(f), nil
}

func (a *api) setRunPolicy(ctx context.Context, in *policyInput) (*body[client.RunPolicy], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	p := runs.Policy{Parallel: f.Parallel, IdleStop: f.IdleStop, Limits: changedLimits(in.Body.LimitChanges, f.Limits), NoWeb: f.NoWeb,
		Engine: f.Engine}
	if in.Body.Parallel != nil {
		p.Parallel = *in.Body.Parallel
	}
	if in.Body.IdleStop != nil {
		p.IdleStop = *in.Body.IdleStop
	}
	if in.Body.Web != nil {
		p.NoWeb = !*in.Body.Web
	}
	if in.Body.Engine != "" {
		if p.Engine, err = domain.ParseEngine(in.Body.Engine); err != nil {
			return nil, err
		}
	}
	if f, err = a.Runs.SetPolicy(ctx, callerOf(ctx).actor, f.ID, p); err != nil {
		return nil, err
	}
	return policyView(f), nil
}
