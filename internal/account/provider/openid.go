package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"sync"

	"blossomtune/internal/domain"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// openID is an OpenID Connect issuer (OpenID Connect Core 1.0, with discovery).
type openID struct {
	s      Settings
	client *http.Client

	mu    sync.Mutex
	found *oidc.Provider
}

// discover reads the issuer's own description, once it is there.
func (o *openID) discover(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.found != nil {
		return o.found, nil
	}
	// The provider keeps this context for fetching keys later, so it must outlive the request.
	own := oidc.ClientContext(context.WithoutCancel(ctx), o.client)
	found, err := oidc.NewProvider(own, o.s.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovering %s: %w", o.s.Issuer, err)
	}
	o.found = found
	return found, nil
}

func (o *openID) config(ctx context.Context) (*oauth2.Config, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Config{ClientID: o.s.ClientID, ClientSecret: o.s.ClientSecret, Endpoint: p.Endpoint(), Scopes: o.scopes()}, nil
}

// scopes are what is asked for; without openid it would be no OpenID Connect.
func (o *openID) scopes() []string {
	if len(o.s.Scopes) == 0 {
		return []string{oidc.ScopeOpenID, "profile", "email"}
	}
	if slices.Contains(o.s.Scopes, oidc.ScopeOpenID) {
		return o.s.Scopes
	}
	return append([]string{oidc.ScopeOpenID}, o.s.Scopes...)
}

// identity checks the ID token (issuer, audience, expiry, signature, nonce) and takes the rest from userinfo, which must be of
// the same subject.
func (o *openID) identity(ctx context.Context, c *oauth2.Config, t *oauth2.Token, nonce string) (domain.Identity, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return domain.Identity{}, err
	}
	raw, ok := t.Extra("id_token").(string)
	if !ok {
		return domain.Identity{}, errors.New("the answer has no ID token")
	}
	token, err := p.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(oidc.ClientContext(ctx, o.client), raw)
	if err != nil {
		return domain.Identity{}, err
	}
	if token.Nonce != nonce {
		return domain.Identity{}, errors.New("the ID token is of another attempt")
	}
	var text json.RawMessage
	if err := token.Claims(&text); err != nil {
		return domain.Identity{}, fmt.Errorf("reading the ID token: %w", err)
	}
	said, err := readClaims(text)
	if err != nil {
		return domain.Identity{}, fmt.Errorf("the ID token: %w", err)
	}
	if p.UserInfoEndpoint() != "" {
		info, err := o.userinfo(ctx, p, t)
		if err != nil {
			return domain.Identity{}, fmt.Errorf("userinfo: %w", err)
		}
		if info.text("sub") != token.Subject {
			return domain.Identity{}, errors.New("userinfo is of another account")
		}
		if info.text("email") != "" { // what is proven of one address is not proven of another
			delete(said, "email_verified")
		}
		maps.Copy(said, info)
	}
	return domain.Identity{
		Subject: token.Subject, Login: said.text("preferred_username", "nickname"), Name: said.text("name"), // nickname is GitLab's
		Email: said.text("email"), EmailVerified: said.yes("email_verified"),
		Organisations: append(said.groups("groups"), said.groups("orgs")...), // GitLab's, and Hugging Face's
	}, nil
}

// userinfo asks the issuer for the claims of who has signed in. A signed answer is verified.
func (o *openID) userinfo(ctx context.Context, p *oidc.Provider, t *oauth2.Token) (claims, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.UserInfoEndpoint(), nil)
	if err != nil {
		return nil, err
	}
	t.SetAuthHeader(req)
	res, err := o.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerSize))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the issuer answers %s", res.Status)
	}
	if kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type")); err == nil && kind == "application/jwt" {
		var keys struct {
			URL string `json:"jwks_uri"`
		}
		if err := p.Claims(&keys); err != nil {
			return nil, err
		}
		own := oidc.ClientContext(ctx, o.client)
		if body, err = oidc.NewRemoteKeySet(own, keys.URL).VerifySignature(own, string(body)); err != nil {
			return nil, fmt.Errorf("verifying the signature: %w", err)
		}
	}
	return readClaims(body)
}
