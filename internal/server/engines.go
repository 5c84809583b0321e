package server

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/events"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/flower/launcher"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/logfile"
	"blossomtune/internal/runs"
)

// EngineTopic is the topic of the events of a federation's SuperLink: kind "state".
func EngineTopic(fedID int64) string { return "engine:" + strconv.FormatInt(fedID, 10) }

func (a *Server) engineChanged(fedID int64) {
	a.bus.Publish(events.Event{Topic: EngineTopic(fedID), Kind: "state"})
	a.Runs.Wake(fedID)
	if a.manager.Status(fedID).State == domain.SuperLinkUp {
		a.nodes.changed(fedID)
	}
}

// engineOf returns the engine that a federation is to have; "" while the database does not answer.
func (a *Server) engineOf(fedID int64) string {
	chosen, known := a.chosen.Load(fedID)
	if !known {
		f, err := a.Onboarding.Federation(a.ctx, fedID)
		if err != nil {
			return ""
		}
		chosen, _ = a.chosen.LoadOrStore(fedID, f.Engine)
	}
	return cmp.Or(string(chosen.(domain.Engine)), a.o.Config.Engine)
}

// engineChosen lets the federation have the engine that it chose.
func (a *Server) engineChosen(fedID int64) {
	a.chosen.Delete(fedID)
	a.manager.Recheck(fedID)
}

// Engines is what the surfaces do with SuperLinks.
type Engines struct {
	app *Server

	logsMu sync.Mutex
	logs   map[string]*logfile.File // by path; each keeps its index
}

// Start keeps the federation's SuperLink up from now on.
func (e *Engines) Start(ctx context.Context, actor domain.Actor, fedID int64) error {
	if _, err := e.app.Onboarding.WantEngine(ctx, actor, fedID, true); err != nil {
		return err
	}
	e.app.manager.Start(fedID)
	return nil
}

// stopLimit is how long runs may take to end before the SuperLink goes.
const stopLimit = 30 * time.Second

// Stop ends the federation's runs, then its SuperLink, in the background: [Engines.Status] tells when it has stopped.
func (e *Engines) Stop(ctx context.Context, actor domain.Actor, fedID int64) error {
	if _, err := e.app.Onboarding.WantEngine(ctx, actor, fedID, false); err != nil {
		return err
	}
	active, err := e.active(ctx, fedID)
	if err != nil {
		return err
	}
	for _, r := range active {
		if _, err := e.app.Runs.Stop(ctx, actor, r.ID); err != nil && domain.CodeOf(err) != domain.Conflict {
			return err
		}
	}
	e.app.background(func() { e.finish(fedID) })
	return nil
}

func (e *Engines) active(ctx context.Context, fedID int64) ([]domain.Run, error) {
	return e.app.Runs.List(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Starting, domain.Running}, Limit: 500})
}

