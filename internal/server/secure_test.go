package server_test

import (
	"blossomtune/internal/server"
	"blossomtune/internal/servertest"
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
			a, err := server.New(t.Context(), server.Options{Config: conf, Keeper: servertest.NoKeeper})
			if err != nil {
				t.Fatal(err)
			}
			defer servertest.Stop(t, a)
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
	path := "/admin/people/" + strconv.FormatInt(s.Persons["viewer"].ID, 10)
	asked := s.Post("admin", path, "admin", "true")
	if asked.Status != http.StatusOK || !strings.Contains(asked.Body, "Admins can do everything on this server") ||
		!strings.Contains(asked.Body, `href="/admin/people"`) {
		t.Fatalf("it does not ask: %d %.300s", asked.Status, asked.Body)
	}
	if a := s.Get("viewer", "/admin/people"); !a.Refused() {
		t.Errorf("before the answer, the page of admins is open: %d", a.Status)
	}
	forms := slices.DeleteFunc(servertest.FormsOf(t, asked.Body, path), func(f servertest.Form) bool { return f.Action != path })
	if len(forms) != 1 || forms[0].Values.Get("admin") != "true" {
		t.Fatalf("the page has the forms %v", forms)
	}
	if a := s.Send("admin", http.MethodPost, path, forms[0].Values, nil); a.Status != http.StatusSeeOther {
		t.Errorf("confirmed: %d", a.Status)
	}
	if a := s.Get("viewer", "/admin/people"); a.Status != http.StatusOK {
		t.Errorf("the person is no admin: %d", a.Status)
	}
	if a := s.Post("admin", "/admin/people/999999", "admin", "true"); a.Status != http.StatusNotFound {
		t.Errorf("nobody: %d", a.Status)
	}
}

// An admin's page of a person lists sessions and tokens and ends them; making an admin asks first.
func TestAPersonsPageEndsTheirAccess(t *testing.T) {
	s := newSite(t)
	p := s.Persons["manager"]
	token, _, err := s.Server.Accounts.CreateToken(t.Context(), account.ActorOf(p), p.ID, "Nightly job", domain.ScopeAll, 1e15)
	if err != nil {
		t.Fatal(err)
	}
	if list := s.Get("admin", "/admin/people").Body; strings.Count(list, "Make admin…") == 0 ||
		strings.Count(list, "Make admin…") != strings.Count(list, `data-confirm-do="Make admin"`) {
		t.Error("making an admin does not ask first")
	}
	path := "/admin/people/" + strconv.FormatInt(p.ID, 10)
	if page := s.Get("admin", path).Body; !strings.Contains(page, "Nightly job") || !strings.Contains(page, "192.0.2.1") {
		t.Error("the page does not list session and token")
	}
	bearer := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	if a := s.Send("stranger", http.MethodGet, "/api/v1/me", nil, bearer); a.Status != http.StatusOK {
		t.Fatalf("the token does not work: %d", a.Status)
	}
	if a := s.Get("admin", "/api/v1"+strings.TrimPrefix(path, "/admin")+"/access"); !strings.Contains(a.Body, "Nightly job") ||
		strings.Contains(a.Body, token) {
		t.Errorf("the API lists %s", a.Body)
	}
	if a := s.Post("admin", path+"/signout", "confirmed", "yes"); a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := s.Get("manager", "/me"); a.Header.Get("Location") != "/signin" {
		t.Errorf("the session still works: %d", a.Status)
	}
	if a := s.Send("stranger", http.MethodGet, "/api/v1/me", nil, bearer); a.Status != http.StatusUnauthorized {
		t.Errorf("the token still works: %d", a.Status)
	}
	if a := s.Get("admin", "/me"); a.Status != http.StatusOK {
		t.Errorf("the admin is signed out, too: %d", a.Status)
	}
}
