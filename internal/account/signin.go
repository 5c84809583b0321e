package account

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"blossomtune/internal/account/provider"
	"blossomtune/internal/domain"
)

// How long a sign-in with a provider may take, and how many may be under way.
const (
	attemptLife = 15 * time.Minute
	maxAttempts = 10_000
)

// attempts are the sign-ins under way, by state. They live in memory: a restart asks the few concerned to try again.
type attempts struct {
	mu   sync.Mutex
	open map[string]attempt
}

type attempt struct {
	provider.Attempt
	until time.Time
}

func (a *attempts) put(v provider.Attempt, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for state, old := range a.open {
		if now.After(old.until) {
			delete(a.open, state)
		}
	}
	if len(a.open) >= maxAttempts {
		return false
	}
	a.open[v.State] = attempt{v, now.Add(attemptLife)}
	return true
}

func (a *attempts) take(state string, now time.Time) (provider.Attempt, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	v, ok := a.open[state]
	delete(a.open, state)
	return v.Attempt, ok && now.Before(v.until)
}

// maxReason bounds what a provider's answer adds to the log.
const maxReason = 500

// Refused logs why a sign-in did not work; the person only learns what to do. way is how they tried: a provider or "e-mail". A nil err
// logs nothing. A flood of refusals is logged in part.
func (s *Service) Refused(way string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) && s.refusals.Allow("all", s.now()) {
		s.Log.Warn("sign-in refused", "with", domain.Cut(domain.Line(way), 40), "reason", domain.Cut(domain.Line(err.Error()), maxReason))
	}
}

// Way is a sign-in provider as pages show it.
type Way struct{ ID, Label string }

// Ways lists the configured sign-in providers.
func (s *Service) Ways() []Way {
	out := make([]Way, len(s.Providers))
	for i, p := range s.Providers {
		out[i] = Way{p.ID(), p.Label()}
	}
	return out
}

func (s *Service) provider(id string) (*provider.Provider, error) {
	for _, p := range s.Providers {
		if p.ID() == id {
			return p, nil
		}
	}
	return nil, domain.Errorf(domain.NotFound, "There is no sign-in provider %q.", id)
}

// BeginSignIn starts a sign-in with a provider: where the browser goes, and the state that it must bring back, by a cookie too.
func (s *Service) BeginSignIn(ctx context.Context, id, address string) (to, state string, err error) {
	defer func() { s.Refused(id, err) }()
	p, err := s.provider(id)
	if err != nil {
		return "", "", err
	}
	full := domain.Errorf(domain.Limited, "Too many sign-ins are under way.").Fix("Wait some minutes, then try again.")
	if !s.signIns.Allow(address, s.now()) {
		return "", "", full
	}
	to, a, err := p.Begin(ctx, s.PublicURL()+"/signin/callback/"+id)
	if err != nil {
		return "", "", err
	}
	if !s.attempts.put(a, s.now()) {
		return "", "", full
	}
	return to, a.State, nil
}

// FinishSignIn takes what the browser came back with and returns the person. current is who is signed in already (ID 0: nobody):
// then a new identity is linked to them.
func (s *Service) FinishSignIn(ctx context.Context, id, state, code string, current domain.Person) (person domain.Person, err error) {
	defer func() { s.Refused(id, err) }()
	p, err := s.provider(id)
	if err != nil {
		return domain.Person{}, err
	}
	a, ok := s.attempts.take(state, s.now())
	if !ok || a.Provider != id || code == "" {
		return domain.Person{}, domain.Errorf(domain.Expired, "This sign-in has run out or was not begun here.").
			Fix("Begin again at the sign-in page.")
	}
	who, err := p.Finish(ctx, a, code)
	if err != nil {
		return domain.Person{}, err
	}
	return s.admit(ctx, who, current)
}