func (e *Engines) finish(fedID int64) {
	ctx, cancel := context.WithTimeout(e.app.ctx, stopLimit)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && e.app.manager.Status(fedID).State == domain.SuperLinkUp {
		if active, err := e.active(ctx, fedID); err == nil && len(active) == 0 {
			break
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	f, err := e.app.Onboarding.Federation(e.app.ctx, fedID)
	if err != nil || f.EngineWanted { // somebody started it again meanwhile
		return
	}
	if err := e.app.manager.Stop(e.app.ctx, fedID); err != nil && e.app.ctx.Err() == nil {
		e.app.o.Log.Error("stopping an engine", "federation", f.Slug, "err", err)
	}
}

// Default is the engine of federations that have chosen none.
func (e *Engines) Default() domain.Engine { return domain.Engine(e.app.o.Config.Engine) }

// Status returns the state of a federation's SuperLink.
func (e *Engines) Status(fedID int64) domain.SuperLink { return e.app.manager.Status(fedID) }

// Log returns the log of a part of a federation's engine: "superlink" or "keeper", or its nth older file.
func (e *Engines) Log(fedID int64, part string, older int) (*logfile.File, error) {
	path, err := e.app.manager.LogFile(fedID, part)
	if err != nil {
		return nil, err
	}
	return e.log(logfile.Older(path, older)), nil
}

// maxLogs bounds how many logs' indexes are held; one is cheap to make anew.
const maxLogs = 200

func (e *Engines) log(path string) *logfile.File {
	e.logsMu.Lock()
	defer e.logsMu.Unlock()
	f := e.logs[path]
	if f == nil {
		if len(e.logs) >= maxLogs || e.logs == nil {
			e.logs = map[string]*logfile.File{}
		}
		f = logfile.New(path)
		e.logs[path] = f
	}
	return f
}

// OlderLogs counts the older files of a part's log.
func (e *Engines) OlderLogs(fedID int64, part string) int {
	path, err := e.app.manager.LogFile(fedID, part)
	n := 0
	for err == nil && n < engine.OldLogs {
		if _, err = os.Stat(logfile.Older(path, n+1)); err == nil {
			n++
		}
	}
	return n
}

// runEngine is the manager as the runs package uses it.
type runEngine struct {
	m    *engine.Manager
	disk int64 // most bytes of disk that a run's files may take; 0: no limit
}

func (e runEngine) StartRun(ctx context.Context, run domain.Run, app domain.AppVersion) (uint64, error) {
	c, err := e.m.Control(run.FederationID)
	if err != nil {
		return 0, err
	}
	return c.StartRun(ctx, engine.RunOrder{Key: runs.EngineKey(run), FAB: app.FAB, App: app.ID(), Version: app.Version, Config: run.Config})
}

func (e runEngine) StopRun(ctx context.Context, fedID int64, engineRunID uint64) error {
	c, err := e.m.Control(fedID)
	if err != nil {
		return err
	}
	if err = c.StopRun(ctx, engineRunID); domain.CodeOf(err) == domain.NotFound {
		return nil
	}
	return err
}

func (e runEngine) EngineRuns(ctx context.Context, fedID int64) ([]runs.EngineRun, error) {
	c, err := e.m.Control(fedID)
	if err != nil {
		return nil, err
	}
	all, err := c.ListRuns(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]runs.EngineRun, len(all))
	for i, r := range all {
		out[i] = engineRun(r)
	}
	return out, nil
}

func engineRun(r wire.Run) runs.EngineRun {
	return runs.EngineRun{ID: r.ID, Key: r.Key, AppHash: r.FABHash, Status: r.Status, SubStatus: r.SubStatus, Details: r.Details,
		PendingAt: r.PendingAt}
}

func (e runEngine) Launch(ctx context.Context, run domain.Run) error {
	return e.m.Launch(ctx, run.FederationID, launcher.Order{EngineRunID: run.EngineRunID, Settings: run.Settings, NoWeb: run.Sandbox.NoWeb, UID: run.Sandbox.UID, Disk: e.disk})
}

func (e runEngine) Kill(ctx context.Context, fedID int64, engineRunID uint64, why domain.KillReason) error {
	return e.m.Kill(ctx, fedID, engineRunID, why)
}

func (e runEngine) Tasks(ctx context.Context, fedID int64) ([]runs.Task, error) {
	all, err := e.m.Tasks(ctx, fedID)
	if err != nil {
		return nil, err
	}
	out := make([]runs.Task, len(all))
	for i, t := range all {
		out[i] = runs.Task{EngineRunID: t.EngineRunID, Alive: t.Alive(), Ended: t.State == launcher.Ended, ExitCode: t.ExitCode, Signal: t.Signal, Reason: t.Reason, Killed: t.Killed, OverMemory: t.OverMemory, OverDisk: t.OverDisk, ToldAt: t.OutputAt, Shapes: t.Shapes}
	}
	return out, nil
}

func (e runEngine) LogFile(fedID int64, engineRunID uint64) string {
	return filepath.Join(e.m.RunDir(fedID, engineRunID), launcher.LogName)
}

func (e runEngine) WorkDir(fedID int64, engineRunID uint64) string {
	return filepath.Join(e.m.RunDir(fedID, engineRunID), launcher.WorkName)
}

func (e runEngine) Sleep(ctx context.Context, fedID int64) error { return e.m.Stop(ctx, fedID) }

func (e runEngine) Rouse(fedID int64) { e.m.Start(fedID) }

func (e runEngine) Status(fedID int64) domain.SuperLink { return e.m.Status(fedID) }
