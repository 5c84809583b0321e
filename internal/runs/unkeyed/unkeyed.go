// Package unkeyed makes runs safe on a SuperLink that gives an engine run no name of the caller's: Flower's own. Its StartRun creates
// another engine run each time, and the answer of one can be lost with the server.
package unkeyed

import (
	"context"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/runs/drive"
)

// Engine makes StartRun idempotent for the federations that Unkeyed reports. Use [Engine.Stray] as the Stray of [drive.Options].
type Engine struct {
	drive.Engine
	Store   drive.Store
	Unkeyed func(fedID int64) bool // whether the federation's SuperLink knows engine runs by their ids alone
}

// StartRun creates the engine run of a committed row, or takes the one that an interrupted attempt left behind.
//
// It is never repeated blindly: an engine run with the row's FAB hash that began after the row was committed and belongs to no row is
// the interrupted attempt's, and is adopted.
func (e Engine) StartRun(ctx context.Context, run domain.Run, app domain.AppVersion) (uint64, error) {
	if e.Unkeyed(run.FederationID) {
		all, err := e.EngineRuns(ctx, run.FederationID)
		if err != nil {
			return 0, err
		}
		for _, r := range all {
			if ok, err := e.adoptable(ctx, run, r); err != nil || ok {
				return r.ID, err
			}
		}
	}
	return e.Engine.StartRun(ctx, run, app)
}

func (e Engine) adoptable(ctx context.Context, run domain.Run, r domain.EngineRun) (bool, error) {
	// Both clocks are this host's; the row keeps milliseconds.
	if r.AppHash != run.AppHash || r.Finished() || r.PendingAt.Before(run.StartingAt.Truncate(time.Millisecond)) {
		return false, nil
	}
	err := e.Store.View(ctx, func(tx drive.Tx) error {
		_, err := tx.RunByEngineID(ctx, run.FederationID, r.ID)
		return err
	})
	if domain.CodeOf(err) == domain.NotFound {
		return true, nil
	}
	return false, err
}

// Stray reports whether an engine run that no row names belongs to nobody. One that may be the interrupted attempt of a row does not: the
// row is about to adopt it.
func (e Engine) Stray(ctx context.Context, fedID int64, r domain.EngineRun) (bool, error) {
	var active []domain.Run
	err := e.Store.View(ctx, func(tx drive.Tx) (err error) { active, err = tx.UnendedRuns(ctx, fedID); return err })
	if err != nil {
		return false, err
	}
	for _, run := range active {
		if run.State != domain.Starting || run.EngineRunID != 0 {
			continue
		}
		if ok, err := e.adoptable(ctx, run, r); err != nil || ok {
			return false, err
		}
	}
	return true, nil
}
