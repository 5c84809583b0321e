package account

import (
	"context"
	"strconv"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// TokenPrefix begins every API token, so that a scanner can find a leaked one.
const TokenPrefix = "bt_"

// MaxTokenLife is the longest life of an API token.
const MaxTokenLife = 366 * 24 * time.Hour

// maxTokens bounds how many API tokens a person has.
const maxTokens = 50

// CreateToken makes an API token that acts as a person, within its scope. Its text is given out once.
func (s *Service) CreateToken(ctx context.Context, actor domain.Actor, personID int64, name string, scope domain.TokenScope,
	life time.Duration) (string, domain.APIToken, error) {
	name = domain.Line(name)
	if name == "" || len(name) > 120 {
		return "", domain.APIToken{}, domain.Errorf(domain.Invalid, "A token's name has 1 to 120 bytes.").At("name")
	}
	if life <= 0 || life > MaxTokenLife {
		return "", domain.APIToken{}, domain.Errorf(domain.Invalid, "A token lives up to 366 days.").At("life")
	}
	if scope != domain.ScopeRead && scope != domain.ScopeAll {
		return "", domain.APIToken{}, domain.Errorf(domain.Invalid, "A token's scope is %s or %s.", domain.ScopeRead, domain.ScopeAll).At("scope")
	}
	secret := TokenPrefix + newSecret()
	t := domain.APIToken{Name: name, PersonID: personID, Scope: scope, CreatedAt: s.now(), ExpiresAt: s.now().Add(life)}
	err := s.Store.InTx(ctx, func(tx Tx) error {
		p, err := tx.PersonByID(ctx, personID)
		if err != nil {
			return err
		}
		has, err := tx.APITokensOf(ctx, personID)
		if err != nil {
			return err
		}
		good := 0
		for _, old := range has {
			if s.now().Before(old.ExpiresAt) {
				good++
			}
		}
		if good >= maxTokens && actor.Kind != domain.System.Kind {
			return domain.Errorf(domain.Conflict, "You have %d tokens, as many as there may be.", maxTokens).
				Fix("Revoke one that is not used any more.").At("name")
		}
		if err := tx.InsertAPIToken(ctx, &t, hashOf("token", secret)); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(actor, "api_token.made", p, map[string]string{"name": name, "scope": string(scope)}))
	})
	return secret, t, err
}

// HostAdmin returns the person that tokens and links made on the host act as: an admin that is no person, made at need.
// Whoever can run a command on the host can change the database anyway.
func (s *Service) HostAdmin(ctx context.Context) (domain.Person, error) {
	var p domain.Person
	err := s.Store.InTx(ctx, func(tx Tx) error {
		var err error
		p, err = tx.PersonByEmail(ctx, domain.HostEmail)
		if err == nil && p.Admin {
			return nil
		}
		if p, err = s.makeAdmin(ctx, tx, domain.HostEmail, "Host admin"); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(domain.System, "person.made_admin", p, map[string]string{"by": "a command on the host"}))
	})
	return p, err
}

// ByToken returns the person that an API token acts as, or a [domain.Unauthenticated] error.
func (s *Service) ByToken(ctx context.Context, secret string) (domain.Person, domain.APIToken, error) {
	refused := domain.Errorf(domain.Unauthenticated, "This API token is not accepted.").Fix("It may have run out: make a new one.")
	var p domain.Person
	var t domain.APIToken
	if !strings.HasPrefix(secret, TokenPrefix) {
		return p, t, refused
	}
	err := s.Store.View(ctx, func(tx Tx) (err error) {
		if t, err = tx.APITokenByHash(ctx, hashOf("token", secret)); err == nil {
			p, err = tx.PersonByID(ctx, t.PersonID)
		}
		return err
	})
	if domain.CodeOf(err) == domain.NotFound || err == nil && s.now().After(t.ExpiresAt) {
		return domain.Person{}, domain.APIToken{}, refused
	}
	if err == nil {
		now := s.now()
		s.touch("token "+strconv.FormatInt(t.ID, 10), t.LastUsedAt, now,
			func(ctx context.Context, tx Tx) error { return tx.TouchAPIToken(ctx, t.ID, now) })
	}
	return p, t, err
}

// Tokens lists a person's API tokens, without their secrets.
func (s *Service) Tokens(ctx context.Context, personID int64) (out []domain.APIToken, err error) {
	err = s.Store.View(ctx, func(tx Tx) (err error) { out, err = tx.APITokensOf(ctx, personID); return err })
	return out, err
}

// RevokeToken ends one of a person's own API tokens.
func (s *Service) RevokeToken(ctx context.Context, p domain.Person, id int64) error {
	return s.Store.InTx(ctx, func(tx Tx) error {
		if err := tx.DeleteAPIToken(ctx, p.ID, id); err != nil {
			return err
		}
		return tx.InsertAudit(ctx, s.entry(ActorOf(p), "api_token.revoked", p, map[string]string{"id": strconv.FormatInt(id, 10)}))
	})
}
