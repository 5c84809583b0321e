package server

import (
	"context"
	"os"
	"runtime"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/store"
	"blossomtune/internal/web"
)

// system is what the server can say of itself and the machine.
func (a *Server) system(ctx context.Context) (web.System, error) {
	out := web.System{Version: a.o.Version, Go: runtime.Version(), Machine: runtime.GOOS + " " + runtime.GOARCH, Cores: runtime.NumCPU(), Containment: contain.Check(), Started: a.started, PID: os.Getpid(), Data: a.o.Config.Data, Flwr: python.FlwrVersion}
	out.Contained, out.AppUsers = a.contained(), a.appUsers()
	accepted, err := a.Catalog.AcceptsUncontained(ctx)
	if err != nil {
		return out, err
	}
	out.Uncontained = accepted
	out.DiskFree, out.DiskTotal = diskSpace(a.o.Config.Data)
	db, err := a.db.About(ctx)
	if err != nil {
		return out, err
	}
	out.Database, out.DatabaseSize, out.Schema = db.Engine, db.Size, db.Schema
	if env, ready := a.python.made(); ready {
		out.Python = env.PythonVersion
	}
	var feds []domain.Federation
	err = a.db.View(ctx, func(tx *store.Tx) error {
		if feds, err = tx.Federations(ctx); err != nil {
			return err
		}
		out.Mails, err = tx.CountMails(ctx)
		return err
	})
	if err != nil {
		return out, err
	}
	pids := []int{out.PID}
	for _, f := range feds {
		k := web.SystemKeeper{Fed: f, Link: a.manager.Status(f.ID), PID: a.manager.KeeperPID(f.ID)}
		k.Link.Idle = f.EngineIdle && k.Link.State == domain.SuperLinkStopped
		if k.Link.State == domain.SuperLinkStopped {
			k.PID = 0
		}
		if k.PID != 0 {
			pids = append(pids, k.PID)
		}
		out.Keepers = append(out.Keepers, k)
	}
	memory := memoryOf(pids)
	out.Memory = memory[out.PID].own
	for i := range out.Keepers {
		k := &out.Keepers[i]
		m := memory[k.PID]
		k.Memory, k.Processes = m.own+m.below, m.processes
	}
	return out, nil
}
