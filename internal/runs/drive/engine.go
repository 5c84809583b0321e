package drive

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// startTimeout bounds StartRun; a SuperLink with one worker can be busy for some seconds.
const startTimeout = 60 * time.Second

// startEngineRun creates the engine run of a committed row. The engine gives the same one for the same row, so an attempt that was
// interrupted is simply repeated.
func (s *Driver) startEngineRun(ctx context.Context, run domain.Run) error {
	uid, err := s.appUID(run.FederationID)
	if refused := (*domain.Error)(nil); errors.As(err, &refused) {
		return s.fail(ctx, run, domain.Cause{Code: domain.CauseNoUserID, ExitCode: -1, Where: "server", Message: refused.Message,
			Remedy: refused.Remedy})
	}
	if err != nil {
		return err
	}
	var app domain.AppVersion
	err = s.Store.View(ctx, func(tx Tx) (err error) { app, err = tx.AppVersionByHash(ctx, run.AppHash, true); return err })
	if err != nil {
		return err
	}
	startCtx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	id, err := s.Engine.StartRun(startCtx, run, app)
	switch domain.CodeOf(err) {
	case "":
		return s.bind(ctx, run, id, uid)
	case domain.Unavailable, domain.Internal:
		return err // whether the engine run exists is not known: the next step asks for the same one
	default:
		return s.fail(ctx, run, domain.Cause{Code: domain.CauseRefused, ExitCode: -1, Where: "SuperLink",
			Message: "The SuperLink refused the run: " + err.Error() + ".", Remedy: "Check the app version and its run config."})
	}
}

// EngineKey is the name by which an engine knows the engine run of a run, where it keeps such names.
func EngineKey(run domain.Run) string { return fmt.Sprintf("%d-%d", run.ID, run.CreatedAt.UnixMilli()) }

// owner returns the run that an engine run is of; owned is false where there is none.
func (s *Driver) owner(ctx context.Context, fedID int64, e domain.EngineRun) (run domain.Run, owned bool, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) {
		if run, err = tx.RunByEngineID(ctx, fedID, e.ID); domain.CodeOf(err) != domain.NotFound || e.Key == "" {
			return err
		}
		number, _, _ := strings.Cut(e.Key, "-")
		id, _ := strconv.ParseInt(number, 10, 64)
		if run, err = tx.RunByID(ctx, id); err == nil && (EngineKey(run) != e.Key || run.EngineRunID != 0) {
			return domain.Errorf(domain.NotFound, "No run has the key %s.", e.Key)
		}
		return err
	})
	if domain.CodeOf(err) == domain.NotFound {
		return domain.Run{}, false, nil
	}
	return run, err == nil, err
}

// bind ties an engine run to its row. Only then may the launcher start its ServerApp.
func (s *Driver) bind(ctx context.Context, run domain.Run, engineRunID uint64, uid int) error {
	level := s.level() // the first call takes a moment
	err := s.Store.InTx(ctx, func(tx Tx) error {
		r, err := tx.RunByID(ctx, run.ID)
		if err != nil {
			return err
		}
		if r.EngineRunID != 0 || r.State != domain.Starting {
			return nil // what this may leave is stopped by the next step
		}
		fed, err := tx.FederationByID(ctx, r.FederationID)
		if err != nil {
			return err
		}
		r.EngineRunID, r.Sandbox = engineRunID, domain.Sandbox{Level: level, NoWeb: fed.NoWeb, UID: uid}
		run = r
		if err := tx.UpdateRun(ctx, r); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.Reporter.Entry(domain.System, r, "run.handed_over",
			map[string]string{"engine_run": fmt.Sprint(engineRunID)}))
	})
	if err != nil || run.EngineRunID != engineRunID {
		return err
	}
	s.Follower.Follow(run)
	return s.Engine.Launch(ctx, run)
}

// unbind forgets an engine run that is gone before its ServerApp was started, as when the federation changed its SuperLink meanwhile. The
// next step starts another one: nothing of the run has happened yet.
func (s *Driver) unbind(ctx context.Context, run domain.Run) error {
	lost := run.EngineRunID
	err := s.Store.InTx(ctx, func(tx Tx) error {
		r, err := tx.RunByID(ctx, run.ID)
		if err != nil || r.State != domain.Starting || r.EngineRunID != lost {
			return err
		}
		r.EngineRunID = 0
		if err := tx.UpdateRun(ctx, r); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.Reporter.Entry(domain.System, r, "run.engine_run_lost", map[string]string{"engine_run": fmt.Sprint(lost)}))
	})
	if err == nil {
		s.Follower.Forget(run.ID)
		s.Wake(run.FederationID)
	}
	return err
}

// stopLeft ends engine runs whose run has ended, as when their SuperLink was stopped with them, and those that belong to no run.
func (s *Driver) stopLeft(ctx context.Context, fedID int64, engine []domain.EngineRun) error {
	for _, e := range engine {
		if e.Finished() {
			continue
		}
		run, owned, err := s.owner(ctx, fedID, e)
		stray := !owned && e.Key != ""
		if err == nil && !owned && !stray && s.Stray != nil {
			stray, err = s.Stray(ctx, fedID, e)
		}
		if err != nil {
			return err
		}
		if !stray && !(owned && run.State.Ended()) {
			continue
		}
		if err := s.halt(ctx, domain.Run{FederationID: fedID, EngineRunID: e.ID}, domain.KilledStop); err != nil {
			return err
		}
		if stray {
			if err := s.auditStray(ctx, fedID, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Driver) auditStray(ctx context.Context, fedID int64, e domain.EngineRun) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.Clock().UTC(), Actor: domain.System, Action: "engine_run.stopped",
			ObjectKind: "engine_run", ObjectID: fmt.Sprint(e.ID), FederationID: fedID,
			Detail: map[string]string{"reason": "no run of this server", "app_hash": e.AppHash}})
	})
}

// halt ends the engine run and its ServerApp; both calls may be repeated.
func (s *Driver) halt(ctx context.Context, run domain.Run, why domain.KillReason) error {
	if err := s.Engine.StopRun(ctx, run.FederationID, run.EngineRunID); err != nil {
		return err
	}
	return s.Engine.Kill(ctx, run.FederationID, run.EngineRunID, why)
}

// appUID is the user that a federation's ServerApps run as.
func (s *Driver) appUID(fedID int64) (int, error) {
	if s.AppUID == nil {
		return 0, nil
	}
	return s.AppUID(fedID)
}

// level is how ServerApps are contained on this machine; "" where it is not known.
func (s *Driver) level() domain.Containment {
	if s.Contained == nil {
		return ""
	}
	return s.Contained()
}
