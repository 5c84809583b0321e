package account

import (
	"context"
	"slices"
	"strconv"

	"blossomtune/internal/domain"
)

// Access is everything with which a person gets in without proving who they are again.
type Access struct {
	Person   domain.Person
	Sessions []domain.Session  // the last used first, expired ones left out
	Tokens   []domain.APIToken // the newest first
}

// Access returns a person's sessions and API tokens, or a [domain.NotFound] error. It is for admins.
func (s *Service) Access(ctx context.Context, personID int64) (a Access, err error) {
	err = s.Store.View(ctx, func(tx Tx) error { a, err = s.access(ctx, tx, personID); return err })
	return a, err
}

func (s *Service) access(ctx context.Context, tx Tx, personID int64) (a Access, err error) {
	if a.Person, err = tx.PersonByID(ctx, personID); err != nil {
		return a, err
	}
	if a.Sessions, err = tx.SessionsOf(ctx, personID); err != nil {
		return a, err
	}
	a.Sessions = slices.DeleteFunc(a.Sessions, s.ended)
	a.Tokens, err = tx.APITokensOf(ctx, personID)
	return a, err
}

// EndSessionOf signs a person out in one place, on an admin's word.
func (s *Service) EndSessionOf(ctx context.Context, actor domain.Actor, personID, sessionID int64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		a, err := s.access(ctx, tx, personID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(a.Sessions, func(v domain.Session) bool { return v.ID == sessionID })
		if i < 0 {
			return domain.Errorf(domain.NotFound, "%s has no such session.", nameFor(a.Person)).Fix("It may have ended already. Reload the page.")
		}
		if err := tx.DeleteSession(ctx, sessionID); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(actor, "session.ended", a.Person, map[string]string{"address": a.Sessions[i].Address}))
	})
}

// RevokeTokenOf ends one of a person's API tokens, on an admin's word.
func (s *Service) RevokeTokenOf(ctx context.Context, actor domain.Actor, personID, tokenID int64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		a, err := s.access(ctx, tx, personID)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(a.Tokens, func(t domain.APIToken) bool { return t.ID == tokenID })
		if i < 0 {
			return domain.Errorf(domain.NotFound, "%s has no such API token.", nameFor(a.Person)).
				Fix("It may have been revoked already. Reload the page.")
		}
		if err := tx.DeleteAPIToken(ctx, personID, tokenID); err != nil {
			return err
		}
		return tx.InsertAudit(ctx,
			s.entry(actor, "api_token.revoked", a.Person, map[string]string{"id": strconv.FormatInt(tokenID, 10), "name": a.Tokens[i].Name}))
	})
}

// EndAccess signs a person out everywhere, revokes all their API tokens and withdraws their unused sign-in links. They can sign in
// again: their roles and requests stay.
func (s *Service) EndAccess(ctx context.Context, actor domain.Actor, personID int64) (ended Access, err error) {
	err = s.Store.InTx(ctx, func(tx Tx) error {
		if ended, err = s.access(ctx, tx, personID); err != nil {
			return err
		}
		for _, del := range []func(context.Context, int64) error{tx.DeleteSessionsOf, tx.DeleteAPITokensOf, tx.DeleteSignInLinksOf} {
			if err := del(ctx, personID); err != nil {
				return err
			}
		}
		return tx.InsertAudit(ctx, s.entry(actor, "person.access_ended", ended.Person,
			map[string]string{"sessions": strconv.Itoa(len(ended.Sessions)), "api_tokens": strconv.Itoa(len(ended.Tokens))}))
	})
	return ended, err
}

func nameFor(p domain.Person) string {
	if p.Name != "" {
		return p.Name
	}
	return p.Email
}
