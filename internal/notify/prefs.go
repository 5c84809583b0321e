package notify

import (
	"context"
	"slices"

	"blossomtune/internal/domain"
)

// Choice is how a person hears of a kind of notice.
type Choice struct {
	Kind   domain.NoticeKind
	Mode   domain.NoticeMode
	Chosen bool // by the person; otherwise it is what people in their role have unless they choose
}

// Choices are a person's choices in one federation, or for the instance.
type Choices struct {
	Fed domain.Federation // ID 0: the instance
	All []Choice
}

// Preferences returns how a person is notified: in each federation in which they are a viewer or more, and of the instance for an admin.
func (s *Service) Preferences(ctx context.Context, p domain.Person) (out []Choices, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		out = nil
		chosen, err := tx.NoticePrefsOf(ctx, p.ID)
		if err != nil {
			return err
		}
		places, err := tx.Places(ctx, p.ID, p.Admin)
		if err != nil {
			return err
		}
		for _, place := range places {
			if !place.Role.AtLeast(domain.RoleViewer) {
				continue
			}
			granted, err := tx.GrantedRole(ctx, p.ID, place.ID)
			if err != nil {
				return err
			}
			grants, err := tx.RoleGrants(ctx, place.ID)
			if err != nil {
				return err
			}
			has := managed(grants)
			out = append(out, Choices{place.Federation, choices(place.ID, domain.NoticesFor(granted, p.Admin), chosen,
				func(k domain.NoticeKind) domain.NoticeMode {
					return usual(granted, p.Admin, has, k)
				})})
		}
		if p.Admin && len(domain.InstanceNotices) > 0 {
			out = append(out, Choices{domain.Federation{}, choices(0, domain.InstanceNotices, chosen, func(k domain.NoticeKind) domain.NoticeMode {
				return usual(domain.RoleNone, true, false, k)
			})})
		}
		return nil
	})
	return out, err
}

func choices(fedID int64, kinds []domain.NoticeKind, chosen []domain.NoticePref,
	unless func(domain.NoticeKind) domain.NoticeMode) []Choice {
	out := make([]Choice, len(kinds))
	for i, k := range kinds {
		out[i] = Choice{Kind: k, Mode: unless(k)}
		for _, c := range chosen {
			if c.FederationID == fedID && c.Kind == k {
				out[i].Mode, out[i].Chosen = c.Mode, true
			}
		}
	}
	return out
}

// Choose sets how a person hears of some kinds of notices in a federation, 0 for the instance. A person who may not see the federation gets
// a [domain.NotFound] error.
func (s *Service) Choose(ctx context.Context, actor domain.Actor, p domain.Person, fedID int64,
	modes map[domain.NoticeKind]domain.NoticeMode) error {
	for _, m := range modes {
		if err := domain.CheckNoticeMode(m); err != nil {
			return err
		}
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		role := domain.RoleNone
		if fedID != 0 {
			var err error
			if role, err = tx.GrantedRole(ctx, p.ID, fedID); err != nil {
				return err
			}
		}
		if !p.Admin && !role.AtLeast(domain.RoleViewer) {
			return domain.Errorf(domain.NotFound, "There is no such federation, or you have no role in it.")
		}
		kinds := domain.InstanceNotices
		if fedID != 0 {
			kinds = domain.NoticesFor(role, p.Admin)
		}
		for k := range modes {
			if !slices.Contains(kinds, k) {
				return domain.Errorf(domain.Invalid, "You can have no notifications of the kind %q here.", k).At("kind")
			}
		}
		detail := map[string]string{}
		for k, m := range modes {
			if err := tx.PutNoticePref(ctx, domain.NoticePref{PersonID: p.ID, FederationID: fedID, Kind: k, Mode: m}); err != nil {
				return err
			}
			detail[string(k)] = string(m)
		}
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.now(), Actor: actor, Action: "notifications.chosen", ObjectKind: "person",
			ObjectID:     p.Email,
			FederationID: fedID, Detail: detail})
	})
}
