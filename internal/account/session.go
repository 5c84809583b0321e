package account

import (
	"context"
	"strconv"
	"time"

	"blossomtune/internal/domain"
)

// SessionCookie is the name of a signed-in browser's cookie; the API takes it as well as an API token.
const SessionCookie = "blossomtune_session"

// How long sessions live.
const (
	SessionLife = 30 * 24 * time.Hour
	SessionIdle = 7 * 24 * time.Hour
)

const maxAgent = 200

// NewSession signs a person in and returns the secret of the cookie.
func (s *Service) NewSession(ctx context.Context, personID int64, address, agent string) (secret string, v domain.Session, err error) {
	secret = newSecret()
	v = domain.Session{PersonID: personID, CreatedAt: s.now(), LastSeenAt: s.now(), ExpiresAt: s.now().
		Add(SessionLife), Address: address, Agent: domain.Cut(agent, maxAgent)}
	err = s.Store.InTx(ctx, func(tx Tx) error {
		p, err := tx.PersonByID(ctx, personID)
		if err != nil {
			return err
		}
		if err := s.adminByMail(ctx, tx, &p); err != nil {
			return err
		}
		if err := tx.DeleteSessionsBefore(ctx, s.now()); err != nil {
			return err
		}
		if err := tx.InsertSession(ctx, &v, hashOf("session", secret)); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(ActorOf(p), "session.begun", p, nil))
	})
	return secret, v, err
}

// Authenticate returns the person of a session's secret, or a [domain.Unauthenticated] error.
func (s *Service) Authenticate(ctx context.Context, secret string) (domain.Person, domain.Session, error) {
	var p domain.Person
	var v domain.Session
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if v, err = tx.SessionByHash(ctx, hashOf("session", secret)); err == nil {
			p, err = tx.PersonByID(ctx, v.PersonID)
		}
		return err
	})
	now := s.now()
	if domain.CodeOf(err) == domain.NotFound || err == nil && s.ended(v) {
		return domain.Person{}, domain.Session{}, domain.Errorf(domain.Unauthenticated, "You are not signed in.").Fix("Sign in, then come back.")
	}
	if err == nil {
		s.touch("session "+strconv.FormatInt(v.ID, 10), v.LastSeenAt, now,
			func(ctx context.Context, tx Tx) error { return tx.TouchSession(ctx, v.ID, now) })
	}
	return p, v, err
}

// EndSession signs a person out; ending an ended session is no error.
func (s *Service) EndSession(ctx context.Context, v domain.Session) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		p, err := tx.PersonByID(ctx, v.PersonID)
		if err != nil {
			return err
		}
		if err := tx.DeleteSession(ctx, v.ID); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(ActorOf(p), "session.ended", p, nil))
	})
}

// Sessions lists where a person is signed in, expired ones left out.
func (s *Service) Sessions(ctx context.Context, personID int64) (out []domain.Session, err error) {
	err = s.Store.View(ctx, func(tx Tx) error {
		all, err := tx.SessionsOf(ctx, personID)
		out = nil
		for _, v := range all {
			if !s.ended(v) {
				out = append(out, v)
			}
		}
		return err
	})
	return out, err
}

func (s *Service) ended(v domain.Session) bool {
	return s.now().After(v.ExpiresAt) || s.now().Sub(v.LastSeenAt) > SessionIdle
}

// EndSessions ends a person's own sessions: the one with the id, or with 0 all but the current one.
func (s *Service) EndSessions(ctx context.Context, current domain.Session, id int64) error {
	all, err := s.Sessions(ctx, current.PersonID)
	if err != nil {
		return err
	}
	found := id == 0
	for _, v := range all {
		if id == 0 && v.ID != current.ID || id != 0 && v.ID == id {
			found = true
			if err := s.EndSession(ctx, v); err != nil {
				return err
			}
		}
	}
	if !found {
		return domain.Errorf(domain.NotFound, "You have no such session.")
	}
	return nil
}
