// Package provider signs people in with an account they have elsewhere: any OpenID Connect issuer, and GitHub, which has its own
// way. It knows nothing of our people; it says who somebody is there, and what of it the provider vouches for.
package provider

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"blossomtune/internal/domain"

	"golang.org/x/oauth2"
)

// Settings describe one provider.
type Settings struct {
	ID           string // in addresses and in the database: "github", "google" …
	Label        string // on the button
	ClientID     string
	ClientSecret string
	Issuer       string   // of an OpenID Connect provider, where its discovery document is
	Scopes       []string // asked of an OpenID Connect provider besides openid; nil: profile and email
	GitHub       string   // of GitHub or a GitHub Enterprise server instead: its address
}

// Provider is one configured provider. It is safe for concurrent use; nothing is asked of the provider before the first sign-in.
type Provider struct {
	s      Settings
	client *http.Client
	way    way
}

// way is the protocol of a provider.
type way interface {
	config(ctx context.Context) (*oauth2.Config, error)
	identity(ctx context.Context, c *oauth2.Config, t *oauth2.Token, nonce string) (domain.Identity, error)
}

// answerLimit bounds how long a provider may take for one answer, answerSize what it may say.
const (
	answerLimit = 15 * time.Second
	answerSize  = 1 << 20
)

// New returns the provider. client is used for all that is asked of it; nil takes one of our own.
func New(s Settings, client *http.Client) *Provider {
	if client == nil {
		client = &http.Client{Timeout: answerLimit}
	}
	p := &Provider{s: s, client: client}
	if s.GitHub != "" {
		p.way = &github{s: s, client: client}
	} else {
		p.way = &openID{s: s, client: client}
	}
	return p
}

// ID is the provider's name in addresses and in the database.
func (p *Provider) ID() string { return p.s.ID }

// Label is the provider's name for people.
func (p *Provider) Label() string { return p.s.Label }

// Attempt is one sign-in that has begun. Its secrets stay on the server; only State goes through the browser.
type Attempt struct {
	Provider string
	State    string // proves that the answer belongs to this browser's question (RFC 6749, 10.12)
	nonce    string // binds the ID token to this attempt (OpenID Connect Core, 3.1.2.1)
	verifier string // binds the code to this server (PKCE, RFC 7636)
	redirect string
}

// Begin starts a sign-in: the browser goes to the returned address and comes back to redirect with a code and the state.
func (p *Provider) Begin(ctx context.Context, redirect string) (string, Attempt, error) {
	a := Attempt{Provider: p.s.ID, State: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier(), redirect: redirect}
	c, err := p.way.config(ctx)
	if err != nil {
		return "", a, p.unavailable(err)
	}
	own := *c
	own.RedirectURL = redirect
	return own.AuthCodeURL(a.State, oauth2.S256ChallengeOption(a.verifier), oauth2.SetAuthURLParam("nonce", a.nonce)), a, nil
}

// Finish takes the code that the browser came back with and returns who it is.
func (p *Provider) Finish(ctx context.Context, a Attempt, code string) (domain.Identity, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, oauth2.HTTPClient, p.client), 2*answerLimit)
	defer cancel()
	c, err := p.way.config(ctx)
	if err != nil {
		return domain.Identity{}, p.unavailable(err)
	}
	own := *c
	own.RedirectURL = a.redirect
	t, err := own.Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	if err != nil {
		return domain.Identity{}, p.refused(err)
	}
	id, err := p.way.identity(ctx, &own, t, a.nonce)
	if err != nil {
		return domain.Identity{}, p.refused(err)
	}
	id.Provider = p.s.ID
	if email, err := domain.NormalEmail(id.Email); err == nil {
		id.Email = email
	} else {
		id.Email, id.EmailVerified = "", false
	}
	for i, o := range id.Organisations {
		id.Organisations[i] = strings.ToLower(o)
	}
	return id, nil
}

func (p *Provider) unavailable(err error) error {
	return domain.Errorf(domain.Unavailable, "%s does not answer.", p.s.Label).Fix("Try again in a minute, or sign in by e-mail.").Because(err)
}

func (p *Provider) refused(err error) error {
	return domain.Errorf(domain.Forbidden, "Signing in with %s did not work.", p.s.Label).
		Fix("Try again from the sign-in page, or sign in by e-mail.").Because(err)
}
