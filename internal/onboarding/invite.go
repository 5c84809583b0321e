package onboarding

import (
	"context"
	"crypto/sha256"
	"strconv"
	"time"

	"blossomtune/internal/domain"
)

// InviteInput is what a manager wants of an invitation.
type InviteInput struct {
	FederationID int64
	Note         string
	Domain       string // "" for any
	Uses         int
	Days         int
	Auto         bool
}

func inviteHash(secret string) []byte {
	sum := sha256.Sum256([]byte("blossomtune-invitation:" + secret))
	return sum[:]
}

func checkDays(days int) error {
	if days < 1 || days > domain.MaxInvitationDays {
		return domain.Errorf(domain.Invalid, "An invitation works for 1 to %d days.", domain.MaxInvitationDays).At("days")
	}
	return nil
}

// Invite makes an invitation and returns its link, which is given out this once.
func (s *Service) Invite(ctx context.Context, actor domain.Actor, in InviteInput) (link string, inv domain.Invitation, err error) {
	var errs domain.Errors
	inv = domain.Invitation{FederationID: in.FederationID, Note: domain.Line(in.Note), Uses: in.Uses, Auto: in.Auto}
	if in.Domain != "" {
		inv.Domain, err = domain.NormalDomain(in.Domain, "domain")
		errs = errs.With(err)
	}
	if in.Uses < 1 || in.Uses > domain.MaxInvitationUses {
		errs = append(errs, domain.Errorf(domain.Invalid, "An invitation is for 1 to %d people.", domain.MaxInvitationUses).At("uses"))
	}
	if len(inv.Note) > maxShort {
		errs = append(errs, domain.Errorf(domain.Invalid, "This is longer than %d bytes.", maxShort).At("note"))
	}
	if err := errs.With(checkDays(in.Days)).OrNil(); err != nil {
		return "", inv, err
	}
	secret := ""
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if _, err := tx.FederationByID(ctx, in.FederationID); err != nil {
			return err
		}
		secret, err = s.insertInvitation(ctx, tx, actor, &inv, in.Days)
		return err
	})
	return s.inviteLink(secret), inv, err
}

func (s *Service) inviteLink(secret string) string { return s.PublicURL() + "/i/" + secret }

// insertInvitation gives an invitation its secret and its life, and keeps it with its audit row.
func (s *Service) insertInvitation(ctx context.Context, tx Tx, actor domain.Actor, inv *domain.Invitation, days int) (secret string,
	err error) {
	secret = randomHex(16)
	inv.Hash, inv.CreatedBy, inv.CreatedAt = inviteHash(secret), actor.Name, s.now()
	inv.ExpiresAt = inv.CreatedAt.Add(time.Duration(days) * 24 * time.Hour)
	if err := tx.InsertInvitation(ctx, inv); err != nil {
		return "", err
	}
	return secret, tx.InsertAudit(ctx, s.inviteEntry(actor, *inv, "invitation.made"))
}

func (s *Service) inviteEntry(actor domain.Actor, inv domain.Invitation, action string) domain.AuditEntry {
	return domain.AuditEntry{At: s.now(), Actor: actor, Action: action, ObjectKind: "invitation", ObjectID: strconv.FormatInt(inv.ID, 10),
		FederationID: inv.FederationID,
		Detail: map[string]string{"uses": strconv.Itoa(inv.Uses), "auto": strconv.FormatBool(inv.Auto), "domain": inv.Domain,
			"email": inv.Email}}
}

// Imported is what became of a list of addresses.
type Imported struct {
	Invited []string // got a mail
	Known   []string // are invited already, or have an active request
}

// ImportInvitations invites each address of a list by mail, each for itself. The list is what people paste: one address a line,
// recipients from a mail program, or a table saved as CSV. If one address is bad, no one is invited.
func (s *Service) ImportInvitations(ctx context.Context, actor domain.Actor, fedID int64, text string, days int, auto bool) (Imported,
	error) {
	emails, errs := parseEmails(text)
	if err := errs.With(checkDays(days)).OrNil(); err != nil {
		return Imported{}, err
	}
	var out Imported
	err := s.Store.InTx(ctx, func(tx Tx) error {
		out = Imported{}
		fed, err := tx.FederationByID(ctx, fedID)
		if err != nil {
			return err
		}
		invited, err := tx.InvitedEmails(ctx, fedID, s.now())
		if err != nil {
			return err
		}
		for _, email := range emails {
			known, err := s.active(ctx, tx, fedID, email)
			if err != nil {
				return err
			}
			if known || invited[email] {
				out.Known = append(out.Known, email)
				continue
			}
			inv := domain.Invitation{FederationID: fedID, Email: email, Uses: 1, Auto: auto}
			secret, err := s.insertInvitation(ctx, tx, actor, &inv, days)
			if err == nil {
				err = s.mail(ctx, tx, email, s.invitationMail(fed, inv, actor.Name, s.inviteLink(secret)))
			}
			if err != nil {
				return err
			}
			out.Invited = append(out.Invited, email)
		}
		return nil
	})
	if err == nil {
		s.MailWake()
	}
	return out, err
}

// active reports whether the owner of an address has an active request.
func (s *Service) active(ctx context.Context, tx Tx, fedID int64, email string) (bool, error) {
	p, err := tx.PersonByEmail(ctx, email)
	if err == nil {
		_, err = tx.ActiveRequest(ctx, fedID, p.ID)
	}
	if domain.CodeOf(err) == domain.NotFound {
		return false, nil
	}
	return err == nil, err
}

// Invitation returns the good invitation of a link's secret with its federation.
func (s *Service) Invitation(ctx context.Context, secret string) (inv domain.Invitation, fed domain.Federation, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		if inv, err = s.goodInvitation(ctx, tx, secret); err != nil {
			return err
		}
		fed, err = tx.FederationByID(ctx, inv.FederationID)
		return err
	})
	return inv, fed, err
}

func (s *Service) goodInvitation(ctx context.Context, tx Tx, secret string) (domain.Invitation, error) {
	inv, err := tx.InvitationByHash(ctx, inviteHash(secret))
	if domain.CodeOf(err) == domain.NotFound {
		return inv, domain.Errorf(domain.NotFound, "There is no such invitation.").Fix("Copy the whole link from the message that you got.")
	}
	if why := inv.Ended(s.now()); err == nil && why != "" {
		err = domain.Errorf(domain.Expired, "This invitation is %s.", why).Fix("Ask who sent it to you for a new one.")
	}
	return inv, err
}

// Invitations returns a federation's newest invitations with an id below beforeID (0: all), at most n.
func (s *Service) Invitations(ctx context.Context, fedID, beforeID int64, n int) ([]domain.Invitation, error) {
	return view(ctx, s, func(tx Tx) ([]domain.Invitation, error) { return tx.Invitations(ctx, fedID, beforeID, n) })
}

// RevokeInvitation takes an invitation of a federation back. Who came by it stays.
func (s *Service) RevokeInvitation(ctx context.Context, actor domain.Actor, fedID, id int64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		inv, err := tx.InvitationByID(ctx, id)
		if err != nil || inv.FederationID != fedID {
			return domain.Errorf(domain.NotFound, "There is no such invitation.").Because(err)
		}
		if !inv.RevokedAt.IsZero() {
			return nil
		}
		inv.RevokedAt = s.now()
		if err := tx.UpdateInvitation(ctx, inv); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.inviteEntry(actor, inv, "invitation.revoked"))
	})
}
