package account_test

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
	page := s.Get("stranger", "/signin").Body
	if !strings.Contains(page, "Continue with Test Clinic") || strings.Contains(page, "GitHub") {
		t.Error("the sign-in page does not show exactly what is configured")
	}
	begun := s.Get("stranger", "/signin/with/oidc")
	back := issuer.SignIn(t, begun.Header.Get("Location"), "ada")
	state := cookieOf(begun, "blossomtune_state")
	if begun.Status != http.StatusSeeOther || state == "" {
		t.Fatalf("%d, state %q", begun.Status, state)
	}
	path := strings.TrimPrefix(back.String(), "http://"+addr)
	if a := s.Get("stranger", path); a.Status != http.StatusGone || cookieOf(a, "blossomtune_session") != "" {
		t.Errorf("another browser finishes the sign-in: %d", a.Status)
	}
	with := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "blossomtune_state", Value: state}) }
	a := s.Send("stranger", http.MethodGet, path, nil, with)
	session := cookieOf(a, "blossomtune_session")
	if a.Status != http.StatusSeeOther || session == "" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if again := s.Send("stranger", http.MethodGet, path, nil, with); again.Status != http.StatusGone {
		t.Errorf("the same answer works twice: %d", again.Status)
	}
	s.Cookies["ada"] = session
	if me := s.Get("ada", "/me"); me.Status != http.StatusOK {
		t.Errorf("signed in, /me: %d", me.Status)
	}
}

func cookieOf(a answer, name string) string {
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == name && c.MaxAge >= 0 {
			return c.Value
		}
	}
	return ""
}
