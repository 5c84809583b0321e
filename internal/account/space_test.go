package account_test

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
	space := map[string]string{"SPACE_HOST": "lab-fl.hf.space", "OAUTH_CLIENT_ID": providertest.ClientID,
		"OAUTH_CLIENT_SECRET": providertest.ClientSecret,
		"OAUTH_SCOPES":        "openid profile email offline_access", "OPENID_PROVIDER_URL": hub.URL}
	s := newSiteWith(t, func(c *config.Config) { c.InSpace(func(name string) string { return space[name] }) })
	if got := s.Server.PublicURL(); got != host {
		t.Errorf("the address is %s", got)
	}
	if page := s.Get("stranger", "/signin").Body; !strings.Contains(page, "Continue with Hugging Face") ||
		strings.Contains(page, "Continue with Google") {
		t.Error("the sign-in page does not offer exactly Hugging Face")
	}
	begun := s.Get("stranger", "/signin/with/huggingface")
	to, err := url.Parse(begun.Header.Get("Location"))
	if err != nil || to.Query().Get("client_id") != providertest.ClientID || to.Query().Get("scope") != space["OAUTH_SCOPES"] ||
		to.Query().Get("redirect_uri") != host+"/signin/callback/huggingface" {
		t.Fatalf("%d, asked %v, %v", begun.Status, to, err)
	}
	back := hub.SignIn(t, to.String(), "ada")
	state := &http.Cookie{Name: "blossomtune_state", Value: cookieOf(begun, "blossomtune_state")}
	a := s.Send("stranger", http.MethodGet, strings.TrimPrefix(back.String(), host), nil, func(r *http.Request) { r.AddCookie(state) })
	if a.Status != http.StatusSeeOther || cookieOf(a, "blossomtune_session") == "" || !strings.Contains(a.Header.Get("Set-Cookie"), "Secure") {
		t.Errorf("coming back: %d %v", a.Status, a.Header)
	}
}
