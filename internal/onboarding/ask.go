package onboarding

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"
	"time"

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
	a := domain.Ask{Ref: newRef(), FederationID: in.FederationID, Email: email, Name: in.Name, Organisation: in.Organisation, Message: in.Message, CreatedAt: s.now()}
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
	in.Name, in.Organisation, in.Message = clean(in.Name), clean(in.Organisation), strings.TrimSpace(in.Message)
	if in.Name == "" {
		errs = append(errs, domain.Errorf(domain.Invalid, "Your name is missing.").Fix("Managers see it when they review your request.").At("name"))
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

// clean makes one line of a text: control characters and repeated spaces become one space.
func clean(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == ' ' }), " ")
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

func codeHash(ref, code string) []byte {
	sum := sha256.Sum256([]byte("blossomtune-code:" + ref + ":" + code))
	return sum[:]
}

// sendCode mails a new code within the limits, with the id that the asker was told; it reports false, and mails nothing, where
// the limits are reached.
func (s *Service) sendCode(ctx context.Context, tx Tx, fed domain.Federation, r *domain.Request, told string) (bool, error) {
	now := s.now()
	if now.Sub(r.Code.SentAt) >= 24*time.Hour {
		r.Code.Sent = 0
	}
	if r.Code.Sent >= domain.CodeSends || now.Sub(r.Code.SentAt) < domain.CodeSendGap {
		return false, nil
	}
	code := readable(2, 4)
	r.Code = domain.ActivationCode{Hash: codeHash(r.Ref, domain.NormalCode(code)), ExpiresAt: now.Add(domain.CodeLife), Sent: r.Code.Sent + 1, SentAt: now}
	if err := tx.UpdateRequest(ctx, *r); err != nil {
		return false, err
	}
	return true, s.mail(ctx, tx, r.Email, s.codeMail(fed, told, code))
}

// Resend mails a new code for a request. It says nothing of the request; only the limit on mails is told.
func (s *Service) Resend(ctx context.Context, ref, address string) error {
	if !s.asks.Allow(address, s.now()) {
		return domain.Errorf(domain.Limited, "Too many requests from your address.").Fix("Wait ten minutes, then try again.")
	}
	sent, known := false, false
	err := s.Store.InTx(ctx, func(tx Tx) error {
		r, err := told(ctx, tx, ref)
		if known = err == nil; !known {
			if domain.CodeOf(err) == domain.NotFound {
				return nil
			}
			return err
		}
		fed, err := tx.FederationByID(ctx, r.FederationID)
		if err != nil {
			return err
		}
		sent, err = s.sendCode(ctx, tx, fed, &r, ref)
		return err
	})
	if err != nil {
		return err
	}
	if known && !sent {
		return domain.Errorf(domain.Limited, "A code was mailed a moment ago, or as often as one day allows.").Fix("Look into your mail, also among the spam; then wait a minute and try again.")
	}
	s.MailWake()
	return nil
}

// Verify takes the mailed code. A request that waited for it becomes pending; for a later one the code proves who it is and
// changes nothing. Wrong codes count; after five the code is used up. A right code works once.
//
// current is who is signed in (ID 0: nobody). If they have no address yet, the code shows that theirs is the request's: their
// accounts at sign-in providers become those of its person.
func (s *Service) Verify(ctx context.Context, ref, code string, current domain.Person) (domain.Request, error) {
	var r domain.Request
	var refused *domain.Error
	err := s.Store.InTx(ctx, func(tx Tx) error {
		refused = nil
		var err error
		r, err = told(ctx, tx, strings.ToUpper(strings.TrimSpace(ref)))
		if domain.CodeOf(err) == domain.NotFound {
			refused = wrongCode(domain.CodeTries - 1)
			return nil
		}
		if err != nil {
			return err
		}
		if refused = s.tryCode(&r, code); refused != nil {
			return tx.UpdateRequest(ctx, r)
		}
		if current.ID != 0 && current.Email == "" && current.ID != r.PersonID {
			if err := s.unite(ctx, tx, current, r); err != nil {
				return err
			}
		}
		if r.State != domain.Unverified {
			return tx.UpdateRequest(ctx, r)
		}
		return s.arrive(ctx, tx, &r)
	})
	if err != nil {
		return domain.Request{}, err
	}
	if refused != nil {
		return domain.Request{}, refused
	}
	s.MailWake()
	s.publish(r)
	return r, nil
}

// unite gives the accounts of a person without an address to the person of a request, whose address they just proved.
func (s *Service) unite(ctx context.Context, tx Tx, from domain.Person, r domain.Request) error {
	if err := tx.MoveIdentities(ctx, from.ID, r.PersonID); err != nil {
		return err
	}
	return tx.InsertAudit(ctx, domain.AuditEntry{At: s.now(), Actor: domain.Actor{Kind: "person", PersonID: r.PersonID, Name: r.Name}, Action: "identity.moved", ObjectKind: "person",
		ObjectID: strconv.FormatInt(r.PersonID, 10), Detail: map[string]string{"from": strconv.FormatInt(from.ID, 10), "request": r.Ref}})
}

// tryCode compares a code and uses up a try, or the code.
func (s *Service) tryCode(r *domain.Request, code string) *domain.Error {
	c := &r.Code
	switch {
	case r.State == domain.ExpiredReq || len(c.Hash) == 0 || s.now().After(c.ExpiresAt) || c.Tries >= domain.CodeTries:
		return domain.Errorf(domain.Expired, "This code has run out.").Fix("Send a new code. Your answers are kept.").At("code")
	case subtle.ConstantTimeCompare(c.Hash, codeHash(r.Ref, domain.NormalCode(code))) != 1:
		c.Tries++
		if c.Tries >= domain.CodeTries {
			c.Hash = nil
		}
		return wrongCode(domain.CodeTries - c.Tries)
	}
	c.Hash = nil
	return nil
}

func wrongCode(left int) *domain.Error {
	e := domain.Errorf(domain.Invalid, "That code does not match.").At("code")
	switch left {
	case 0:
		return e.Fix("No tries left: send a new code.")
	case 1:
		return e.Fix("1 try left.")
	}
	return e.Fix("%d tries left.", left)
}

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
