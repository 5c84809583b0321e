package account

import (
	"context"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// Erase removes what is known of a person, for good: address, name, organisation, sign-ins, roles, the texts of their requests, mails to
// them, and their name in the audit, whose chain stays valid. It returns what they are called from then on. An admin, and a person who has
// or waits for access to a federation, is a [domain.Conflict].
func (s *Service) Erase(ctx context.Context, actor domain.Actor, personID int64) (label string, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		p, err := tx.PersonByID(ctx, personID)
		if err != nil {
			return err
		}
		if err := s.mayErase(ctx, tx, p); err != nil {
			return err
		}
		done, err := tx.ErasePerson(ctx, p, s.now())
		if err != nil {
			return err
		}
		label = domain.ErasedLabel(p.ID)
		return tx.InsertAudit(ctx, domain.AuditEntry{At: s.now(), Actor: actor, Action: domain.ActionPersonErased, ObjectKind: "person",
			ObjectID: domain.ErasedPersonRef(p.ID), Detail: map[string]string{"entries": strconv.Itoa(done.Entries), "digest": done.Digest}})
	})
	return label, err
}

func (s *Service) mayErase(ctx context.Context, tx Tx, p domain.Person) error {
	switch {
	case !p.ErasedAt.IsZero():
		return domain.Errorf(domain.Conflict, "This person has been erased already.")
	case p.Host():
		return domain.Errorf(domain.Conflict, "This is the host itself, not a person.")
	case p.Admin:
		return domain.Errorf(domain.Conflict, "%s is an admin.", nameFor(p)).Fix("Remove the admin role first.")
	}
	all, err := tx.RequestsOf(ctx, p.ID)
	if err != nil {
		return err
	}
	var active []string
	for _, r := range all {
		if !r.State.Active() {
			continue
		}
		f, err := tx.FederationByID(ctx, r.FederationID)
		if err != nil {
			return err
		}
		active = append(active, f.Name+" ("+string(r.State)+")")
	}
	if len(active) > 0 {
		return domain.Errorf(domain.Conflict, "%s has requests to join: %s.", nameFor(p), strings.Join(active, ", ")).
			Fix("Revoke their access or reject the requests first.")
	}
	return nil
}
