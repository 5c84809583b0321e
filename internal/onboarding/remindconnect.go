package onboarding

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

const (
	// ConnectReminderGap is the least time between two reminders to connect that one person gets, from whatever federation.
	ConnectReminderGap = 24 * time.Hour
	// MaxReminded is how many people can be reminded at once.
	MaxReminded = 500

	remindedLatest = 30 * 24 * time.Hour // who was approved longer ago is reminded by managers alone
	remindedAtOnce = 100                 // people of a federation, by rule, in a minute
)

// Reminded says what became of a reminder to several people.
type Reminded struct {
	Mailed  int
	Skipped int // they have connected since, or were reminded within [ConnectReminderGap]
}

// RemindToConnect mails people who were approved and have never connected that this is left to do: those of the requests, or everyone in
// the federation if there are none. A request of another federation is a [domain.NotFound] error. Where only one person is meant, it is a
// [domain.Conflict] that they have connected, and [domain.Limited] that they were reminded within [ConnectReminderGap].
func (s *Service) RemindToConnect(ctx context.Context, actor domain.Actor, fedID int64, requests []int64) (done Reminded, err error) {
	if len(requests) > MaxReminded {
		return done, domain.Errorf(domain.Invalid, "Up to %d people can be reminded at once.", MaxReminded).At("refs")
	}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		done = Reminded{}
		ids := requests
		if len(ids) == 0 {
			all, err := tx.UnconnectedPeople(ctx, fedID)
			if err != nil {
				return err
			}
			for _, v := range all[:min(len(all), MaxReminded)] {
				ids = append(ids, v.RequestID)
			}
		}
		for _, id := range ids {
			err := s.remindOne(ctx, tx, actor, fedID, id)
			code := domain.CodeOf(err)
			switch {
			case err == nil:
				done.Mailed++
			case len(requests) != 1 && (code == domain.Conflict || code == domain.Limited):
				done.Skipped++
			default:
				return err
			}
		}
		return nil
	})
	if err == nil && done.Mailed > 0 {
		s.MailWake()
	}
	return done, err
}

func (s *Service) remindOne(ctx context.Context, tx Tx, actor domain.Actor, fedID, requestID int64) error {
	r, err := tx.RequestByID(ctx, requestID)
	if err == nil && r.FederationID != fedID {
		err = domain.Errorf(domain.NotFound, "There is no such request.")
	}
	if err == nil && r.State != domain.Approved {
		err = domain.Errorf(domain.Conflict, "%s is not approved.", r.Name)
	}
	if err != nil {
		return err
	}
	e, err := s.enrolment(ctx, tx, requestID)
	if err != nil {
		return err
	}
	k, err := tx.NodeKeyOfRequest(ctx, requestID)
	if err != nil && domain.CodeOf(err) != domain.NotFound {
		return err
	}
	if err == nil && !k.Seen.FirstAt.IsZero() {
		return domain.Errorf(domain.Conflict, "The SuperNode of %s has connected.", e.Request.Name)
	}
	last, err := tx.RemindedAt(ctx, e.Request.PersonID)
	if err != nil {
		return err
	}
	now := s.now()
	if !last.IsZero() && now.Sub(last) < ConnectReminderGap {
		return domain.Errorf(domain.Limited, "%s was reminded less than a day ago.", e.Request.Name).
			Fix("Remind them again after %s UTC.", last.Add(ConnectReminderGap).UTC().Format("2 January, 15:04"))
	}
	if err := s.mail(ctx, tx, e.Request.Email, s.connectMail(e)); err != nil {
		return err
	}
	if err := tx.NoteReminder(ctx, requestID, now); err != nil {
		return err
	}
	return tx.InsertAudit(ctx, domain.AuditEntry{At: now, Actor: actor, Action: "request.reminded", ObjectKind: "request",
		ObjectID: e.Request.Ref, FederationID: fedID, Detail: map[string]string{"partition": fmt.Sprint(e.Request.Partition)}})
}

// RemindByRule reminds, once, those people whom the rules of their federation remind: they were approved in the last 30 days, longer ago
// than the rule says, and have not connected.
func (s *Service) RemindByRule(ctx context.Context) error {
	feds, err := s.Federations(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range feds {
		errs = append(errs, s.remindFederation(ctx, f.ID))
	}
	return errors.Join(errs...)
}

func (s *Service) remindFederation(ctx context.Context, fedID int64) error {
	var ids []int64
	err := s.Store.View(ctx, func(tx Tx) error {
		rules, err := tx.NoticeRules(ctx, fedID)
		if err != nil || !rules.Remind || rules.Unconnected == 0 {
			return err
		}
		ids, err = tx.UnremindedPeople(ctx, fedID, s.now().Add(-remindedLatest), s.now().Add(-rules.Unconnected), remindedAtOnce)
		return err
	})
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.Store.InTx(ctx, func(tx Tx) error {
		for _, id := range ids {
			// Who connected meanwhile, or was reminded today by another federation, is left out.
			err := s.remindOne(ctx, tx, domain.System, fedID, id)
			if code := domain.CodeOf(err); err != nil && code != domain.Conflict && code != domain.Limited {
				return err
			}
		}
		s.MailWake()
		return nil
	})
}

func (s *Service) connectMail(e Enrolment) domain.Mail {
	return s.Texts.Mail(site.MailConnect, map[string]string{"federation": e.Federation.Name, "partition": fmt.Sprint(e.Request.Partition),
		"request": e.Request.Ref, "since": e.Request.DecidedAt.UTC().Format("2 January 2006"), "link": s.PublicURL() + "/me/" + e.Federation.Slug})
}
