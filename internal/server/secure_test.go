package server

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/account"
	"blossomtune/internal/config"
	"blossomtune/internal/domain"
)

// Pages and API agree on what is secure: cookies are only for HTTPS exactly where the browser speaks it. Browsers are told to stay with
// HTTPS only where every machine trusts the certificate.
func TestWhatIsSecureHasOneDefinition(t *testing.T) {
	for name, c := range map[string]struct {
		behindProxy    bool
		publicURL      string
		tls            bool
		secure, strict bool
	}{
		"plain, on this machine":            {publicURL: "http://localhost:8443"},
		"our own CA":                        {publicURL: "https://fl.example.org", tls: true, secure: true},
		"plain, though the address is TLS":  {publicURL: "https://fl.example.org"},
		"a proxy that speaks TLS":           {publicURL: "https://fl.example.org", behindProxy: true, secure: true, strict: true},
		"a proxy that speaks plain HTTP":    {publicURL: "http://fl.example.org", behindProxy: true},
		"a proxy that speaks TLS to us too": {publicURL: "https://fl.example.org", behindProxy: true, tls: true, secure: true, strict: true},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", PublicURL: c.publicURL, BehindProxy: c.behindProxy}
			if err := conf.Resolve(); err != nil {
				t.Fatal(err)
			}
			a, err := New(t.Context(), Options{Config: conf, Keeper: noKeeper})
			if err != nil {
				t.Fatal(err)
			}
			defer stop(t, a)
			h, err := a.Handler()
			if err != nil {
				t.Fatal(err)
			}
			secret, ok, err := a.Accounts.NewSetupLink(t.Context())
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			send := func(method, path, form string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(method, path, strings.NewReader(form))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				if c.tls {
					r.TLS = &tls.ConnectionState{}
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w
			}
			w := send(http.MethodPost, "/setup/"+secret, url.Values{"email": {"a@example.org"}, "name": {"A"}}.Encode())
			found := false
			for _, k := range w.Result().Cookies() {
				if k.Name == "blossomtune_session" {
					found = true
					if k.Secure != c.secure {
						t.Errorf("the page's cookie: secure is %v, want %v", k.Secure, c.secure)
					}
				}
			}
			if !found {
				t.Fatalf("no session: %d %s", w.Code, w.Body)
			}
			for _, path := range []string{"/signin", "/api/v1/me", "/healthz"} {
				if got := send(http.MethodGet, path, "").Header().Get("Strict-Transport-Security") != ""; got != c.strict {
					t.Errorf("%s: strict transport security is %v, want %v", path, got, c.strict)
				}
			}
		})
	}
}

// Without a script, a page asks before a person becomes an admin; its form then does it.
func TestMakingAnAdminAsksWithoutAScript(t *testing.T) {
	s := newSite(t)
	path := "/admin/people/" + strconv.FormatInt(s.persons["viewer"].ID, 10)
	asked := s.post("admin", path, "admin", "true")
	if asked.status != http.StatusOK || !strings.Contains(asked.body, "Admins can do everything on this server") || !strings.Contains(asked.body, `href="/admin/people"`) {
		t.Fatalf("it does not ask: %d %.300s", asked.status, asked.body)
	}
	if a := s.get("viewer", "/admin/people"); !a.refused() {
		t.Errorf("before the answer, the page of admins is open: %d", a.status)
	}
	forms := slices.DeleteFunc(formsOf(t, asked.body, path), func(f form) bool { return f.action != path })
	if len(forms) != 1 || forms[0].values.Get("admin") != "true" {
		t.Fatalf("the page has the forms %v", forms)
	}
	if a := s.send("admin", http.MethodPost, path, forms[0].values, nil); a.status != http.StatusSeeOther {
		t.Errorf("confirmed: %d", a.status)
	}
	if a := s.get("viewer", "/admin/people"); a.status != http.StatusOK {
		t.Errorf("the person is no admin: %d", a.status)
	}
	if a := s.post("admin", "/admin/people/999999", "admin", "true"); a.status != http.StatusNotFound {
		t.Errorf("nobody: %d", a.status)
	}
}

// An admin's page of a person lists sessions and tokens and ends them; making an admin asks first.
func TestAPersonsPageEndsTheirAccess(t *testing.T) {
	s := newSite(t)
	p := s.persons["manager"]
	token, _, err := s.app.Accounts.CreateToken(t.Context(), account.ActorOf(p), p.ID, "Nightly job", domain.ScopeAll, 1e15)
	if err != nil {
		t.Fatal(err)
	}
	if list := s.get("admin", "/admin/people").body; strings.Count(list, "Make admin…") == 0 || strings.Count(list, "Make admin…") != strings.Count(list, `data-confirm-do="Make admin"`) {
		t.Error("making an admin does not ask first")
	}
	path := "/admin/people/" + strconv.FormatInt(p.ID, 10)
	if page := s.get("admin", path).body; !strings.Contains(page, "Nightly job") || !strings.Contains(page, "192.0.2.1") {
		t.Error("the page does not list session and token")
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	if a := s.send("stranger", http.MethodGet, "/api/v1/me", nil, bearer); a.status != http.StatusOK {
		t.Fatalf("the token does not work: %d", a.status)
	}
	if a := s.get("admin", "/api/v1"+strings.TrimPrefix(path, "/admin")+"/access"); !strings.Contains(a.body, "Nightly job") || strings.Contains(a.body, token) {
		t.Errorf("the API lists %s", a.body)
	}
	if a := s.post("admin", path+"/signout", "confirmed", "yes"); a.status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.get("manager", "/me"); a.header.Get("Location") != "/signin" {
		t.Errorf("the session still works: %d", a.status)
	}
	if a := s.send("stranger", http.MethodGet, "/api/v1/me", nil, bearer); a.status != http.StatusUnauthorized {
		t.Errorf("the token still works: %d", a.status)
	}
	if a := s.get("admin", "/me"); a.status != http.StatusOK {
		t.Errorf("the admin is signed out, too: %d", a.status)
	}
}
