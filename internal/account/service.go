// Package account knows people: one-time links, sessions, API tokens and what somebody may do in which federation.
// Secrets are given out once and kept only as hashes.
package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/account/provider"
	"blossomtune/internal/domain"
	"blossomtune/internal/site"
)

// Tx is what accounts need of a transaction.
type Tx interface {
	PersonByID(ctx context.Context, id int64) (domain.Person, error)
	PersonByEmail(ctx context.Context, email string) (domain.Person, error)
	InsertPerson(ctx context.Context, p *domain.Person) error
	UpdatePerson(ctx context.Context, p domain.Person) error
	ErasePerson(ctx context.Context, p domain.Person, at time.Time) (domain.Erasure, error)
	RequestsOf(ctx context.Context, personID int64) ([]domain.Request, error)
	CountAdmins(ctx context.Context) (int, error)
	GrantedRole(ctx context.Context, personID, fedID int64) (domain.Role, error)
	HighestGrant(ctx context.Context, personID int64) (domain.Role, error)
	SetGrantedRole(ctx context.Context, personID, fedID int64, r domain.Role) error
	RoleGrants(ctx context.Context, fedID int64) ([]domain.RoleGrant, error)
	People(ctx context.Context, f domain.PeopleFilter) ([]domain.Person, error)
	FederationByID(ctx context.Context, id int64) (domain.Federation, error)
	LatestRequest(ctx context.Context, fedID, personID int64) (domain.Request, error)

	InsertSession(ctx context.Context, v *domain.Session, hash []byte) error
	SessionByHash(ctx context.Context, hash []byte) (domain.Session, error)
	TouchSession(ctx context.Context, id int64, at time.Time) error
	DeleteSession(ctx context.Context, id int64) error
	SessionsOf(ctx context.Context, personID int64) ([]domain.Session, error)
	DeleteSessionsOf(ctx context.Context, personID int64) error
	DeleteSessionsBefore(ctx context.Context, at time.Time) error

	InsertLink(ctx context.Context, v *domain.Link, hash []byte) error
	LinkByHash(ctx context.Context, hash []byte) (domain.Link, error)
	UseLink(ctx context.Context, id int64, at time.Time) error
	DeleteSignInLinksOf(ctx context.Context, personID int64) error
	DeleteLinks(ctx context.Context, p domain.LinkPurpose) error

	InsertAPIToken(ctx context.Context, v *domain.APIToken, hash []byte) error
	APITokenByHash(ctx context.Context, hash []byte) (domain.APIToken, error)
	TouchAPIToken(ctx context.Context, id int64, at time.Time) error
	APITokensOf(ctx context.Context, personID int64) ([]domain.APIToken, error)
	DeleteAPIToken(ctx context.Context, personID, id int64) error
	DeleteAPITokensOf(ctx context.Context, personID int64) error

	IdentityBySubject(ctx context.Context, provider, subject string) (domain.Identity, error)
	IdentitiesOf(ctx context.Context, personID int64) ([]domain.Identity, error)
	InsertIdentity(ctx context.Context, v *domain.Identity) error
	UpdateIdentity(ctx context.Context, v domain.Identity) error
	DeleteIdentity(ctx context.Context, id int64) error

	InsertMail(ctx context.Context, m *domain.Mail) error
	InsertAudit(ctx context.Context, e domain.AuditEntry) error
}

// Store runs transactions.
type Store interface {
	InTx(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
}

// Texts words mails.
type Texts interface {
	Mail(kind string, values map[string]string) domain.Mail
}

// Options are the parts a [Service] works with.
type Options struct {
	Store     Store
	Clock     domain.Clock
	Admins    []string // instance admins: e-mail addresses, "provider:login", "provider-org:organisation"
	Providers []*provider.Provider
	Texts     Texts // of the mails; nil: the usual ones
	PublicURL func() string
	MailState func() domain.MailState
	MailWake  func()
	Later     func(func(context.Context)) // does something after the answer; nil: at once
	Log       *slog.Logger                // of what fails then
}

// Service is safe for concurrent use.
type Service struct {
	Options
	mails    *domain.Limiter
	signIns  *domain.Limiter
	refusals *domain.Limiter // that are logged
	attempts attempts
	uses     lastUses
}

// New returns a Service.
func New(o Options) *Service {
	if o.Texts == nil {
		o.Texts = site.Defaults()
	}
	if o.Later == nil {
		o.Later = func(do func(context.Context)) { do(context.Background()) }
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	for i, a := range o.Admins {
		o.Admins[i] = strings.ToLower(domain.Line(a)) // an account, as in github:NAME
		if email, err := domain.NormalEmail(a); err == nil {
			o.Admins[i] = email
		}
	}
	return &Service{Options: o, mails: domain.NewLimiter(5, 10*time.Minute), signIns: domain.NewLimiter(30, 10*time.Minute), refusals: domain.NewLimiter(300, time.Minute), attempts: attempts{open: map[string]attempt{}}}
}

func (s *Service) now() time.Time { return s.Clock().UTC().Truncate(time.Millisecond) }

func newSecret() string {
	raw := make([]byte, 24)
	_, _ = rand.Read(raw) // never fails
	return hex.EncodeToString(raw)
}

// hashOf binds a secret to its use, so that one of a kind is never taken for another's.
func hashOf(use, secret string) []byte {
	sum := sha256.Sum256([]byte("blossomtune-" + use + ":" + secret))
	return sum[:]
}

// adminByMail makes a person with one of the configured addresses an admin. It is called only where the address was proven.
func (s *Service) adminByMail(ctx context.Context, tx Tx, p *domain.Person) error {
	if p.Admin || p.Email == "" || !slices.Contains(s.Admins, p.Email) {
		return nil
	}
	p.Admin = true
	if err := tx.UpdatePerson(ctx, *p); err != nil {
		return err
	}
	return tx.InsertAudit(ctx, s.entry(domain.System, "person.made_admin", *p, map[string]string{"by": "BLOSSOMTUNE_ADMINS"}))
}

func (s *Service) entry(actor domain.Actor, action string, p domain.Person, detail map[string]string) domain.AuditEntry {
	return domain.AuditEntry{At: s.now(), Actor: actor, Action: action, ObjectKind: "person", ObjectID: p.Email, Detail: detail}
}

// ActorOf returns a person as the actor of an audit entry.
func ActorOf(p domain.Person) domain.Actor {
	name := p.Name
	if name == "" {
		name = p.Email
	}
	return domain.Actor{Kind: "person", PersonID: p.ID, Name: name, Admin: p.Admin}
}

// Role returns what a person may do in a federation: an admin is a manager everywhere, whoever holds a partition is a participant.
// Somebody whose request is pending, turned down or revoked has no role.
func (s *Service) Role(ctx context.Context, p domain.Person, fedID int64) (domain.Role, error) {
	if p.Admin {
		return domain.RoleManager, nil
	}
	role := domain.RoleNone
	err := s.Store.View(ctx, func(tx Tx) error {
		var err error
		if role, err = tx.GrantedRole(ctx, p.ID, fedID); err != nil || role != domain.RoleNone {
			return err
		}
		r, err := tx.LatestRequest(ctx, fedID, p.ID)
		if domain.CodeOf(err) == domain.NotFound {
			return nil
		}
		if err == nil && r.State == domain.Approved {
			role = domain.RoleParticipant
		}
		return err
	})
	return role, err
}
