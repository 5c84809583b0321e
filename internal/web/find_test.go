package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/testbrowser"
)

// finds returns what somebody's palette leads to, as "kind: name".
func (s *site) finds(kind, words string) (out []string) {
	s.T.Helper()
	a := s.Get(kind, "/find.json?q="+url.QueryEscape(words))
	var groups []struct {
		Kind string
		Hits []struct{ Name, Href string }
	}
	if err := json.Unmarshal([]byte(a.Body), &groups); err != nil || a.Status != http.StatusOK {
		s.T.Fatalf("%s looks for %q: %d %s", kind, words, a.Status, a.Body)
	}
	for _, g := range groups {
		for _, h := range g.Hits {
			out = append(out, g.Kind+": "+h.Name)
			if to := s.Get(kind, h.Href); to.Status != http.StatusOK {
				s.T.Errorf("%s is led to %s, which answers %d", kind, h.Href, to.Status)
			}
		}
	}
	return out
}

// The palette finds what its visitor may see and do, and nothing else.
func TestThePaletteFindsByRole(t *testing.T) {
	s := newSite(t)
	other, err := s.Server.Onboarding.FederationBySlug(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	s.addRun(other.ID, "r-other", func(r *domain.Run) {
		s.failed(0)(r)
		r.CreatedAt = s.Now() // of the outsider's time there
	})
	for _, c := range []struct{ words, kind, want string }{
		{"launch fed", "manager", "Actions: Launch run in Fed"},
		{"launch fed", "viewer", ""},
		{"launch fed", "participant", ""},
		{"other", "manager", ""},
		{"other", "outsider", "Federations: Other; Runs: r-other"},
		{"r-", "manager", "Runs: r-1"},
		{"r-", "admin", "Runs: r-other; Runs: r-1"},
		{"R-", "participant", "Runs: r-1"},
		{"r-", "asker", ""},
		{"participant", "manager", "People: participant"},
		{"participant", "viewer", ""},
		{"participant", "participant", "Federations: Fed"}, // what they are there
		{"outsider", "manager", ""},
		{"outsider@", "admin", "People: outsider; People: outsider"}, // the request, and the person
		{"people", "admin", "Pages: People; Actions: Invite people to Fed; Actions: Invite people to Other"},
		{"people", "manager", "Actions: Invite people to Fed"},
		{"p/n", "viewer", "Apps: p/n"},
		{"p/n", "asker", ""},
		{"100%_", "admin", ""},
	} {
		if got := strings.Join(s.finds(c.kind, c.words), "; "); got != c.want {
			t.Errorf("%s looks for %q and finds %q, want %q", c.kind, c.words, got, c.want)
		}
	}
	if got := s.finds("viewer", ""); !slices.Contains(got, "Pages: Overview") || !slices.Contains(got, "Runs: r-1") || slices.Contains(got, "Pages: Mail") {
		t.Errorf("without a word a viewer finds %v", got)
	}
	if got := s.finds("asker", ""); slices.Contains(got, "Pages: Overview") {
		t.Errorf("without a word an asker finds %v", got)
	}
	if a := s.Get("viewer", "/find.json?q="+strings.Repeat("x", 101)); a.Status != http.StatusUnprocessableEntity &&
		a.Status != http.StatusBadRequest {
		t.Errorf("a long question is answered with %d", a.Status)
	}
	limited := 0
	for range 240 {
		if s.Get("outsider", "/find.json?q=x").Status == http.StatusTooManyRequests {
			limited++
		}
	}
	if limited == 0 || s.Get("viewer", "/find.json?q=x").Status != http.StatusOK {
		t.Errorf("%d of many questions are refused, and others with them", limited)
	}
}

// The palette is a matter of keys: Ctrl-K, words, arrows, Enter. Its field tells a screen reader the choice; Escape gives the focus back.
func TestThePaletteGoesByKeys(t *testing.T) {
	s := newSite(t)
	d := testbrowser.New(t)
	s.browse(d, "manager", "/f/fed/runs")
	d.Do("manager", "focus", ".b-tabs a", "")
	d.Do("manager", "press", "", "Control+k")
	d.Do("manager", "wait", "#palette[open] input:focus", "")
	d.Do("manager", "fill", "#palette input", "of fed")
	d.Do("manager", "wait", `#palette [role=option][aria-selected=true]:has-text("Review requests of Fed")`, "")
	d.Do("manager", "press", "", "ArrowDown")
	d.Do("manager", "press", "", "ArrowDown")
	d.Do("manager", "press", "", "ArrowUp")
	at := d.Do("manager", "read", "#palette input", "aria-activedescendant")
	if got := d.Do("manager", "read", "#"+at, ""); !strings.Contains(got, "SuperNodes of Fed") {
		t.Errorf("after two steps down and one up %q is chosen", got)
	}
	d.Do("manager", "press", "", "Escape")
	d.Do("manager", "wait", "#palette:not([open])", "")
	d.Do("manager", "wait", ".b-tabs a:first-child:focus", "")
	d.Do("manager", "click", "[data-find]", "")
	d.Do("manager", "fill", "#palette input", "r-1")
	d.Do("manager", "wait", `#palette [aria-selected=true][href="/f/fed/runs/r-1"]`, "")
	d.Do("manager", "press", "", "Enter")
	d.Do("manager", "wait", `h1:text-is("r-1")`, "")
	d.Do("manager", "click", "[data-find]", "")
	d.Do("manager", "fill", "#palette input", "no such thing")
	d.Do("manager", "wait", `#palette [data-said]:text-is("Nothing matches.")`, "")
	d.Do("manager", "cookie", "http://"+s.Server.Addr().String(), "ended")
	d.Do("manager", "fill", "#palette input", "r-1")
	d.Do("manager", "wait", `#palette [data-said]:has-text("You are not signed in")`, "")
}
