package web_test

import (
	"blossomtune/internal/servertest"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// A form of another site does nothing here, whoever's browser sends it.
func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ kind, path string }{{"manager", "/f/fed/superlink/start"}, {"admin", "/f"}, {"participant", "/me/fed/token"}, {"manager", "/api/v1/federations/fed/runs"}, {"stranger", "/join/fed"}} {
		a := s.Send(c.kind, http.MethodPost, c.path, url.Values{"slug": {"x"}}, func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", "https://evil.example")
		})
		if a.Status != http.StatusForbidden {
			t.Errorf("%s: %d", c.path, a.Status)
		}
	}
	if got, err := s.Server.Onboarding.Federation(t.Context(), s.Fed.ID); err != nil || got.EngineWanted {
		t.Errorf("the SuperLink was started: %v %v", got.EngineWanted, err)
	}
}

// Opening a mailed link changes nothing: a mail scanner opens it too. The button on the page does, once.
func TestMailedLinksWaitForTheirButton(t *testing.T) {
	s := newSite(t)
	secret, err := s.Server.Accounts.NewSignInLink(t.Context(), s.Persons["viewer"].ID)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if a := s.Get("stranger", "/signin/"+secret); a.Status != http.StatusOK || len(a.Header.Values("Set-Cookie")) > 0 {
			t.Fatalf("%d, cookies %v", a.Status, a.Header.Values("Set-Cookie"))
		}
	}
	a := s.Post("stranger", "/signin/"+secret)
	cookie := a.Header.Get("Set-Cookie")
	if a.Status != http.StatusSeeOther || !strings.Contains(cookie, "blossomtune_session=") || !strings.Contains(cookie, "HttpOnly") ||
		!strings.Contains(cookie, "SameSite=Lax") {
		t.Fatalf("%d, %q", a.Status, cookie)
	}
	if a := s.Post("stranger", "/signin/"+secret); a.Status != http.StatusGone {
		t.Errorf("the link works twice: %d", a.Status)
	}
}

