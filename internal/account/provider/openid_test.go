package provider_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"blossomtune/internal/account/provider"
	"blossomtune/internal/account/provider/providertest"
	"blossomtune/internal/domain"
)

const redirect = "http://blossomtune.example/signin/callback/oidc"

func newOpenID(t *testing.T) (*provider.Provider, *providertest.Issuer) {
	t.Helper()
	i := providertest.Start(t, redirect)
	return provider.New(provider.Settings{ID: "oidc", Label: "Test", Issuer: i.URL, ClientID: providertest.ClientID, ClientSecret: providertest.ClientSecret}, nil), i
}

func begin(t *testing.T, p *provider.Provider) (string, provider.Attempt) {
	t.Helper()
	to, a, err := p.Begin(t.Context(), redirect)
	if err != nil {
		t.Fatal(err)
	}
	return to, a
}

func TestARealOpenIDProviderSaysWhoItIs(t *testing.T) {
	p, issuer := newOpenID(t)
	for user, verified := range map[string]bool{"ada": true, "eve": false} {
		to, a := begin(t, p)
		q := must(url.Parse(to)).Query()
		if q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") != a.State {
			t.Errorf("the question is %v", q)
		}
		back := issuer.SignIn(t, to, user)
		if back.Query().Get("state") != a.State {
			t.Errorf("the state came back as %q", back.Query().Get("state"))
		}
		who, err := p.Finish(t.Context(), a, back.Query().Get("code"))
		if err != nil || who.Provider != "oidc" || who.Subject != "id-"+user || who.Login != user || who.Email != "ada@example.org" || who.EmailVerified != verified {
			t.Errorf("%+v, %v", who, err)
		}
		_, err = p.Finish(t.Context(), a, back.Query().Get("code"))
		refusedBy(t, err, "the same code again")
	}
}

// A code is of use only for the attempt that it was asked with: PKCE and nonce bind them.
func TestACodeOfAnotherAttemptIsRefused(t *testing.T) {
	p, issuer := newOpenID(t)
	to, _ := begin(t, p)
	_, other := begin(t, p)
	code := issuer.SignIn(t, to, "ada").Query().Get("code")
	_, err := p.Finish(t.Context(), other, code)
	refusedBy(t, err, "another attempt's code")
	_, err = p.Finish(t.Context(), other, "made up")
	refusedBy(t, err, "a code that was made up")
}

func TestAProviderThatIsAwaySaysSo(t *testing.T) {
	p := provider.New(provider.Settings{ID: "oidc", Label: "Test", Issuer: "http://127.0.0.1:1"}, nil)
	_, _, err := p.Begin(t.Context(), redirect)
	if domain.CodeOf(err) != domain.Unavailable {
		t.Error(err)
	}
}

func refusedBy(t *testing.T, err error, what string) {
	t.Helper()
	if domain.CodeOf(err) != domain.Forbidden {
		t.Errorf("%s: %v", what, err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// GitHub cannot run here, so its answers are imitated, field by field as its REST API documents them.
func TestGitHubSaysWhoItIs(t *testing.T) {
	mux := http.NewServeMux()
	reply := func(pattern string, v any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && r.Header.Get("Authorization") != "Bearer gho_x" {
				http.Error(w, "{}", http.StatusUnauthorized)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(v)
		})
	}
	verified := true
	mux.HandleFunc("POST /login/oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("code") != "good" || r.FormValue("client_secret") != "s" || r.FormValue("code_verifier") == "" {
			_ = json.NewEncoder(w).Encode(map[string]string{"error": "bad_verification_code"})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"access_token": "gho_x", "token_type": "bearer", "scope": "read:user,user:email"})
	})
	reply("GET /api/v3/user", map[string]any{"id": 583231, "login": "Octo", "name": nil})
	noOrgs := false
	mux.HandleFunc("GET /api/v3/user/orgs", func(w http.ResponseWriter, _ *http.Request) {
		if noOrgs {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_ = json.NewEncoder(w).Encode([]map[string]any{{"login": "Some-Org", "id": 1}})
	})
	mux.HandleFunc("GET /api/v3/user/emails", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode([]map[string]any{{"email": "old@example.org", "primary": false, "verified": true}, {"email": "octo@example.org", "primary": true, "verified": verified}})
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	p := provider.New(provider.Settings{ID: "github", Label: "GitHub", GitHub: server.URL, ClientID: "c", ClientSecret: "s"}, nil)
	for _, verified = range []bool{true, false} {
		_, a := begin(t, p)
		who, err := p.Finish(t.Context(), a, "good")
		if err != nil || who.Subject != "583231" || who.Login != "Octo" || who.Email != "octo@example.org" || who.EmailVerified != verified || !slices.Equal(who.Organisations, []string{"some-org"}) {
			t.Errorf("%+v, %v", who, err)
		}
	}
	_, a := begin(t, p)
	_, err := p.Finish(t.Context(), a, "bad")
	refusedBy(t, err, "a bad code")
	noOrgs = true
	_, a = begin(t, p)
	if who, err := p.Finish(t.Context(), a, "good"); err != nil || who.Login != "Octo" || len(who.Organisations) != 0 {
		t.Errorf("without the right to read organisations: %+v, %v", who, err)
	}
}
