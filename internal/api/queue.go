package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs"
)

// RunSettings is how the engine runs an app. The values of environment variables are not told.
type RunSettings struct {
	InstallDependencies bool     `json:"install_dependencies"`
	PackageIndex        string   `json:"package_index,omitempty"`
	Environment         []string `json:"environment,omitempty" doc:"The names of the variables"`
	CPUs                int      `json:"cpus,omitempty" doc:"0: all"`
	MemoryMB            int      `json:"memory_mb,omitempty" doc:"0: no limit"`
	LogLevel            string   `json:"log_level,omitempty"`
	Limits
}

// Limits end a run that takes too long; 0 is no limit.
type Limits struct {
	Wall           float64 `json:"wall_seconds"`
	Round          float64 `json:"round_seconds"`
	NoProgress     float64 `json:"no_progress_seconds"`
	FirstHeartbeat float64 `json:"first_heartbeat_seconds"`
}

func limitsView(l domain.Limits) Limits {
	return Limits{Wall: l.Wall.Seconds(), Round: l.Round.Seconds(), NoProgress: l.NoProgress.Seconds(), FirstHeartbeat: l.FirstHeartbeat.Seconds()}
}

func settingsView(s domain.RunSettings) RunSettings {
	return RunSettings{InstallDependencies: s.InstallDependencies, PackageIndex: s.PackageIndex, Environment: slices.Sorted(maps.Keys(s.Environment)), CPUs: s.CPUs, MemoryMB: s.MemoryMB,
		LogLevel: s.LogLevel, Limits: limitsView(s.Limits)}
}

// LaunchSettings is how a run is launched; what is left out is as the federation has it.
type LaunchSettings struct {
	InstallDependencies *bool             `json:"install_dependencies,omitempty"`
	PackageIndex        string            `json:"package_index,omitempty" doc:"https; left out: as the server's machine is configured. Participants' machines use their own"`
	Environment         map[string]string `json:"environment,omitempty" doc:"Variables of the ServerApp; values are never told again"`
	CPUs                int               `json:"cpus,omitempty" doc:"Cores that the ServerApp may use; 0: all"`
	MemoryMB            int               `json:"memory_mb,omitempty" doc:"What its processes may hold together; 0: no limit"`
	LogLevel            string            `json:"log_level,omitempty" enum:"DEBUG,INFO,WARNING,ERROR"`
	LimitChanges
}

// LimitChanges are limits in seconds, 0 for none; those left out stay.
type LimitChanges struct {
	Wall           *float64 `json:"wall_seconds,omitempty" minimum:"0" maximum:"2592000"`
	Round          *float64 `json:"round_seconds,omitempty" minimum:"0" maximum:"2592000"`
	NoProgress     *float64 `json:"no_progress_seconds,omitempty" minimum:"0" maximum:"2592000"`
	FirstHeartbeat *float64 `json:"first_heartbeat_seconds,omitempty" minimum:"0" maximum:"2592000"`
}

func (c LimitChanges) over(l domain.Limits) domain.Limits {
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

func (l *LaunchSettings) over(s domain.RunSettings) domain.RunSettings {
	if l == nil {
		return s
	}
	if l.InstallDependencies != nil {
		s.InstallDependencies = *l.InstallDependencies
	}
	s.PackageIndex, s.Environment, s.CPUs, s.MemoryMB, s.LogLevel, s.Limits = l.PackageIndex, l.Environment, l.CPUs, l.MemoryMB, l.LogLevel, l.LimitChanges.over(s.Limits)
	return s
}

type cloneInput struct {
	RunPath
	Body struct {
		Name      string            `json:"name,omitempty" doc:"The Run ID; left out: the next free one"`
		Config    map[string]string `json:"config,omitempty" doc:"What is otherwise than in the run, as text"`
		Note      *string           `json:"note,omitempty"`
		Tags      []string          `json:"tags,omitempty"`
		NotBefore time.Time         `json:"not_before,omitzero"`
		Override  string            `json:"override,omitempty"`
	}
}

func (a *api) cloneRun(ctx context.Context, in *cloneInput) (*body[Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	b := in.Body
	r, err = a.Runs.Clone(ctx, callerOf(ctx).actor, r.ID, runs.Changes{Name: b.Name, Config: b.Config, Note: b.Note, Tags: b.Tags, NotBefore: b.NotBefore, Override: b.Override})
	if err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

type moveInput struct {
	RunPath
	Body struct {
		Place int `json:"place" minimum:"1" doc:"1 is the next; beyond the end is the last"`
	}
}

func (a *api) moveRun(ctx context.Context, in *moveInput) (*body[Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if r, err = a.Runs.Move(ctx, callerOf(ctx).actor, r.ID, in.Body.Place); err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func (a *api) requeueRun(ctx context.Context, in *RunPath) (*body[Run], error) {
	r, f, role, err := a.run(ctx, in.Name, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	if r, err = a.Runs.Requeue(ctx, callerOf(ctx).actor, r.ID); err != nil {
		return nil, err
	}
	return answer(runView(r, f.Slug, role)), nil
}

func (a *api) listQueue(ctx context.Context, in *FederationPath) (*body[[]Run], error) {
	f, role, err := a.federation(ctx, in.Slug, domain.RoleParticipant)
	if err != nil {
		return nil, err
	}
	queue, err := a.Runs.Queue(ctx, f.ID)
	out := []Run{}
	for _, r := range queue {
		out = append(out, runView(r, f.Slug, role))
	}
	return answer(out), err
}

// RunPolicy is how a federation runs.
type RunPolicy struct {
	Parallel int    `json:"parallel" doc:"Runs at once"`
	IdleStop int    `json:"idle_stop_minutes" doc:"Minutes without a run after which the SuperLink stops until the next; 0: never"`
	Web      bool   `json:"web_access" doc:"ServerApps can reach web servers (TCP 443 and 80). A change holds for runs that start afterwards."`
	Engine   string `json:"engine" enum:"default,builtin,flower" doc:"The federation's SuperLink: part of this program, Flower's own, or the server's default"`
	Limits
}

type policyInput struct {
	FederationPath
	Body struct {
		Parallel *int   `json:"parallel,omitempty"`
		IdleStop *int   `json:"idle_stop_minutes,omitempty"`
		Web      *bool  `json:"web_access,omitempty"`
		Engine   string `json:"engine,omitempty" enum:"default,builtin,flower" doc:"The SuperLink. It changes only while no run is in progress."`
		LimitChanges
	}
}

func policyView(f domain.Federation) *body[RunPolicy] {
	return answer(RunPolicy{Parallel: f.Parallel, IdleStop: f.IdleStop, Web: !f.NoWeb, Engine: f.Engine.String(),
		Limits: limitsView(f.Limits)})
}

func (a *api) getRunPolicy(ctx context.Context, in *FederationPath) (*body[RunPolicy], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleViewer)
	if err != nil {
		return nil, err
	}
	return policyView(f), nil
}

func (a *api) setRunPolicy(ctx context.Context, in *policyInput) (*body[RunPolicy], error) {
	f, _, err := a.federation(ctx, in.Slug, domain.RoleManager)
	if err != nil {
		return nil, err
	}
	p := runs.Policy{Parallel: f.Parallel, IdleStop: f.IdleStop, Limits: in.Body.LimitChanges.over(f.Limits), NoWeb: f.NoWeb, Engine: f.Engine}
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
