package engines

import (
	"context"
	"path/filepath"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/engine"
	"blossomtune/internal/flower/launcher"
	"blossomtune/internal/flower/wire"
	"blossomtune/internal/runs/drive"
)

var _ drive.Engine = Runner{}

// Runner hands runs over to federations' SuperLinks and launchers, as the runs package wants it.
type Runner struct {
	Manager *engine.Manager
	Disk    int64 // the most bytes of disk that a run's files may take; 0: no limit
}

// StartRun implements [drive.Engine].
func (r Runner) StartRun(ctx context.Context, run domain.Run, app domain.AppVersion) (uint64, error) {
	c, err := r.Manager.Control(run.FederationID)
	if err != nil {
		return 0, err
	}
	return c.StartRun(ctx, engine.RunOrder{Key: drive.EngineKey(run), FAB: app.FAB, App: app.ID(), Version: app.Version, Config: run.Config})
}

// StopRun implements [drive.Engine].
func (r Runner) StopRun(ctx context.Context, fedID int64, engineRunID uint64) error {
	c, err := r.Manager.Control(fedID)
	if err != nil {
		return err
	}
	if err = c.StopRun(ctx, engineRunID); domain.CodeOf(err) == domain.NotFound {
		return nil
	}
	return err
}

// EngineRuns implements [drive.Engine].
func (r Runner) EngineRuns(ctx context.Context, fedID int64) ([]domain.EngineRun, error) {
	c, err := r.Manager.Control(fedID)
	if err != nil {
		return nil, err
	}
	all, err := c.ListRuns(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]domain.EngineRun, len(all))
	for i, v := range all {
		out[i] = engineRun(v)
	}
	return out, nil
}

func engineRun(r wire.Run) domain.EngineRun {
	return domain.EngineRun{ID: r.ID, Key: r.Key, AppHash: r.FABHash, Status: r.Status, SubStatus: r.SubStatus, Details: r.Details,
		PendingAt: r.PendingAt}
}

// Launch implements [drive.Engine].
func (r Runner) Launch(ctx context.Context, run domain.Run) error {
	return r.Manager.Launch(ctx, run.FederationID, launcher.Order{EngineRunID: run.EngineRunID, Settings: run.Settings,
		NoWeb: run.Sandbox.NoWeb, UID: run.Sandbox.UID, Disk: r.Disk})
}

// Kill implements [drive.Engine].
func (r Runner) Kill(ctx context.Context, fedID int64, engineRunID uint64, why domain.KillReason) error {
	return r.Manager.Kill(ctx, fedID, engineRunID, why)
}

// Tasks implements [drive.Engine].
func (r Runner) Tasks(ctx context.Context, fedID int64) ([]domain.Task, error) {
	all, err := r.Manager.Tasks(ctx, fedID)
	if err != nil {
		return nil, err
	}
	out := make([]domain.Task, len(all))
	for i, t := range all {
		out[i] = domain.Task{EngineRunID: t.EngineRunID, Alive: t.Alive(), Ended: t.State == launcher.Ended, ExitCode: t.ExitCode,
			Signal: t.Signal, Reason: t.Reason, Killed: t.Killed, OverMemory: t.OverMemory, OverDisk: t.OverDisk, ToldAt: t.OutputAt,
			Shapes: t.Shapes}
	}
	return out, nil
}

// LogFile implements [drive.Engine].
func (r Runner) LogFile(fedID int64, engineRunID uint64) string {
	return filepath.Join(r.Manager.RunDir(fedID, engineRunID), launcher.LogName)
}

// WorkDir implements [drive.Engine].
func (r Runner) WorkDir(fedID int64, engineRunID uint64) string {
	return filepath.Join(r.Manager.RunDir(fedID, engineRunID), launcher.WorkName)
}

// Sleep implements [drive.Engine].
func (r Runner) Sleep(ctx context.Context, fedID int64) error { return r.Manager.Stop(ctx, fedID) }

// Rouse implements [drive.Engine].
func (r Runner) Rouse(fedID int64) { r.Manager.Start(fedID) }

// Status implements [drive.Engine].
func (r Runner) Status(fedID int64) domain.SuperLink { return r.Manager.Status(fedID) }
