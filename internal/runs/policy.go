package runs

import (
	"context"
	"fmt"

	"blossomtune/internal/domain"
)

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
		errs = append(errs, domain.Errorf(domain.Invalid, "A SuperLink rests after 1 to %d minutes, or never.",
			domain.MaxIdleStop).At("idle_stop"))
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
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.Clock().UTC(), Actor: actor, Action: "federation.run_policy",
			ObjectKind: "federation", ObjectID: fed.Slug, FederationID: fedID, Detail: detail})
	})
	if err != nil {
		return domain.Federation{}, err
	}
	if s.EngineChosen != nil {
		s.EngineChosen(fedID)
	}
	s.reporter.Publish(domain.Run{FederationID: fedID}, "state")
	s.Wake(fedID)
	return fed, nil
}

// idleForEngine is an error while a run is at the federation's engine: the run ends on the one on which it began.
func idleForEngine(ctx context.Context, tx Tx, fedID int64) error {
	active, err := tx.UnendedRuns(ctx, fedID)
	if err != nil {
		return err
	}
	for _, r := range active {
		if r.State != domain.Queued {
			return domain.Errorf(domain.Conflict, "The SuperLink cannot be changed while a run is in progress, and %s is %s.", r.Name, r.State).
				Fix("Wait until it has ended, or stop it.").At("engine")
		}
	}
	return nil
}
