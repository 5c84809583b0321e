package server

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/account/provider/providertest"
	"blossomtune/internal/config"
)

// The whole way through our pages and a real OpenID provider, and the ways around it that do not work.
func TestSigningInWithAProvider(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // a free port, known before the provider is told where to send browsers
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	issuer := providertest.Start(t, "http://"+addr+"/signin/callback/oidc")
	s := newSiteWith(t, func(c *config.Config) {
		c.Listen, c.PublicURL = addr, "http://"+addr
		c.SignIn.OIDCIssuer, c.SignIn.OIDCClientID, c.SignIn.OIDCClientSecret, c.SignIn.OIDCLabel = issuer.URL, providertest.ClientID, providertest.ClientSecret, "Test Clinic"
	})
	page := s.get("stranger", "/signin").body
	if !strings.Contains(page, "Continue with Test Clinic") || strings.Contains(page, "GitHub") {
		t.Error("the sign-in page does not show exactly what is configured")
	}
	begun := s.get("stranger", "/signin/with/oidc")
	back := issuer.SignIn(t, begun.header.Get("Location"), "ada")
	state := cookieOf(begun, "blossomtune_state")
	if begun.status != http.StatusSeeOther || state == "" {
		t.Fatalf("%d, state %q", begun.status, state)
	}
	path := strings.TrimPrefix(back.String(), "http://"+addr)
	if a := s.get("stranger", path); a.status != http.StatusGone || cookieOf(a, "blossomtune_session") != "" {
		t.Errorf("another browser finishes the sign-in: %d", a.status)
	}
	with := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "blossomtune_state", Value: state}) }
	a := s.send("stranger", http.MethodGet, path, nil, with)
	session := cookieOf(a, "blossomtune_session")
	if a.status != http.StatusSeeOther || session == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if again := s.send("stranger", http.MethodGet, path, nil, with); again.status != http.StatusGone {
		t.Errorf("the same answer works twice: %d", again.status)
	}
	s.cookies["ada"] = session
	if me := s.get("ada", "/me"); me.status != http.StatusOK {
		t.Errorf("signed in, /me: %d", me.status)
	}
}

func cookieOf(a answer, name string) string {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name && c.MaxAge >= 0 {
			return c.Value
		}
	}
	return ""
}
