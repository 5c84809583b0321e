package onboarding_test

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var (
	inviteLink = regexp.MustCompile(`/i/([0-9a-f]{32})`)
	codeLink   = regexp.MustCompile(`/verify\?ref=([A-Z0-9-]+)&(?:amp;)?code=([A-Z0-9-]+)`)
)

// confirm enters the code that was mailed to an address, as a stranger does, and returns the new session.
func (s *site) confirm(email string) string {
	s.T.Helper()
	m := codeLink.FindStringSubmatch(s.Mailed(email).Text)
	if m == nil {
		s.T.Fatalf("no code in the mail to %s", email)
	}
	a := s.Post("stranger", "/verify", "ref", m[1], "code", m[2])
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == "blossomtune_session" {
			return c.Value
		}
	}
	s.T.Fatalf("confirming gave %d and no session", a.Status)
	return ""
}

// A manager's link takes a stranger from the link to a partition: ask, code, in.
func TestInvitationTakesAStrangerIn(t *testing.T) {
	s := newSite(t)
	a := s.Post("manager", "/f/fed/invites", "uses", "1", "days", "7", "domain", "uni.example", "auto", "on", "note", "Site <b>")
	m := inviteLink.FindStringSubmatch(a.Body)
	if a.Status != http.StatusOK || m == nil || !strings.Contains(a.Body, "Site &lt;b&gt;") {
		t.Fatalf("%d without a link", a.Status)
	}
	if page := s.Get("manager", "/f/fed/invites").Body; inviteLink.MatchString(page) {
		t.Error("the link is shown again")
	}
	link := m[0]
	if a := s.Get("stranger", link); a.Status != http.StatusOK || !strings.Contains(a.Body, "You are invited") {
		t.Fatalf("opening: %d", a.Status)
	}
	if a := s.Post("stranger", link, "email", "x@evil.example", "name", "Keeper of words"); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, "Keeper of words") {
		t.Errorf("another domain: %d", a.Status)
	}
	if a := s.Post("stranger", link, "email", "x@uni.example", "name", "X"); a.Status != http.StatusSeeOther {
		t.Fatalf("asking: %d %s", a.Status, a.Body)
	}
	s.Cookies["new"] = s.confirm("x@uni.example")
	if a := s.Get("new", "/me/fed"); a.Status != http.StatusOK || !strings.Contains(a.Body, "You are in") {
		t.Errorf("status page: %d", a.Status)
	}
	if a := s.Get("stranger", link); a.Status != http.StatusGone || !strings.Contains(a.Body, "used up") {
		t.Errorf("a used link: %d", a.Status)
	}
	if a := s.Get("stranger", "/i/"+strings.Repeat("0", 32)); a.Status != http.StatusNotFound {
		t.Errorf("no such link: %d", a.Status)
	}
	kept := s.Post("manager", "/f/fed/invites/import", "days", "7", "emails", "good@example.org\nnot one")
	if kept.Status != http.StatusUnprocessableEntity || !strings.Contains(kept.Body, "line 2: not one") ||
		!strings.Contains(kept.Body, "good@example.org\nnot one") {
		t.Errorf("a bad list: %d", kept.Status)
	}
}

func TestFederationByInvitationOnly(t *testing.T) {
	s := newSite(t)
	a := s.Post("manager", "/f/fed/settings", "name", "Fed", "proof", "either", "question", "Which scanner?", "answer_needed", "on")
	if page := s.Get("stranger", "/join/fed").Body; a.Status != http.StatusSeeOther || !strings.Contains(page, "Which scanner?") {
		t.Errorf("%d, and the question is not asked", a.Status)
	}
	if a := s.Post("stranger", "/join/fed", "email", "q@example.org", "name", "Q"); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, "asks for an answer") {
		t.Errorf("without an answer: %d", a.Status)
	}
	s.Post("manager", "/f/fed/settings", "name", "Fed", "proof", "either", "invitations_only", "on")
	for _, a := range []answer{s.Get("stranger", "/join/fed"), s.Post("stranger", "/join/fed", "email", "q@example.org", "name", "Q")} {
		if a.Status != http.StatusForbidden || !strings.Contains(a.Body, "by invitation only") {
			t.Errorf("without an invitation: %d", a.Status)
		}
	}
	bad := s.Send("manager", http.MethodPost, "/f/fed/settings", url.Values{"name": {""}, "description": {"kept words"}, "proof": {"x"}}, nil)
	if bad.Status != http.StatusUnprocessableEntity || !strings.Contains(bad.Body, "kept words") {
		t.Errorf("a name that is none: %d", bad.Status)
	}
}

// What strangers wrote is text in a spreadsheet, not a formula.
func TestRequestsAsCSV(t *testing.T) {
	s := newSite(t)
	s.Post("stranger", "/join/fed", "email", "evil@example.org", "name", `=HYPERLINK("http://evil.example","x")`, "message",
		"one\ntwo, \"three\"")
	s.Mailed("evil@example.org") // what is done after the answer is done
	a := s.Get("manager", "/f/fed/requests.csv?state=all&sort=oldest")
	rows, err := csv.NewReader(strings.NewReader(a.Body)).ReadAll()
	if err != nil || a.Status != http.StatusOK || !strings.Contains(a.Header.Get("Content-Disposition"), "attachment") || len(rows) != 5 {
		t.Fatalf("%d, %d rows, %v", a.Status, len(rows), err)
	}
	if last := rows[4]; last[1] != "unverified" || last[3] != `'=HYPERLINK("http://evil.example","x")` || last[6] != "one\ntwo, \"three\"" {
		t.Errorf("%q", last)
	}
	if only := s.Get("manager", "/f/fed/requests.csv?state=approved").Body; strings.Count(only, "\n") != 2 ||
		!strings.Contains(only, "participant@example.org") {
		t.Errorf("the filter is not kept: %q", only)
	}
}
