package server

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"blossomtune/internal/account/provider/providertest"
	"blossomtune/internal/config"
)

// Inside a Hugging Face Space the injected OAuth settings and host are all that is needed, and are used as they are; a real OpenID
// server stands for the Hub.
func TestSigningInInsideASpace(t *testing.T) {
	const host = "https://lab-fl.hf.space"
	hub := providertest.Start(t, host+"/signin/callback/huggingface")
	space := map[string]string{"SPACE_HOST": "lab-fl.hf.space", "OAUTH_CLIENT_ID": providertest.ClientID, "OAUTH_CLIENT_SECRET": providertest.ClientSecret,
		"OAUTH_SCOPES": "openid profile email offline_access", "OPENID_PROVIDER_URL": hub.URL}
	s := newSiteWith(t, func(c *config.Config) { c.InSpace(func(name string) string { return space[name] }) })
	if got := s.app.PublicURL(); got != host {
		t.Errorf("the address is %s", got)
	}
	if page := s.get("stranger", "/signin").body; !strings.Contains(page, "Continue with Hugging Face") || strings.Contains(page, "Continue with Google") {
		t.Error("the sign-in page does not offer exactly Hugging Face")
	}
	begun := s.get("stranger", "/signin/with/huggingface")
	to, err := url.Parse(begun.header.Get("Location"))
	if err != nil || to.Query().Get("client_id") != providertest.ClientID || to.Query().Get("scope") != space["OAUTH_SCOPES"] || to.Query().Get("redirect_uri") != host+"/signin/callback/huggingface" {
		t.Fatalf("%d, asked %v, %v", begun.status, to, err)
	}
	back := hub.SignIn(t, to.String(), "ada")
	state := &http.Cookie{Name: "blossomtune_state", Value: cookieOf(begun, "blossomtune_state")}
	a := s.send("stranger", http.MethodGet, strings.TrimPrefix(back.String(), host), nil, func(r *http.Request) { r.AddCookie(state) })
	if a.status != http.StatusSeeOther || cookieOf(a, "blossomtune_session") == "" || !strings.Contains(a.header.Get("Set-Cookie"), "Secure") {
		t.Errorf("coming back: %d %v", a.status, a.header)
	}
}

// Each provider is there when, and only when, it is configured.
func TestProvidersAreShownOnlyWhenConfigured(t *testing.T) {
	var c config.SignIn
	c.GitHubURL, c.GitLabURL, c.HuggingFaceURL = "https://github.com", "https://gitlab.com", "https://huggingface.co" // the defaults
	if got := providers(c); len(got) != 0 {
		t.Fatalf("%d without a client id", len(got))
	}
	for id, set := range map[string]func(*config.SignIn){
		"huggingface": func(c *config.SignIn) { c.HuggingFaceClientID = "x" },
		"github":      func(c *config.SignIn) { c.GitHubClientID = "x" },
		"google":      func(c *config.SignIn) { c.GoogleClientID = "x" },
		"gitlab":      func(c *config.SignIn) { c.GitLabClientID = "x" },
		"microsoft":   func(c *config.SignIn) { c.MicrosoftClientID, c.MicrosoftTenant = "x", "t" },
		"oidc":        func(c *config.SignIn) { c.OIDCClientID, c.OIDCIssuer = "x", "https://id.example" },
	} {
		one := c
		set(&one)
		if got := providers(one); len(got) != 1 || got[0].ID() != id {
			t.Errorf("%s alone is configured: %v", id, got)
		}
	}
}