// Names that people choose are text on every page.
func TestHostileNamesAreText(t *testing.T) {
	s := newSite(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>&{{7*7}}`
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
		r, err := tx.RequestByRef(t.Context(), s.Asks.Ref)
		if err != nil {
			return err
		}
		r.Name, r.Organisation, r.Message = evil, evil, evil
		if err := tx.UpdateRequest(t.Context(), r); err != nil {
			return err
		}
		kept, err := tx.RequestByRef(t.Context(), s.Kept.Ref)
		if err != nil {
			return err
		}
		kept.Name = evil
		if err := tx.UpdateRequest(t.Context(), kept); err != nil {
			return err
		}
		f, err := tx.FederationByID(t.Context(), s.Fed.ID)
		if err != nil {
			return err
		}
		f.Name, f.Description = evil, evil
		if err := tx.UpdateFederation(t.Context(), f); err != nil {
			return err
		}
		run, err := tx.RunByName(t.Context(), "r-1")
		if err != nil {
			return err
		}
		run.Note, run.Tags, run.State, run.Cause = evil, []string{evil}, domain.Failed, domain.Cause{Code: "201", Message: evil, Remedy: evil, Line: evil, ExitCode: 1}
		return tx.UpdateRun(t.Context(), run)
	})
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, path := range []string{"/", "/admin/audit?object=" + url.QueryEscape(evil), "/f", "/f/fed", "/f/fed/requests", "/f/fed/nodes", "/f/fed/launch", "/f/fed/runs", "/f/fed/runs/r-1", "/f/fed/logs", "/join/fed", "/join/fed?email=" + url.QueryEscape(evil), "/verify?ref=" + url.QueryEscape(evil), "/nothing/" + url.PathEscape(evil)} {
		a := s.Get("admin", path)
		if strings.Contains(a.Body, "<script>alert") || strings.Contains(a.Body, "<img src=x") {
			t.Errorf("%s has the name as markup", path)
		}
		if strings.Contains(a.Body, "&lt;script&gt;alert(1)") {
			shown++
		}
		if csp := a.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", path, csp)
		}
	}
	if shown < 6 {
		t.Errorf("only %d pages show the name at all", shown)
	}
}

// Nothing is lost on bad input: the form comes back as it was filled in, with the error at its field.
func TestFormsKeepWhatWasEntered(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		kind, path string
		fields     []string
		keep       []string
		say        string
	}{
		{"stranger", "/join/fed", []string{"email", "no address", "name", "Ada L.", "organisation", "Site <7>", "message", "we have scanners"}, []string{"no address", "Ada L.", "Site <7>", "we have scanners"}, "is not an e-mail address"},
		{"manager", "/f/fed/launch", []string{"app", s.Run.AppHash, "run_id", "r-1", "partitions", "10", "note", "a note of mine"},
			[]string{"r-1", "a note of mine"}, "taken"},
		{"manager", "/f/fed/requests/reject", []string{"id", fmt.Sprint(s.Asks.ID), "reason", " "}, nil, "Give a reason"},
		{"manager", "/f/fed/requests/approve", []string{"id", fmt.Sprint(s.Asks.ID), "partition", "77"}, []string{"77"}, "there is no 77"},
		{"admin", "/f", []string{"slug", "Bad Slug", "name", "My consortium", "partitions", "7"}, []string{"Bad Slug", "My consortium"}, "cannot be part of an address"},
		{"stranger", "/signin", []string{"email", "no address"}, []string{"no address"}, "is not an e-mail address"},
	} {
		a := s.Post(c.kind, c.path, c.fields...)
		text := html.UnescapeString(a.Body)
		if a.Status/100 != 4 || !strings.Contains(text, c.say) {
			t.Errorf("%s: %d, without %q", c.path, a.Status, c.say)
		}
		for _, k := range c.keep {
			if !strings.Contains(text, k) {
				t.Errorf("%s lost %q", c.path, k)
			}
		}
	}
}

// Inputs have limits, and what is over them says so.
func TestInputsAreBounded(t *testing.T) {
	s := newSite(t)
	if a := s.Post("stranger", "/join/fed", "message", strings.Repeat("x", 2<<20)); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 2 MB: %d", a.Status)
	}
	token, err := s.Server.AdminToken(t.Context(), "test", 3600e9)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Send("stranger", http.MethodPost, "/api/v1/federations", nil, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		r.Body, r.ContentLength = servertest.Body(`{"slug":"`+strings.Repeat("x", 2<<20)+`"}`), -1
	})
	if a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a JSON body of 2 MB: %d", a.Status)
	}
	limited := 0
	for i := range 40 {
		if a := s.Post("stranger", "/join/fed", "email", fmt.Sprintf("p%d@example.org", i), "name", "P"); a.Status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 {
		t.Error("one address may ask without end")
	}
}

var secretPattern = regexp.MustCompile(`(bt_[0-9a-f]{48}|[0-9a-f]{48})`)

// No secret of anybody is in the server's log.
func TestNoSecretIsLogged(t *testing.T) {
	s := newSite(t)
	s.Post("stranger", "/signin", "email", "viewer@example.org")
	s.Post("participant", "/me/fed/token")
	s.Post("stranger", "/join/fed", "email", "new@example.org", "name", "New")
	s.Mailed("viewer@example.org") // what is done after the answers is done
	s.Mailed("new@example.org")
	if _, err := s.Server.AdminToken(t.Context(), "test", 3600e9); err != nil {
		t.Fatal(err)
	}
	s.Get("stranger", "/signin/"+strings.Repeat("ab", 24))
	text, err := os.ReadFile(s.Log)
	if err != nil || len(text) == 0 {
		t.Fatalf("the log: %q, %v", text, err)
	}
	if found := secretPattern.Find(text); found != nil {
		t.Errorf("the log has %q", found)
	}
	for kind, secret := range s.Cookies {
		if strings.Contains(string(text), secret) {
			t.Errorf("the log has the session of %s", kind)
		}
	}
}
