package onboarding

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"blossomtune/internal/domain"
)

// AskInput is the form with which somebody asks to join.
type AskInput struct {
	FederationID int64
	Email        string
	Name         string
	Organisation string
	Message      string
	Address      string        // of the client, for limits
	Invitation   string        // the secret of the link by which they came; may be empty
	Asker        domain.Person // who is signed in; ID 0 for nobody
}

const (
	maxShort   = 120
	maxMessage = 2000
)

// Ask takes a request to join; its activation code is mailed. Whether the address is known, or has asked before, is looked up only
// after the answer ([Service.Settle]): until then the same is done for everybody, and kept in the database. So neither what is
// returned nor how long it takes tells anything. The id that is told is new each time, and leads to the request there is.
//
// Somebody who asks with the address that they are signed in with is asking for themselves, and has the request at once.
// For others only the Ref of the returned request is set.
func (s *Service) Ask(ctx context.Context, in AskInput) (domain.Request, error) {
	if !s.asks.Allow(in.Address, s.now()) {
		return domain.Request{}, domain.Errorf(domain.Limited, "Too many requests from your address.").Fix("Wait ten minutes, then ask again.")
	}
	email, err := s.checkAsk(&in)
	if err != nil {
		return domain.Request{}, err
	}
	if _, host, _ := strings.Cut(email, "@"); s.MailTakes != nil {
		if err := s.MailTakes(ctx, host); err != nil {
			return domain.Request{}, err
		}
	}
	a := domain.Ask{Ref: newRef(), FederationID: in.FederationID, Email: email, Name: in.Name, Organisation: in.Organisation,
		Message: in.Message, CreatedAt: s.now(), CodeSent: 1, CodeSentAt: s.now()}
	own := in.Asker.ID != 0 && in.Asker.Email == email
	r := domain.Request{Ref: a.Ref}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		fed, err := tx.FederationByID(ctx, in.FederationID)
		if err != nil {
			return err
		}
		if fed.Asking.AnswerNeeded && in.Message == "" {
			return domain.Errorf(domain.Invalid, "%s asks for an answer here.", fed.Name).At("message")
		}
		inv, err := s.checkAsker(ctx, tx, fed, in, email)
		if err != nil {
			return err
		}
		a.InvitationID = inv.ID
		if !own {
			return tx.InsertAsk(ctx, a)
		}
		if r, err = s.requestOf(ctx, tx, a); err != nil {
			return err
		}
		return s.proveOrSend(ctx, tx, fed, in, &r)
	})
	if err != nil {
		return domain.Request{}, err
	}
	if own {
		s.MailWake()
		s.publish(r)
		return r, nil
	}
	select {
	case s.asked <- struct{}{}:
	default: // one wake waits already
	}
	return r, nil
}

// proveOrSend takes a sign-in as proof where that is enough, and mails a code otherwise.
func (s *Service) proveOrSend(ctx context.Context, tx Tx, fed domain.Federation, in AskInput, r *domain.Request) error {
	if proven(fed, in, r.Email) {
		if r.State == domain.Unverified {
			return s.arrive(ctx, tx, r)
		}
		return nil
	}
	_, err := s.sendCode(ctx, tx, fed, r, r.Ref)
	return err
}

func (s *Service) checkAsk(in *AskInput) (string, error) {
	var errs domain.Errors
	email, err := domain.NormalEmail(in.Email)
	errs = errs.With(err)
	in.Name, in.Organisation, in.Message = domain.Line(in.Name), domain.Line(in.Organisation), domain.Text(in.Message)
	if in.Name == "" {
		errs = append(errs, domain.Errorf(domain.Invalid, "Your name is missing.").Fix("Managers see it when they review your request.").
			At("name"))
	}
	for field, v := range map[string]string{"name": in.Name, "organisation": in.Organisation} {
		if len(v) > maxShort {
			errs = append(errs, domain.Errorf(domain.Invalid, "This is longer than %d bytes.", maxShort).At(field))
		}
	}
	if len(in.Message) > maxMessage {
		errs = append(errs, domain.Errorf(domain.Invalid, "This is longer than %d bytes.", maxMessage).At("message"))
	}
	return email, errs.OrNil()
}

func (s *Service) person(ctx context.Context, tx Tx, a domain.Ask) (domain.Person, error) {
	p, err := tx.PersonByEmail(ctx, a.Email)
	if domain.CodeOf(err) != domain.NotFound {
		return p, err
	}
	p = domain.Person{Email: a.Email, Name: a.Name, Organisation: a.Organisation, CreatedAt: s.now()}
	return p, tx.InsertPerson(ctx, &p)
}

// readable makes a code that people can read aloud.
func readable(groups, size int) string {
	raw := make([]byte, groups*size)
	_, _ = rand.Read(raw) // never fails
	var b strings.Builder
	for i, c := range raw {
		if i > 0 && i%size == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(domain.CodeAlphabet[int(c)%len(domain.CodeAlphabet)])
	}
	return b.String()
}

func newRef() string { return readable(2, 4) }

func (s *Service) mail(ctx context.Context, tx Tx, to string, m domain.Mail) error {
	if to == "" {
		return nil
	}
	m.To, m.State, m.CreatedAt, m.NextAt = to, s.MailState(), s.now(), s.now()
	if err := tx.InsertMail(ctx, &m); err != nil {
		return fmt.Errorf("mailing: %w", err)
	}
	return nil
}
