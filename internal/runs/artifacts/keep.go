package artifacts

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/openfile"
)

const sweepEvery = 10 * time.Minute

// KeepRule returns how long a federation keeps what ServerApps wrote.
func (s *Files) KeepRule(ctx context.Context, fedID int64) (k domain.KeepRule, err error) {
	err = s.o.Store.View(ctx, func(tx Tx) (err error) { k, err = tx.KeepRule(ctx, fedID); return err })
	return k, err
}

// SetKeepRule sets it. What it does not keep goes within ten minutes.
func (s *Files) SetKeepRule(ctx context.Context, actor domain.Actor, fedID int64, k domain.KeepRule) error {
	if err := k.Check(); err != nil {
		return err
	}
	return s.o.Store.InTx(ctx, func(tx Tx) error {
		before, err := tx.KeepRule(ctx, fedID)
		if err != nil || before == k {
			return err
		}
		if err := tx.SetKeepRule(ctx, fedID, k); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.o.Clock().UTC(), Actor: actor, Action: "federation.keep_files",
			ObjectKind: "federation", ObjectID: strconv.FormatInt(fedID, 10), FederationID: fedID,
			Detail: map[string]string{"days": strconv.Itoa(k.Days), "runs": strconv.Itoa(k.Runs), "days_before": strconv.Itoa(before.Days), "runs_before": strconv.Itoa(before.Runs)}})
	})
}

// SweptOf returns when a run's files went; the zero value where they did not.
func (s *Files) SweptOf(ctx context.Context, run domain.Run) (v domain.Swept, err error) {
	err = s.o.Store.View(ctx, func(tx Tx) (err error) { v, err = tx.SweptOf(ctx, run.ID); return err })
	return v, err
}

// Keep removes old files now and then, until ctx ends.
func (s *Files) Keep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.o.Logger.Error("sweeping artifacts", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// Sweep removes what no federation's rule keeps. That files are gone is written first, with its audit row: whoever is killed
// between the two removes them at the next sweep.
func (s *Files) Sweep(ctx context.Context) error {
	var feds []domain.Federation
	var again []domain.Run
	err := s.o.Store.View(ctx, func(tx Tx) (err error) {
		if feds, err = tx.Federations(ctx); err != nil {
			return err
		}
		again, err = tx.SweptSince(ctx, s.o.Clock().Add(-24*time.Hour))
		return err
	})
	if err != nil {
		return err
	}
	var errs []error
	for _, run := range again {
		errs = append(errs, s.removeFiles(run))
	}
	for _, f := range feds {
		var due []domain.Run
		err := s.o.Store.View(ctx, func(tx Tx) error {
			k, err := tx.KeepRule(ctx, f.ID)
			if err == nil {
				due, err = tx.RunsToSweep(ctx, f.ID, k, s.o.Clock(), 200)
			}
			return err
		})
		errs = append(errs, err)
		for _, run := range due {
			errs = append(errs, s.sweepRun(ctx, run))
		}
	}
	return errors.Join(errs...)
}

func (s *Files) sweepRun(ctx context.Context, run domain.Run) error {
	files, err := s.Artifacts(ctx, run)
	if err != nil {
		return err
	}
	v := domain.Swept{RunID: run.ID, At: s.o.Clock().UTC(), Files: len(files)}
	for _, f := range files {
		v.Bytes += f.Size
	}
	err = s.o.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.InsertSwept(ctx, v); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.o.Reporter.Entry(domain.System, run, "run.files_removed",
			map[string]string{"files": strconv.Itoa(v.Files), "bytes": strconv.FormatInt(v.Bytes, 10)}))
	})
	if err != nil {
		return err
	}
	s.o.Reporter.Publish(run, "state")
	return s.removeFiles(run)
}

// removeFiles removes what is in a run's working directory.
func (s *Files) removeFiles(run domain.Run) error {
	if run.EngineRunID == 0 || !run.State.Ended() {
		return nil
	}
	if err := openfile.RemoveAll(s.o.WorkDir(run.FederationID, run.EngineRunID)); err != nil {
		return fmt.Errorf("removing the files of %s: %w", run.Name, err)
	}
	return nil
}
