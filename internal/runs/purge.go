package runs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
)

const (
	purgeEvery = 10 * time.Minute
	purgesOnce = 50 // runs read at once
	errorsTold = 5  // of one purge; the rest is counted
)

// keepPurging removes the data of runs that were deleted long enough ago, until ctx ends.
func (s *Service) keepPurging(ctx context.Context) {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.Purge(ctx); err != nil && ctx.Err() == nil {
			s.Logger.Error("removing deleted runs", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Purge removes for good what is left of runs that were deleted more than [domain.RunKeptDays] days ago: rows, log and files. A run that
// cannot be removed keeps no other from it, and is tried again by the next purge, as is what an interrupted one left.
func (s *Service) Purge(ctx context.Context) error {
	before := s.Clock().AddDate(0, 0, -domain.RunKeptDays)
	var errs []error
	failed, after := 0, int64(0)
	for more := true; more; {
		var due []domain.Run
		err := s.Store.View(ctx, func(tx Tx) (err error) { due, err = tx.RunsToPurge(ctx, before, after, purgesOnce); return err })
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		for _, run := range due {
			after = run.ID
			if err := s.purge(ctx, run); err != nil {
				if failed++; failed <= errorsTold {
					errs = append(errs, fmt.Errorf("removing %s: %w", run.Name, err))
				}
			}
		}
		more = len(due) == purgesOnce && ctx.Err() == nil
	}
	if failed > errorsTold {
		errs = append(errs, fmt.Errorf("%d more runs could not be removed", failed-errorsTold))
	}
	return errors.Join(errs...)
}

func (s *Service) purge(ctx context.Context, run domain.Run) error {
	if run.PurgingAt.IsZero() {
		if err := s.beginPurge(ctx, run); err != nil {
			return err
		}
	}
	s.follower.Forget(run.ID)
	for more := true; more; {
		if err := s.Store.InTx(ctx, func(tx Tx) (err error) { more, err = tx.PurgeRun(ctx, run); return err }); err != nil {
			return err
		}
	}
	if run.EngineRunID != 0 {
		// The log and the working directory are in the directory of the engine run, which is the run's alone.
		if err := openfile.RemoveAll(filepath.Dir(s.Engine.WorkDir(run.FederationID, run.EngineRunID))); err != nil {
			return err
		}
	}
	return s.Store.InTx(ctx, func(tx Tx) error { return tx.EndPurge(ctx, run.ID, s.Clock().UTC()) })
}

// beginPurge writes down what is removed, before it is.
func (s *Service) beginPurge(ctx context.Context, run domain.Run) error {
	detail := map[string]string{"state": string(run.State), "app": run.AppID, "version": run.AppVersion, "app_hash": run.AppHash,
		"rounds": strconv.Itoa(run.Round), "ended": run.EndedAt.Format(time.RFC3339), "deleted_by": run.DeletedBy}
	return s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.BeginPurge(ctx, run.ID, s.Clock().UTC()); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.reporter.Entry(domain.System, run, "run.purged", detail))
	})
}
