package account

import (
	"context"
	"errors"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// How long one-time links live.
const (
	SetupLife  = 24 * time.Hour
	SignInLife = 30 * time.Minute
)

// NewSetupLink makes the one-time link for the first admin; an earlier unused one stops working. It reports false when there
// is an admin already.
func (s *Service) NewSetupLink(ctx context.Context) (secret string, ok bool, err error) {
	fresh := newSecret()
	err = s.Store.InTx(ctx, func(tx Tx) error {
		n, err := people(ctx, tx)
		if ok = n == 0; err != nil || !ok {
			return err
		}
		if err := tx.DeleteLinks(ctx, domain.LinkSetup); err != nil {
			return err
		}
		return tx.InsertLink(ctx, &domain.Link{Purpose: domain.LinkSetup, CreatedAt: s.now(), ExpiresAt: s.now().Add(SetupLife)},
			hashOf("link", fresh))
	})
	return fresh, ok, err
}

// SetupOpen reports whether there is no admin yet, so that the setup link is still needed.
func (s *Service) SetupOpen(ctx context.Context) (open bool, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		n, err := people(ctx, tx)
		open = n == 0
		return err
	})
	return open, err
}

// NewSignInLink makes a one-time link that signs a person in.
func (s *Service) NewSignInLink(ctx context.Context, personID int64) (string, error) {
	secret := newSecret()
	err := s.Store.InTx(ctx, func(tx Tx) error {
		p, err := tx.PersonByID(ctx, personID)
		if err != nil {
			return err
		}
		if err := s.insertSignIn(ctx, tx, personID, secret); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(domain.System, "link.made", p, nil))
	})
	return secret, err
}

func (s *Service) insertSignIn(ctx context.Context, tx Tx, personID int64, secret string) error {
	return tx.InsertLink(ctx,
		&domain.Link{Purpose: domain.LinkSignIn, PersonID: personID, CreatedAt: s.now(), ExpiresAt: s.now().Add(SignInLife)},
		hashOf("link", secret))
}

// MailSignInLink mails a sign-in link to a known address or a configured admin's; for others it does nothing, and the caller
// cannot tell the difference: whether the address is known is looked up after the answer.
func (s *Service) MailSignInLink(_ context.Context, email, address string) (err error) {
	defer func() { s.Refused(byMail, err) }()
	email, err = domain.NormalEmail(email)
	if err != nil {
		return err
	}
	if !s.mails.Allow("to:"+email, s.now()) || !s.mails.Allow("from:"+address, s.now()) {
		return domain.Errorf(domain.Limited, "Too many sign-in mails.").Fix("Look into your mail, also among the spam; or wait ten minutes.")
	}
	s.Later(func(ctx context.Context) {
		if err := s.mailSignInLink(ctx, email); err != nil && ctx.Err() == nil {
			s.Log.Error("mailing a sign-in link", "err", err)
		}
	})
	return nil
}

func (s *Service) mailSignInLink(ctx context.Context, email string) error {
	secret := newSecret()
	err := s.Store.InTx(ctx, func(tx Tx) error {
		p, err := tx.PersonByEmail(ctx, email)
		if domain.CodeOf(err) == domain.NotFound {
			if p, err = s.newAdmin(ctx, tx, email); err == nil && p.ID == 0 {
				return errNobody
			}
		}
		if err != nil {
			return err
		}
		if err := s.insertSignIn(ctx, tx, p.ID, secret); err != nil {
			return err
		}
		m := s.Texts.Mail(site.MailSignIn, map[string]string{"link": s.PublicURL() + "/signin/" + secret})
		m.To, m.State, m.CreatedAt, m.NextAt = email, s.MailState(), s.now(), s.now()
		if err := tx.InsertMail(ctx, &m); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(domain.System, "link.mailed", p, nil))
	})
	if errors.Is(err, errNobody) {
		s.Refused(byMail, err)
		return nil
	}
	if err == nil {
		s.MailWake()
	}
	return err
}

// byMail is the way to sign in with a mailed link, for the log.
const byMail = "e-mail"

var errNobody = errors.New("no account has this address, so no link was mailed")

