package runs

import (
	"context"
	"fmt"
	"time"

	"blossomtune/internal/domain"
)

// wakeAhead is how long before a planned run its SuperLink is started.
const wakeAhead = 30 * time.Second

// needsEngine reports whether any run is at the engine or about to be.
func (s *Service) needsEngine(runs []domain.Run) bool {
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
func (s *Service) rest(ctx context.Context, fedID int64, runs []domain.Run) error {
	var fed domain.Federation
	var last []domain.Run
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if fed, err = tx.FederationByID(ctx, fedID); err != nil || fed.IdleStop == 0 {
			return err
		}
		last, err = tx.Runs(ctx, domain.RunFilter{FederationID: fedID, States: []domain.RunState{domain.Completed, domain.Failed, domain.Stopped}, Limit: 20})
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

func (s *Service) idleFor(link domain.SuperLink, last []domain.Run) time.Duration {
	since := link.Since
	for _, r := range last {
		since = later(since, r.EndedAt)
	}
	return s.Clock().Sub(since)
}

// setIdle keeps that a SuperLink rests, or does not any more. It reports false where that is no longer so: a run was launched, or
// somebody stopped or started it by hand.
func (s *Service) setIdle(ctx context.Context, fedID int64, idle bool) (moved bool, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		moved = false
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil || !fed.EngineWanted || fed.EngineIdle == idle {
			return err
		}
		active, err := tx.ActiveRuns(ctx)
		if err != nil {
			return err
		}
		own := active[:0]
		for _, r := range active {
			if r.FederationID == fedID {
				own = append(own, r)
			}
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
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.Clock().UTC(), Actor: domain.System, Action: action, ObjectKind: "federation", ObjectID: fed.Slug, FederationID: fedID, Detail: detail})
	})
	return moved, err
}

// Policy is how a federation runs: how many runs at once, after how many minutes without one its SuperLink rests, and the limits of
// runs that name none of their own.
type Policy struct {
	Parallel int
	IdleStop int // minutes; 0: never
	Limits   domain.Limits
	NoWeb    bool // ServerApps cannot reach web servers; holds for runs that start afterwards
	Engine   domain.Engine
}

const maxParallel = 100

// SetPolicy changes how a federation runs. Runs that were launched keep their limits. Another engine while a run is under way is a
// [domain.Conflict] at field "engine".
func (s *Service) SetPolicy(ctx context.Context, actor domain.Actor, fedID int64, p Policy) (domain.Federation, error) {
	var errs domain.Errors
	if p.Parallel < 1 || p.Parallel > maxParallel {
		errs = append(errs, domain.Errorf(domain.Invalid, "1 to %d runs run at once.", maxParallel).At("parallel"))
	}
	if p.IdleStop < 0 || p.IdleStop > domain.MaxIdleStop {
		errs = append(errs, domain.Errorf(domain.Invalid, "A SuperLink rests after 1 to %d minutes, or never.", domain.MaxIdleStop).At("idle_stop"))
	}
	if err := errs.With(p.Limits.Check()).OrNil(); err != nil {
		return domain.Federation{}, err
	}
	var fed domain.Federation
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if fed, err = tx.FederationByID(ctx, fedID); err != nil {
			return err
		}
		before := fed
		fed.Parallel, fed.IdleStop, fed.Limits, fed.NoWeb, fed.Engine = p.Parallel, p.IdleStop, p.Limits, p.NoWeb, p.Engine
		if fed == before {
			return nil
		}
		if fed.Engine != before.Engine {
			if err := idleForEngine(ctx, tx, fedID); err != nil {
				return err
			}
		}
		if err := tx.UpdateFederation(ctx, fed); err != nil {
			return err
		}
		detail := map[string]string{"parallel": fmt.Sprint(p.Parallel), "idle_stop": fmt.Sprintf("%d min", p.IdleStop),
			"web_access": domain.OnOff(!p.NoWeb), "engine": p.Engine.String()}
		for _, l := range p.Limits.All() {
			detail[l.Field] = domain.Span(l.Limit)
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.Clock().UTC(), Actor: actor, Action: "federation.run_policy", ObjectKind: "federation", ObjectID: fed.Slug, FederationID: fedID, Detail: detail})
	})
	if err != nil {
		return domain.Federation{}, err
	}
	if s.EngineChosen != nil {
		s.EngineChosen(fedID)
	}
	s.publish(domain.Run{FederationID: fedID}, "state")
	s.Wake(fedID)
	return fed, nil
}

// idleForEngine is an error while a run is at the federation's engine: the run ends on the one on which it began.
func idleForEngine(ctx context.Context, tx Tx, fedID int64) error {
	active, err := tx.ActiveRuns(ctx)
	if err != nil {
		return err
	}
	for _, r := range active {
		if r.FederationID == fedID && r.State != domain.Queued {
			return domain.Errorf(domain.Conflict, "The SuperLink cannot be changed while a run is in progress, and %s is %s.", r.Name, r.State).
				Fix("Wait until it has ended, or stop it.").At("engine")
		}
	}
	return nil
}
