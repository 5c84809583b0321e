package catalog

import (
	"context"

	"blossomtune/internal/domain"
)

// keyUncontained is the setting by which admins accept apps on a server that cannot contain them.
const keyUncontained = "apps.uncontained"

// MayUse reports whether an actor may add and launch apps: a [domain.Forbidden] error says why not. Where this server cannot contain
// ServerApps, only instance admins may, unless one has accepted the risk.
func (s *Service) MayUse(ctx context.Context, actor domain.Actor) error {
	if s.Contained == nil || actor.Admin || actor.Kind == domain.System.Kind {
		return nil
	}
	level := s.Contained()
	if level.Strong() {
		return nil
	}
	accepted, err := s.AcceptsUncontained(ctx)
	if err != nil || accepted {
		return err
	}
	return domain.Errorf(domain.Forbidden, "This server cannot contain apps: ServerApps run %s.", level.Words()).
		Fix("Ask an instance admin to add and launch the app, or to accept uncontained apps under Admin → System.").At("app")
}

// AcceptsUncontained reports whether an admin has accepted apps that this server cannot contain.
func (s *Service) AcceptsUncontained(ctx context.Context) (accepted bool, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		value, err := tx.Setting(ctx, keyUncontained)
		accepted = value == "accepted"
		return err
	})
	return accepted, err
}

// AcceptUncontained lets managers add and launch apps although this server cannot contain them, or ends that. It is for instance admins.
func (s *Service) AcceptUncontained(ctx context.Context, actor domain.Actor, accept bool) error {
	if !actor.Admin {
		return domain.Errorf(domain.Forbidden, "Only instance admins can accept uncontained apps.")
	}
	value, action := "", "apps.uncontained_refused"
	if accept {
		value, action = "accepted", "apps.uncontained_accepted"
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		before, err := tx.Setting(ctx, keyUncontained)
		if err != nil || before == value {
			return err
		}
		if err := tx.PutSetting(ctx, keyUncontained, value); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.Clock().UTC(), Actor: actor, Action: action, ObjectKind: "settings", ObjectID: "apps"})
	})
}
