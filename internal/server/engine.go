package server

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/engines"
	"blossomtune/internal/events"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper"
	"blossomtune/internal/nodelogs"
	"blossomtune/internal/overview"
	"blossomtune/internal/runs"
	"blossomtune/internal/runs/drive"
	"blossomtune/internal/runs/unkeyed"
	"blossomtune/internal/store"
)

// Engine are the parts that run federations' SuperLinks and what runs on them.
type Engine struct {
	Choice   *engines.Choice
	Manager  *engine.Manager
	Runs     *runs.Service
	Overview *overview.Service
	NodeLogs *nodelogs.Logs
	Engines  *engines.Service
}

func newEngine(b base, r Rules) (e Engine) {
	c, o := b.o.Config, b.o
	choice := engines.NewChoice(b.Jobs.Context(), r.Onboarding, domain.Engine(c.Engine))
	spec := o.Keeper
	if spec == nil {
		spec = b.keeperSpec
	}
	manager := engine.NewManager(engine.ManagerOptions{DataDir: c.Data, Env: b.python.Get, Keeper: spec,
		Changed: b.links.engineChanged.call, Pushed: b.links.pushed.call, Stored: b.links.stored.call,
		RunLog: c.RunLogMB * 1e6, Engine: choice.Of, Clock: o.Clock, Log: o.Log})
	runner := unkeyed.Engine{Engine: engines.Runner{Manager: manager, Disk: c.RunDiskMB * 1e6}, Store: store.Adapt[drive.Tx](b.DB),
		Unkeyed: func(fedID int64) bool { return !manager.Keyed(fedID) }}
	e.Choice, e.Manager, e.NodeLogs = choice, manager, nodelogs.New(c.Data)
	e.Runs = runs.New(runs.Options{Store: store.Adapt[runs.Tx](b.DB), Engine: runner, Stray: runner.Stray,
		EngineChosen: func(fedID int64) { choice.Forget(fedID); manager.Recheck(fedID) },
		MaxDisk:      c.RunDiskMB * 1e6, Events: b.Events, Clock: o.Clock, Logger: o.Log, Flwr: python.FlwrVersion,
		MachineIndex: cmp.Or(os.Getenv("UV_DEFAULT_INDEX"), os.Getenv("UV_INDEX_URL"), os.Getenv("PIP_INDEX_URL")),
		Writable:     b.writable, Disk: b.disk, Contained: b.contained, AppUID: b.users.Of, MayLaunch: r.Catalog.MayUse,
		Receipts: b.receipts, Requirements: python.Requirements(), Version: o.Version, Noticed: r.Notify.Wake})
	e.Overview = overview.New(overview.Options{Store: store.Adapt[overview.Tx](b.DB), Runs: e.Runs, Status: manager.Status, Clock: o.Clock})
	e.Engines = engines.New(engines.Options{Manager: manager, Onboarding: r.Onboarding, Runs: e.Runs, NodeLogs: e.NodeLogs, Jobs: b.Jobs,
		Default: domain.Engine(c.Engine), Log: o.Log})
	return e
}

// engineChanged passes on that a federation's engine has changed.
func (s *Server) engineChanged(fedID int64) {
	s.Events.Publish(events.Event{Topic: engines.Topic(fedID), Kind: "state"})
	s.Runs.Wake(fedID)
	if s.Manager.Status(fedID).State == domain.SuperLinkUp {
		s.signal.Changed(fedID)
	}
}

// keeperSpec re-executes our own binary. The database's address may hold a password, so it goes by the environment, not argv.
func (b *base) keeperSpec(fedID int64) keeper.Spec {
	return keeper.Spec{
		Args: []string{"keeper", "--data", b.o.Config.Data, "--federation", fmt.Sprint(fedID)},
		Dir:  b.o.Config.Data,
		Env:  append(keeperEnv(), "BLOSSOMTUNE_DATABASE="+b.o.Config.Database),
	}
}

// keeperEnv is our environment without our own settings: the keeper and what it starts need none of them.
func keeperEnv() []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "BLOSSOMTUNE_") {
			out = append(out, kv)
		}
	}
	return out
}
