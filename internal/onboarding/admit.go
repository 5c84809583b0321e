package onboarding

import (
	"context"
	"strconv"
	"strings"

	"blossomtune/internal/domain"
)

// checkAsker reports what of a federation's conditions an asker has not met before any code is mailed.
func (s *Service) checkAsker(ctx context.Context, tx Tx, fed domain.Federation, in AskInput, email string) (domain.Invitation, error) {
	inv := domain.Invitation{}
	var err error
	if in.Invitation != "" {
		if inv, err = s.goodInvitation(ctx, tx, in.Invitation); err != nil {
			return inv, err
		}
		if inv.FederationID != fed.ID {
			return inv, domain.Errorf(domain.NotFound, "There is no such invitation to %s.", fed.Name)
		}
		if !inv.Takes(email) {
			return inv, domain.Errorf(domain.Invalid, "This invitation is for another address.").
				Fix("Use the address that it was sent to, or one of your organisation%s.", suffix(inv.Domain)).At("email")
		}
	}
	if fed.Asking.InvitationsOnly && inv.ID == 0 {
		return inv, domain.Errorf(domain.Forbidden, "%s takes people by invitation only.", fed.Name).
			Fix("Ask its managers for an invitation, and open the link in it.")
	}
	if in.Asker.Email != "" && in.Asker.Email != email {
		return inv, domain.Errorf(domain.Invalid, "You are signed in as %s.", in.Asker.Email).Fix("Ask with that address, or sign out first.").
			At("email")
	}
	if fed.Asking.Proof == domain.ProofEither || s.Providers == 0 {
		return inv, nil
	}
	if in.Asker.ID != 0 {
		accounts, err := tx.IdentitiesOf(ctx, in.Asker.ID)
		if err != nil || len(accounts) > 0 {
			return inv, err
		}
	}
	return inv, domain.Errorf(domain.Unauthenticated, "%s asks you to sign in with an account first.", fed.Name).
		Fix("Sign in, then send your request; your e-mail address is confirmed after that.")
}

func suffix(host string) string {
	if host == "" {
		return ""
	}
	return " (@" + host + ")"
}

// proven reports whether an asker needs no code: the federation takes a sign-in alone, and theirs proves the address.
func proven(fed domain.Federation, in AskInput, email string) bool {
	return fed.Asking.Proof == domain.ProofEither && in.Asker.ID != 0 && in.Asker.Email == email
}

// arrive makes a request whose address was just proven pending; an invitation or a rule may approve it at once.
func (s *Service) arrive(ctx context.Context, tx Tx, r *domain.Request) error {
	r.VerifiedAt = s.now()
	if err := s.transition(ctx, tx, domain.Actor{Kind: "person", PersonID: r.PersonID, Name: r.Name}, r, domain.Pending, nil); err != nil {
		return err
	}
	by, err := s.approvedBy(ctx, tx, *r)
	if err != nil || by == "" {
		return s.orRemind(ctx, tx, r.FederationID, err)
	}
	fed, err := tx.FederationByID(ctx, r.FederationID)
	if err != nil {
		return err
	}
	held, err := tx.PartitionsHeld(ctx, fed.ID)
	if err != nil || len(nextFree(held, fed.TotalPartitions, 1)) == 0 { // then it waits for a manager
		return s.orRemind(ctx, tx, r.FederationID, err)
	}
	*r, err = s.approve(ctx, tx, domain.Actor{Kind: "system", Name: by}, r.ID, NextFreePartition)
	return err
}

func (s *Service) orRemind(ctx context.Context, tx Tx, fedID int64, err error) error {
	if err != nil {
		return err
	}
	return s.remind(ctx, tx, fedID)
}

// approvedBy counts the use of a request's invitation and names what approves the request without a review, "" for nothing.
func (s *Service) approvedBy(ctx context.Context, tx Tx, r domain.Request) (by string, err error) {
	if r.InvitationID != 0 {
		inv, err := tx.InvitationByID(ctx, r.InvitationID)
		if err != nil {
			return "", err
		}
		if inv.Ended(s.now()) == "" { // else it is a request like any other
			inv.Used++
			if err := tx.UpdateInvitation(ctx, inv); err != nil {
				return "", err
			}
			if inv.Auto {
				by = "invitation by " + inv.CreatedBy
			}
		}
	}
	rules, err := tx.Rules(ctx, r.FederationID)
	if err != nil || len(rules) == 0 || by != "" {
		return by, err
	}
	accounts, err := tx.IdentitiesOf(ctx, r.PersonID)
	for _, rule := range rules {
		if err == nil && rule.Matches(r.Email, accounts) {
			return "rule for " + rule.Value, nil
		}
	}
	return "", err
}

// Rules returns a federation's approval rules.
func (s *Service) Rules(ctx context.Context, fedID int64) ([]domain.ApprovalRule, error) {
	return view(ctx, s, func(tx Tx) ([]domain.ApprovalRule, error) { return tx.Rules(ctx, fedID) })
}

// AddRule makes requests that match be approved without a review from now on. value is an e-mail domain, or an organisation at a
// sign-in provider like "huggingface:acme".
func (s *Service) AddRule(ctx context.Context, actor domain.Actor, fedID int64, kind domain.RuleKind, value string) (domain.ApprovalRule,
	error) {
	rule := domain.ApprovalRule{FederationID: fedID, Kind: kind, CreatedBy: actor.Name, CreatedAt: s.now()}
	var err error
	switch kind {
	case domain.RuleDomain:
		rule.Value, err = domain.NormalDomain(value, "value")
	case domain.RuleOrganisation:
		rule.Value = strings.ToLower(domain.Line(value))
		if provider, org, ok := strings.Cut(rule.Value, ":"); !ok || provider == "" || org == "" || len(rule.Value) > maxShort ||
			strings.ContainsAny(rule.Value, " \t") {
			err = domain.Errorf(domain.Invalid, "%q names no organisation.", value).
				Fix("Write the provider and the organisation's name there, like huggingface:acme.").At("value")
		}
	default:
		err = domain.Errorf(domain.Invalid, "A rule looks at a domain or an organisation.").At("kind")
	}
	if err != nil {
		return rule, err
	}
	return rule, s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.InsertRule(ctx, &rule); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.ruleEntry(actor, rule, "rule.made"))
	})
}

func (s *Service) ruleEntry(actor domain.Actor, r domain.ApprovalRule, action string) domain.AuditEntry {
	return domain.AuditEntry{At: s.now(), Actor: actor, Action: action, ObjectKind: "rule", ObjectID: strconv.FormatInt(r.ID, 10),
		FederationID: r.FederationID,
		Detail:       map[string]string{"kind": string(r.Kind), "value": r.Value}}
}

// DropRule ends an approval rule of a federation. Who was approved by it stays.
func (s *Service) DropRule(ctx context.Context, actor domain.Actor, fedID, id int64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		rules, err := tx.Rules(ctx, fedID)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if r.ID == id {
				if err := tx.DeleteRule(ctx, fedID, id); err != nil {
					return err
				}
				return tx.InsertAudit(ctx, s.ruleEntry(actor, r, "rule.dropped"))
			}
		}
		return domain.Errorf(domain.NotFound, "There is no such rule.")
	})
}
