package provider

import (
	"context"
	"errors"
	"fmt"
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

// claims are what is read of an ID token and of the userinfo answer. Hugging Face lists organisations in orgs.
type claims struct {
	Subject           string `json:"sub"`
	Name              string `json:"name"`
	PreferredUsername string `json:"preferred_username"`
	Nickname          string `json:"nickname"` // GitLab's name of the account
	Email             string `json:"email"`
	EmailVerified     bool   `json:"email_verified"`
	Organisations     []struct {
		PreferredUsername string `json:"preferred_username"`
		Name              string `json:"name"`
	} `json:"orgs"`
	Groups []string `json:"groups"` // GitLab's, paths
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
	var said claims
	if err := token.Claims(&said); err != nil {
		return domain.Identity{}, fmt.Errorf("reading the ID token: %w", err)
	}
	if p.UserInfoEndpoint() != "" {
		info, err := p.UserInfo(oidc.ClientContext(ctx, o.client), oauth2.StaticTokenSource(t))
		if err != nil {
			return domain.Identity{}, err
		}
		if info.Subject != token.Subject {
			return domain.Identity{}, errors.New("userinfo is of another account")
		}
		if err := info.Claims(&said); err != nil {
			return domain.Identity{}, fmt.Errorf("reading userinfo: %w", err)
		}
	}
	out := domain.Identity{Subject: token.Subject, Login: said.PreferredUsername, Name: said.Name, Email: said.Email, EmailVerified: said.EmailVerified, Organisations: said.Groups}
	if out.Login == "" {
		out.Login = said.Nickname
	}
	for _, org := range said.Organisations {
		out.Organisations = append(out.Organisations, org.PreferredUsername)
	}
	return out, nil
}
