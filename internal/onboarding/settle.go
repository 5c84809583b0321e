package onboarding

import (
	"context"
	"errors"
	"time"

	"blossomtune/internal/domain"
)

// settleEvery is how often [Service.Settle] looks by itself; asking wakes it at once.
const settleEvery = 15 * time.Second

// Settle does, until ctx ends, the work that asking leaves for after the answer. What was left open by a server that was stopped
// is done first.
func (s *Service) Settle(ctx context.Context, failed func(error)) {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.SettleAsks(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
		case <-s.asked:
		case <-tick.C:
		}
	}
}

// SettleAsks turns what was asked into requests and codes, and returns when nothing is open any more.
func (s *Service) SettleAsks(ctx context.Context) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	for {
		var open []domain.Ask
		err := s.Store.View(ctx, func(tx Tx) (err error) { open, err = tx.OpenAsks(ctx, 100); return err })
		if err != nil || len(open) == 0 {
			return err
		}
		var errs []error
		for _, a := range open {
			errs = append(errs, s.settleOne(ctx, a))
		}
		s.MailWake()
		if err := errors.Join(errs...); err != nil {
			return err
		}
	}
}

// settleOne is one ask's transaction. One that can come to nothing any more, because its federation or invitation is gone, is dropped.
func (s *Service) settleOne(ctx context.Context, a domain.Ask) error {
	var r domain.Request
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		if r, err = s.settle(ctx, tx, a); err != nil {
			return err
		}
		return tx.SettleAsk(ctx, a.Ref, r.ID)
	})
	if code := domain.CodeOf(err); code == domain.NotFound || code == domain.Invalid {
		return s.Store.InTx(ctx, func(tx Tx) error { return tx.DropAsk(ctx, a.Ref) })
	}
	if err == nil {
		s.publish(r)
	}
	return err
}

// settle finds the active request of who asked, or makes one, and mails its code to them under the id that they were told.
func (s *Service) settle(ctx context.Context, tx Tx, a domain.Ask) (domain.Request, error) {
	fed, err := tx.FederationByID(ctx, a.FederationID)
	if err != nil {
		return domain.Request{}, err
	}
	r, err := s.requestOf(ctx, tx, a)
	if err == nil {
		_, err = s.sendCode(ctx, tx, fed, &r, a.Ref)
	}
	return r, err
}

// requestOf returns the active request of who asked, or a new one.
func (s *Service) requestOf(ctx context.Context, tx Tx, a domain.Ask) (domain.Request, error) {
	p, err := s.person(ctx, tx, a)
	if err != nil {
		return domain.Request{}, err
	}
	r, err := tx.ActiveRequest(ctx, a.FederationID, p.ID)
	if err == nil && r.State == domain.Unverified && a.InvitationID != 0 {
		r.InvitationID = a.InvitationID
		return r, tx.UpdateRequest(ctx, r)
	}
	if domain.CodeOf(err) != domain.NotFound {
		return r, err
	}
	now := s.now()
	r = domain.Request{Ref: a.Ref, FederationID: a.FederationID, PersonID: p.ID, Email: a.Email, State: domain.Unverified, Partition: -1,
		Name: a.Name, Organisation: a.Organisation, Message: a.Message, InvitationID: a.InvitationID, CreatedAt: now,
		ExpiresAt: now.Add(domain.RequestsLife)}
	if err := tx.InsertRequest(ctx, &r); err != nil {
		return r, err
	}
	actor := domain.Actor{Kind: "person", PersonID: p.ID, Name: a.Name}
	return r, tx.InsertAudit(ctx, s.entry(actor, r, "request."+string(domain.Unverified), nil))
}
