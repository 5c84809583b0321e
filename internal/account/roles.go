package account

import (
	"context"

	"blossomtune/internal/domain"
)

// Watches reports whether a person is a viewer or a manager of any federation.
func (s *Service) Watches(ctx context.Context, p domain.Person) (bool, error) {
	if p.Admin {
		return true, nil
	}
	var role domain.Role
	err := s.Store.View(ctx, func(tx Tx) (err error) { role, err = tx.HighestGrant(ctx, p.ID); return err })
	return role.AtLeast(domain.RoleViewer), err
}

// Grants lists who was given a role in a federation.
func (s *Service) Grants(ctx context.Context, fedID int64) (out []domain.RoleGrant, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.RoleGrants(ctx, fedID); return err })
	return out, err
}

// Grant gives a person a role in a federation, or with [domain.RoleNone] takes it away. Somebody who is not known yet gets a
// place by their address: the role is theirs once they prove it.
func (s *Service) Grant(ctx context.Context, actor domain.Actor, fedID int64, email string, role domain.Role) error {
	email, err := domain.NormalEmail(email)
	if err != nil {
		return err
	}
	if role != domain.RoleNone && role != domain.RoleViewer && role != domain.RoleManager {
		return domain.Errorf(domain.Invalid, "Choose %s or %s; participants come by asking.", domain.RoleViewer, domain.RoleManager).At("role")
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil {
			return err
		}
		p, err := tx.PersonByEmail(ctx, email)
		if domain.CodeOf(err) == domain.NotFound && role != domain.RoleNone {
			p = domain.Person{Email: email, Name: email, CreatedAt: s.now()}
			err = tx.InsertPerson(ctx, &p)
		}
		if err != nil {
			return err
		}
		before, err := tx.GrantedRole(ctx, p.ID, fed.ID)
		if err != nil || before == role {
			return err
		}
		if err := tx.SetGrantedRole(ctx, p.ID, fed.ID, role); err != nil {
			return err
		}
		e := s.entry(actor, "role.changed", p, map[string]string{"from": string(before), "to": string(role)})
		e.FederationID = fed.ID
		return tx.InsertAudit(ctx, e)
	})
}

// People lists persons, the newest first.
func (s *Service) People(ctx context.Context, f domain.PeopleFilter) (out []domain.Person, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.People(ctx, f); return err })
	return out, err
}

// SetAdmin makes a person an instance admin, or ends that. The last admin stays one.
func (s *Service) SetAdmin(ctx context.Context, actor domain.Actor, personID int64, admin bool) (domain.Person, error) {
	var p domain.Person
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if p, err = tx.PersonByID(ctx, personID); err != nil || p.Admin == admin {
			return err
		}
		if p.Host() {
			return domain.Errorf(domain.Conflict, "This is the host itself. Anyone who can run commands there is an admin anyway.")
		}
		if n, err := people(ctx, tx); err != nil {
			return err
		} else if !admin && n <= 1 {
			return domain.Errorf(domain.Conflict, "%s is the last admin.", p.Name).Fix("Make someone else an admin first.")
		}
		p.Admin = admin
		if err := tx.UpdatePerson(ctx, p); err != nil {
			return err
		}
		action := "person.made_admin"
		if !admin {
			action = "person.no_admin"
		}
		return tx.InsertAudit(ctx, s.entry(actor, action, p, nil))
	})
	return p, err
}