// newAdmin adds the person of a configured admin address that is not known yet. The right comes when the mailed link is used.
func (s *Service) newAdmin(ctx context.Context, tx Tx, email string) (domain.Person, error) {
	for _, a := range s.Admins {
		if a == email {
			p := domain.Person{Email: email, Name: email, CreatedAt: s.now()}
			return p, tx.InsertPerson(ctx, &p)
		}
	}
	return domain.Person{}, nil
}

// Link returns a one-time link that can still be used; looking changes nothing.
func (s *Service) Link(ctx context.Context, secret string) (l domain.Link, err error) {
	defer func() { s.Refused("a link", err) }()
	err = s.Store.View(ctx, func(tx Tx) (err error) { l, err = s.goodLink(ctx, tx, secret); return err })
	return l, err
}

func (s *Service) goodLink(ctx context.Context, tx Tx, secret string) (domain.Link, error) {
	gone := domain.Errorf(domain.Expired, "This link has been used or has run out.").Fix("Ask for a new one at the sign-in page.")
	l, err := tx.LinkByHash(ctx, hashOf("link", secret))
	if domain.CodeOf(err) == domain.NotFound || err == nil && (!l.UsedAt.IsZero() || s.now().After(l.ExpiresAt)) {
		return l, gone
	}
	return l, err
}

// UseLink signs in with a one-time link: it works once.
func (s *Service) UseLink(ctx context.Context, secret string) (p domain.Person, err error) {
	defer func() { s.Refused(byMail, err) }()
	err = s.Store.InTx(ctx, func(tx Tx) error {
		l, err := s.goodLink(ctx, tx, secret)
		if err != nil {
			return err
		}
		if l.Purpose != domain.LinkSignIn {
			return domain.Errorf(domain.Invalid, "This link is not for signing in.")
		}
		if err := tx.UseLink(ctx, l.ID, s.now()); err != nil {
			return err
		}
		if p, err = tx.PersonByID(ctx, l.PersonID); err != nil {
			return err
		}
		if err := s.adminByMail(ctx, tx, &p); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(ActorOf(p), "link.used", p, nil))
	})
	return p, err
}

// Setup makes the first admin with the one-time setup link.
func (s *Service) Setup(ctx context.Context, secret, email, name string) (p domain.Person, err error) {
	defer func() { s.Refused("the setup link", err) }()
	email, err = domain.NormalEmail(email)
	if err != nil {
		return domain.Person{}, err
	}
	name = domain.Line(name)
	if name == "" || len(name) > 120 {
		return domain.Person{}, domain.Errorf(domain.Invalid, "A name has 1 to 120 bytes.").At("name")
	}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		l, err := s.goodLink(ctx, tx, secret)
		if err != nil {
			return err
		}
		n, err := people(ctx, tx)
		if err != nil {
			return err
		}
		if l.Purpose != domain.LinkSetup || n > 0 {
			return domain.Errorf(domain.Expired, "There is an admin already.").Fix("Sign in by e-mail.")
		}
		if err := tx.UseLink(ctx, l.ID, s.now()); err != nil {
			return err
		}
		p, err = s.makeAdmin(ctx, tx, email, name)
		if err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(ActorOf(p), "person.made_admin", p, map[string]string{"by": "setup link"}))
	})
	return p, err
}

func (s *Service) makeAdmin(ctx context.Context, tx Tx, email, name string) (domain.Person, error) {
	p, err := tx.PersonByEmail(ctx, email)
	switch domain.CodeOf(err) {
	case "":
		p.Admin, p.Name = true, name
		return p, tx.UpdatePerson(ctx, p)
	case domain.NotFound:
		p = domain.Person{Email: email, Name: name, Admin: true, CreatedAt: s.now()}
		return p, tx.InsertPerson(ctx, &p)
	}
	return p, err
}

// people counts the admins that are people: the host's own tokens must not keep the first one out.
func people(ctx context.Context, tx Tx) (int, error) {
	n, err := tx.CountAdmins(ctx)
	if err != nil {
		return 0, err
	}
	switch p, err := tx.PersonByEmail(ctx, domain.HostEmail); {
	case err == nil && p.Admin:
		return n - 1, nil
	case domain.CodeOf(err) != domain.NotFound:
		return n, err
	}
	return n, nil
}