// admit finds or makes the person of an identity.
func (s *Service) admit(ctx context.Context, who domain.Identity, current domain.Person) (domain.Person, error) {
	var person domain.Person
	err := s.Store.InTx(ctx, func(tx Tx) error {
		known, err := tx.IdentityBySubject(ctx, who.Provider, who.Subject)
		switch {
		case err == nil && current.ID != 0 && known.PersonID != current.ID:
			return domain.Errorf(domain.Conflict, "This account belongs to another person here.").Fix("Sign out, then sign in with it.")
		case err == nil:
			who.ID, who.PersonID, who.CreatedAt, who.UsedAt = known.ID, known.PersonID, known.CreatedAt, s.now()
			if person, err = tx.PersonByID(ctx, known.PersonID); err != nil {
				return err
			}
			if err := tx.UpdateIdentity(ctx, who); err != nil {
				return err
			}
		case domain.CodeOf(err) == domain.NotFound:
			if person, err = s.link(ctx, tx, who, current); err != nil {
				return err
			}
		default:
			return err
		}
		return s.adminByIdentity(ctx, tx, &person, who)
	})
	return person, err
}

// link binds a new identity: to who is signed in; else to the owner of the address, if the provider says that it was proven; else
// to a new person. An address that was not proven is nobody's.
func (s *Service) link(ctx context.Context, tx Tx, who domain.Identity, current domain.Person) (domain.Person, error) {
	person := current
	email := ""
	if who.EmailVerified {
		email = who.Email
	}
	if person.ID == 0 && email != "" {
		found, err := tx.PersonByEmail(ctx, email)
		if err != nil && domain.CodeOf(err) != domain.NotFound {
			return person, err
		}
		person = found
	}
	if person.ID == 0 {
		person = domain.Person{Email: email, Name: nameOf(who), CreatedAt: s.now()}
		if err := tx.InsertPerson(ctx, &person); err != nil {
			return person, err
		}
	}
	who.PersonID, who.CreatedAt, who.UsedAt = person.ID, s.now(), s.now()
	if err := tx.InsertIdentity(ctx, &who); err != nil {
		return person, err
	}
	return person, tx.InsertAudit(ctx,
		s.entry(ActorOf(person), "identity.linked", person, map[string]string{"provider": who.Provider, "login": who.Login}))
}

func nameOf(who domain.Identity) string {
	for _, n := range []string{domain.Line(who.Name), domain.Line(who.Login), who.Email} {
		if n != "" {
			return domain.Cut(n, 120)
		}
	}
	return "Somebody"
}

// adminByIdentity makes an admin of who is named by BLOSSOMTUNE_ADMINS: by a proven address, "provider:login" or
// "provider-org:organisation".
func (s *Service) adminByIdentity(ctx context.Context, tx Tx, p *domain.Person, who domain.Identity) error {
	if p.Admin {
		return nil
	}
	names := []string{who.Provider + ":" + strings.ToLower(who.Login)}
	for _, o := range who.Organisations {
		names = append(names, who.Provider+"-org:"+o)
	}
	if who.EmailVerified && who.Email != "" {
		names = append(names, who.Email)
	}
	for _, n := range names {
		if slices.Contains(s.Admins, n) && !strings.HasSuffix(n, ":") {
			p.Admin = true
			if err := tx.UpdatePerson(ctx, *p); err != nil {
				return err
			}
			return tx.InsertAudit(ctx, s.entry(domain.System, "person.made_admin", *p, map[string]string{"by": "BLOSSOMTUNE_ADMINS", "as": n}))
		}
	}
	return nil
}

// Identities lists a person's accounts elsewhere.
func (s *Service) Identities(ctx context.Context, personID int64) (out []domain.Identity, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.IdentitiesOf(ctx, personID); return err })
	return out, err
}

// Unlink takes an identity from a person. The last way to sign in stays: somebody without a proven address keeps one identity.
func (s *Service) Unlink(ctx context.Context, p domain.Person, identityID int64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		all, err := tx.IdentitiesOf(ctx, p.ID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(all, func(v domain.Identity) bool { return v.ID == identityID })
		if i < 0 {
			return domain.Errorf(domain.NotFound, "You have no such account linked.")
		}
		if p.Email == "" && len(all) == 1 {
			return domain.Errorf(domain.Conflict, "This is your only way to sign in.").Fix("Link another account first.")
		}
		if err := tx.DeleteIdentity(ctx, identityID); err != nil {
			return err
		}
		return tx.InsertAudit(ctx,
			s.entry(ActorOf(p), "identity.unlinked", p, map[string]string{"provider": all[i].Provider, "login": all[i].Login}))
	})
}
