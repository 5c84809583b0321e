package drive

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// wakeAhead is how long before a planned run its SuperLink is started.
const wakeAhead = 30 * time.Second

// needsEngine reports whether any run is at the engine or about to be.
func (s *Driver) needsEngine(runs []domain.Run) bool {
	soon := s.Clock().Add(wakeAhead)
	for _, r := range runs {
		if r.State != domain.Queued || r.Due(soon) {
			return true
		}
	}
	return false
}

// rest stops a SuperLink for which nothing has run for as long as its federation says, and starts it again for the next run. What
// was decided is committed before it is done, and done again where a kill came between.
func (s *Driver) rest(ctx context.Context, fedID int64, runs []domain.Run) error {
	var fed domain.Federation
	var last []domain.Run
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if fed, err = tx.FederationByID(ctx, fedID); err != nil || fed.IdleStop == 0 {
			return err
		}
		last, err = tx.Runs(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Completed, domain.Failed,
			domain.Stopped}, Limit: 20})
		return err
	})
	if err != nil || !fed.EngineWanted {
		return err
	}
	link, needed := s.Engine.Status(fedID), s.needsEngine(runs)
	switch {
	case fed.EngineIdle && (needed || fed.IdleStop == 0):
		if moved, err := s.setIdle(ctx, fedID, false); err != nil || !moved {
			return err
		}
		s.Engine.Rouse(fedID)
	case fed.EngineIdle && link.State != domain.SuperLinkStopped:
		return s.Engine.Sleep(ctx, fedID)
	case fed.IdleStop > 0 && !needed && link.State == domain.SuperLinkUp && s.idleFor(link, last) >= time.Duration(fed.IdleStop)*time.Minute:
		if moved, err := s.setIdle(ctx, fedID, true); err != nil || !moved {
			return err
		}
		return s.Engine.Sleep(ctx, fedID)
	}
	return nil
}

func (s *Driver) idleFor(link domain.SuperLink, last []domain.Run) time.Duration {
	since := link.Since
	for _, r := range last {
		since = later(since, r.EndedAt)
	}
	return s.Clock().Sub(since)
}

// setIdle keeps that a SuperLink rests, or does not any more. It reports false where that is no longer so: a run was launched, or
// somebody stopped or started it by hand.
func (s *Driver) setIdle(ctx context.Context, fedID int64, idle bool) (moved bool, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		moved = false
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil || !fed.EngineWanted || fed.EngineIdle == idle {
			return err
		}
		own, err := tx.UnendedRuns(ctx, fedID)
		if err != nil {
			return err
		}
		if idle && s.needsEngine(own) {
			return nil
		}
		action, detail := "superlink.started", map[string]string{"reason": "for the next run"}
		if idle {
			action, detail = "superlink.stopped", map[string]string{"reason": fmt.Sprintf("no run for %d min", fed.IdleStop)}
		}
		fed.EngineIdle, moved = idle, true
		if err := tx.UpdateFederation(ctx, fed); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.Clock().UTC(), Actor: domain.System, Action: action, ObjectKind: "federation",
			ObjectID: fed.Slug, FederationID: fedID, Detail: detail})
	})
	return moved, err
}
