package onboarding

import (
	"context"
	"fmt"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// Decided keeps what the agent of a machine says that its owner decided about app versions. A version that waits is mailed to the
// participant, once. Versions that this server does not have are left out. What is kept here decides nothing: the agent does.
func (s *Service) Decided(ctx context.Context, e Enrolment, all []domain.AppApproval) error {
	changed := false
	for _, a := range all {
		a.RequestID, a.ChangedAt = e.Request.ID, s.now()
		err := s.Store.InTx(ctx, func(tx Tx) error {
			news, err := s.decided(ctx, tx, e, a)
			changed = changed || news
			return err
		})
		if err != nil {
			return err
		}
	}
	if changed {
		s.MailWake()
		s.keyChanged(e.Request)
	}
	return nil
}

func (s *Service) decided(ctx context.Context, tx Tx, e Enrolment, a domain.AppApproval) (changed bool, err error) {
	app, err := tx.AppVersionByHash(ctx, a.AppHash, false)
	if domain.CodeOf(err) == domain.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	old, err := tx.AppApproval(ctx, a.RequestID, a.AppHash)
	switch {
	case err == nil && old.State == a.State && old.Reason == a.Reason:
		return false, nil
	case domain.CodeOf(err) == domain.NotFound:
		n, err := tx.CountApprovals(ctx, a.RequestID)
		if err != nil {
			return false, err
		}
		if n >= domain.MaxApprovals {
			return false, domain.Errorf(domain.Limited, "The states of %d app versions are kept for this machine already.", n)
		}
	case err != nil:
		return false, err
	}
	if a.Mailed = old.Mailed; a.State == domain.ApprovalWaiting && !old.Mailed {
		a.Mailed = true
		if err := s.mail(ctx, tx, e.Request.Email, s.appWaitsMail(e, app)); err != nil {
			return false, err
		}
	}
	if err := tx.PutAppApproval(ctx, a); err != nil {
		return false, err
	}
	return true, tx.InsertAudit(ctx,
		domain.AuditEntry{At: s.now(), Actor: domain.Actor{Kind: "node", Name: fmt.Sprintf("partition %d", e.Request.Partition)},
			Action: "app_version." + string(a.State), ObjectKind: "app_version", ObjectID: a.AppHash, FederationID: e.Request.FederationID,
			Detail: map[string]string{"request": e.Request.Ref, "partition": fmt.Sprint(e.Request.Partition), "app": app.ID() + " " + app.Version,
				"rule": a.Reason}})
}

func (s *Service) appWaitsMail(e Enrolment, app domain.AppVersion) domain.Mail {
	return s.Texts.Mail(site.MailAppWaits,
		map[string]string{"federation": e.Federation.Name, "app": app.ID() + " " + app.Version, "hash": app.Hash,
			"link": s.PublicURL() + "/me/" + e.Federation.Slug})
}
