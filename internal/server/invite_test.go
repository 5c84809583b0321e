package server

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

var (
	inviteLink = regexp.MustCompile(`/i/([0-9a-f]{32})`)
	codeLink   = regexp.MustCompile(`/verify\?ref=([A-Z0-9-]+)&(?:amp;)?code=([A-Z0-9-]+)`)
)

// mailed returns the newest mail to an address, once there is one: it is written after the answer.
func (s *site) mailed(to string) domain.Mail {
	s.t.Helper()
	if err := s.app.Onboarding.SettleAsks(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	for by := time.Now().Add(10 * time.Second); time.Now().Before(by); {
		var all []domain.Mail
		if err := s.app.DB.View(s.t.Context(), func(tx *store.Tx) (err error) { all, err = tx.Mails(s.t.Context(), 500); return err }); err != nil {
			s.t.Fatal(err)
		}
		for _, m := range all {
			if m.To == to {
				return m
			}
		}
	}
	s.t.Fatalf("no mail to %s", to)
	return domain.Mail{}
}

// confirm enters the code that was mailed to an address, as a stranger does, and returns the new session.
func (s *site) confirm(email string) string {
	s.t.Helper()
	m := codeLink.FindStringSubmatch(s.mailed(email).Text)
	if m == nil {
		s.t.Fatalf("no code in the mail to %s", email)
	}
	a := s.post("stranger", "/verify", "ref", m[1], "code", m[2])
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "blossomtune_session" {
			return c.Value
		}
	}
	s.t.Fatalf("confirming gave %d and no session", a.status)
	return ""
}

// A manager's link takes a stranger from the link to a partition: ask, code, in.
func TestInvitationTakesAStrangerIn(t *testing.T) {
	s := newSite(t)
	a := s.post("manager", "/f/fed/invites", "uses", "1", "days", "7", "domain", "uni.example", "auto", "on", "note", "Site <b>")
	m := inviteLink.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || m == nil || !strings.Contains(a.body, "Site &lt;b&gt;") {
		t.Fatalf("%d without a link", a.status)
	}
	if page := s.get("manager", "/f/fed/invites").body; inviteLink.MatchString(page) {
		t.Error("the link is shown again")
	}
	link := m[0]
	if a := s.get("stranger", link); a.status != http.StatusOK || !strings.Contains(a.body, "You are invited") {
		t.Fatalf("opening: %d", a.status)
	}
	if a := s.post("stranger", link, "email", "x@evil.example", "name", "Keeper of words"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Keeper of words") {
		t.Errorf("another domain: %d", a.status)
	}
	if a := s.post("stranger", link, "email", "x@uni.example", "name", "X"); a.status != http.StatusSeeOther {
		t.Fatalf("asking: %d %s", a.status, a.body)
	}
	s.cookies["new"] = s.confirm("x@uni.example")
	if a := s.get("new", "/me/fed"); a.status != http.StatusOK || !strings.Contains(a.body, "You are in") {
		t.Errorf("status page: %d", a.status)
	}
	if a := s.get("stranger", link); a.status != http.StatusGone || !strings.Contains(a.body, "used up") {
		t.Errorf("a used link: %d", a.status)
	}
	if a := s.get("stranger", "/i/"+strings.Repeat("0", 32)); a.status != http.StatusNotFound {
		t.Errorf("no such link: %d", a.status)
	}
	kept := s.post("manager", "/f/fed/invites/import", "days", "7", "emails", "good@example.org\nnot one")
	if kept.status != http.StatusUnprocessableEntity || !strings.Contains(kept.body, "line 2: not one") || !strings.Contains(kept.body, "good@example.org\nnot one") {
		t.Errorf("a bad list: %d", kept.status)
	}
}

func TestFederationByInvitationOnly(t *testing.T) {
	s := newSite(t)
	a := s.post("manager", "/f/fed/settings", "name", "Fed", "proof", "either", "question", "Which scanner?", "answer_needed", "on")
	if page := s.get("stranger", "/join/fed").body; a.status != http.StatusSeeOther || !strings.Contains(page, "Which scanner?") {
		t.Errorf("%d, and the question is not asked", a.status)
	}
	if a := s.post("stranger", "/join/fed", "email", "q@example.org", "name", "Q"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "asks for an answer") {
		t.Errorf("without an answer: %d", a.status)
	}
	s.post("manager", "/f/fed/settings", "name", "Fed", "proof", "either", "invitations_only", "on")
	for _, a := range []answer{s.get("stranger", "/join/fed"), s.post("stranger", "/join/fed", "email", "q@example.org", "name", "Q")} {
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "by invitation only") {
			t.Errorf("without an invitation: %d", a.status)
		}
	}
	bad := s.send("manager", http.MethodPost, "/f/fed/settings", url.Values{"name": {""}, "description": {"kept words"}, "proof": {"x"}}, nil)
	if bad.status != http.StatusUnprocessableEntity || !strings.Contains(bad.body, "kept words") {
		t.Errorf("a name that is none: %d", bad.status)
	}
}

// What strangers wrote is text in a spreadsheet, not a formula.
func TestRequestsAsCSV(t *testing.T) {
	s := newSite(t)
	s.post("stranger", "/join/fed", "email", "evil@example.org", "name", `=HYPERLINK("http://evil.example","x")`, "message", "one\ntwo, \"three\"")
	s.mailed("evil@example.org") // what is done after the answer is done
	a := s.get("manager", "/f/fed/requests.csv?state=all&sort=oldest")
	rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Disposition"), "attachment") || len(rows) != 5 {
		t.Fatalf("%d, %d rows, %v", a.status, len(rows), err)
	}
	if last := rows[4]; last[1] != "unverified" || last[3] != `'=HYPERLINK("http://evil.example","x")` || last[6] != "one\ntwo, \"three\"" {
		t.Errorf("%q", last)
	}
	if only := s.get("manager", "/f/fed/requests.csv?state=approved").body; strings.Count(only, "\n") != 2 || !strings.Contains(only, "participant@example.org") {
		t.Errorf("the filter is not kept: %q", only)
	}
}
