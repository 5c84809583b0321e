package onboarding

import (
	"blossomtune/internal/domain"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"strconv"
	"time"
)

func codeHash(ref, code string) []byte {
	sum := sha256.Sum256([]byte("blossomtune-code:" + ref + ":" + code))
	return sum[:]
}

// codeDay is how long codes count against the limit on their number.
const codeDay = 24 * time.Hour

// sendCode mails a new code within the limits, with the id that the asker was told; it reports false, and mails nothing, where
// the limits are reached.
func (s *Service) sendCode(ctx context.Context, tx Tx, fed domain.Federation, r *domain.Request, told string) (bool, error) {
	now := s.now()
	if now.Sub(r.Code.SentAt) >= codeDay {
		r.Code.Sent = 0
	}
	if r.Code.Sent >= domain.CodeSends || now.Sub(r.Code.SentAt) < domain.CodeSendGap {
		return false, nil
	}
	code := readable(2, 4)
	r.Code = domain.ActivationCode{Hash: codeHash(r.Ref, domain.NormalCode(code)), ExpiresAt: now.Add(domain.CodeLife), Sent: r.Code.Sent + 1,
		SentAt: now}
	if err := tx.UpdateRequest(ctx, *r); err != nil {
		return false, err
	}
	return true, s.mail(ctx, tx, r.Email, s.codeMail(fed, told, code))
}

// told is a request under the id that an asker was told. That is the request's own, or that of an ask which came to it: then nothing
// that happened to the request before may show, and what is answered about the code follows from the ask alone.
type told struct {
	request domain.Request
	ask     *domain.Ask // nil where the id is the request's own
}

func byTold(ctx context.Context, tx Tx, ref string) (told, error) {
	r, err := tx.RequestByRef(ctx, ref)
	if domain.CodeOf(err) != domain.NotFound {
		return told{request: r}, err
	}
	a, err := tx.AskByRef(ctx, ref)
	if err != nil {
		return told{}, err
	}
	r, err = tx.RequestByID(ctx, a.RequestID) // 0 while it is open: there is none
	return told{request: r, ask: &a}, err
}

// Resend mails a new code for a request. It says nothing of the request; only the limit on mails is told.
func (s *Service) Resend(ctx context.Context, ref, address string) error {
	if !s.asks.Allow(address, s.now()) {
		return domain.Errorf(domain.Limited, "Too many requests from your address.").Fix("Wait ten minutes, then try again.")
	}
	refused := false
	err := s.Store.InTx(ctx, func(tx Tx) error {
		t, err := byTold(ctx, tx, ref)
		if domain.CodeOf(err) == domain.NotFound {
			refused = false
			return nil
		}
		if err != nil {
			return err
		}
		if t.ask != nil {
			if refused = !s.mayResend(t.ask); refused {
				return nil
			}
			if err := tx.UpdateAskCode(ctx, *t.ask); err != nil {
				return err
			}
		}
		fed, err := tx.FederationByID(ctx, t.request.FederationID)
		if err != nil {
			return err
		}
		sent, err := s.sendCode(ctx, tx, fed, &t.request, ref)
		refused = !sent && t.ask == nil
		return err
	})
	if err != nil {
		return err
	}
	if refused {
		return domain.Errorf(domain.Limited, "A code was mailed a moment ago, or as often as one day allows.").
			Fix("Look into your mail, also among the spam; then wait a minute and try again.")
	}
	s.MailWake()
	return nil
}

// mayResend applies the limits of a new request to an ask, and notes that a code was asked for.
func (s *Service) mayResend(a *domain.Ask) bool {
	now := s.now()
	if now.Sub(a.CodeSentAt) >= codeDay {
		a.CodeSent = 0
	}
	if a.CodeSent >= domain.CodeSends || now.Sub(a.CodeSentAt) < domain.CodeSendGap {
		return false
	}
	a.CodeTries, a.CodeSent, a.CodeSentAt = 0, a.CodeSent+1, now
	return true
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
		t, err := byTold(ctx, tx, domain.NormalRef(ref))
		if domain.CodeOf(err) == domain.NotFound {
			refused = wrongCode(domain.CodeTries - 1)
			return nil
		}
		if err != nil {
			return err
		}
		r = t.request
		if refused = s.tryCode(&r, code); refused != nil {
			if t.ask != nil {
				refused = s.asIfNew(t.ask)
				if err := tx.UpdateAskCode(ctx, *t.ask); err != nil {
					return err
				}
			}
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

// asIfNew answers a wrong code as a new request would whose code was mailed when this ask came.
func (s *Service) asIfNew(a *domain.Ask) *domain.Error {
	if a.CodeTries >= domain.CodeTries || s.now().After(a.CodeSentAt.Add(domain.CodeLife)) {
		return codeRanOut()
	}
	a.CodeTries++
	return wrongCode(domain.CodeTries - a.CodeTries)
}

// unite gives the accounts of a person without an address to the person of a request, whose address they just proved.
func (s *Service) unite(ctx context.Context, tx Tx, from domain.Person, r domain.Request) error {
	if err := tx.MoveIdentities(ctx, from.ID, r.PersonID); err != nil {
		return err
	}
	return tx.InsertAudit(ctx,
		domain.AuditEntry{At: s.now(), Actor: domain.Actor{Kind: "person", PersonID: r.PersonID, Name: r.Name}, Action: "identity.moved",
			ObjectKind: "person",
			ObjectID:   strconv.FormatInt(r.PersonID, 10), Detail: map[string]string{"from": strconv.FormatInt(from.ID, 10), "request": r.Ref}})
}

// tryCode compares a code and uses up a try, or the code.
func (s *Service) tryCode(r *domain.Request, code string) *domain.Error {
	c := &r.Code
	switch {
	case len(c.Hash) == 0 || s.now().After(c.ExpiresAt) || c.Tries >= domain.CodeTries:
		return codeRanOut()
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

func codeRanOut() *domain.Error {
	return domain.Errorf(domain.Expired, "This code has run out.").Fix("Send a new code. Your answers are kept.").At("code")
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
