package onboarding_test

import (
	"blossomtune/internal/servertest"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

var readableID = regexp.MustCompile(`[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}`)

// bytesOf is an answer as it came, but for its moment and the id in it, which is new each time.
func bytesOf(a answer) string {
	var b strings.Builder
	fmt.Fprintln(&b, a.Status)
	names := []string{}
	for name := range a.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if name != "Date" && name != "X-Request-Id" { // a random one
			fmt.Fprintln(&b, name, a.Header[name])
		}
	}
	b.WriteString(a.Body)
	return readableID.ReplaceAllString(b.String(), "THE-ID")
}

// Asking does not tell whether an address is known: not by the answer, on neither surface; not by what a wrong code or asking for
// another code is answered after it.
func TestAskingTellsNothing(t *testing.T) {
	addresses := []string{"nobody@example.org", "asker@example.org", "participant@example.org", "revoked@example.org", "outsider@example.org", "manager@example.org", "admin@example.org", "asked@example.org"}
	for surface, ask := range map[string]func(s *site, email string) answer{
		"pages": func(s *site, email string) answer {
			return s.Post("stranger", "/join/fed", "email", email, "name", "Site North")
		},
		"API": func(s *site, email string) answer {
			return s.Send("stranger", http.MethodPost, "/api/v1/federations/fed/requests", nil,
				jsonBody(fmt.Sprintf(`{"email":%q,"name":"Site North"}`, email)))
		},
	} {
		t.Run(surface, func(t *testing.T) {
			s := newSite(t)
			first := ask(s, "asked@example.org")
			if s.Mailed("asked@example.org"); first.Status >= 400 { // and settled
				t.Fatal(first)
			}
			refs := map[string]bool{readableID.FindString(first.Header.Get("Location") + first.Body): true}
			want := map[string]string{}
			same := func(what, email string, a answer) {
				t.Helper()
				got := bytesOf(a)
				if want[what] == "" {
					want[what] = got
				}
				if got != want[what] {
					t.Errorf("%s of %s is answered with\n%s\ninstead of\n%s", what, email, got, want[what])
				}
			}
			for _, email := range addresses {
				a := ask(s, email)
				same("asking", email, a)
				ref := readableID.FindString(a.Header.Get("Location") + a.Body)
				if ref == "" || refs[ref] {
					t.Fatalf("%s: the id %q tells of an earlier request", email, ref)
				}
				refs[ref] = true
				if m := s.Mailed(email); email != "asked@example.org" && !strings.Contains(m.Text, ref) { // a code went there a moment ago
					t.Errorf("%s: the mail names another id: %s", email, m.Text)
				}
				same("the page after it", email, s.Get("stranger", "/verify?ref="+ref))
				same("a wrong code", email, s.Post("stranger", "/verify", "ref", ref, "code", "2222-2222"))
				same("a wrong code by API", email, s.Send("stranger", http.MethodPost, "/api/v1/requests/"+ref+"/verify", nil,
					jsonBody(`{"code":"2222-2222"}`)))
				same("another code", email, s.Post("stranger", "/verify/resend", "ref", ref))
				same("another code by API", email, s.Send("stranger", http.MethodPost, "/api/v1/requests/"+ref+"/resend", nil, nil))
			}
		})
	}
}

// Asking for a sign-in link tells nothing either.
func TestAskingForASignInLinkTellsNothing(t *testing.T) {
	s := newSite(t)
	want := ""
	for _, email := range []string{"unknown@example.org", "manager@example.org", "revoked@example.org"} {
		got := strings.ReplaceAll(bytesOf(s.Post("stranger", "/signin", "email", email)), email, "ADDRESS")
		got = regexp.MustCompile(`Content-Length \[\d+\]`).ReplaceAllString(got, "")
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%s is answered with\n%s\ninstead of\n%s", email, got, want)
		}
	}
	s.Mailed("manager@example.org")
}

func jsonBody(body string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = servertest.Body(body), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept-Encoding", "identity")
	}
}

// A request whose code nobody entered runs out: its list says so and why, and whoever asked learns it, with what they can do, once they
// show with a new code who they are.
func TestARequestThatRanOutSaysSo(t *testing.T) {
	s := newSite(t)
	s.Post("stranger", "/join/fed", "email", "late@example.org", "name", "Site Late")
	old := codeLink.FindStringSubmatch(s.Mailed("late@example.org").Text)
	s.Passes(domain.RequestsLife + time.Minute)
	if n, err := s.Server.Onboarding.ExpireOld(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for path, want := range map[string][]string{
		"/f/fed/requests?state=ended&request=" + old[1]: {"Site Late", "expired", "unconfirmed", "The code from the e-mail was not entered within 48 h. They can ask again"},
		"/f/fed/requests?state=all":                     {"Site Late", "unconfirmed"},
		"/f/fed/requests.csv":                           {"late@example.org", "expired"},
	} {
		a := s.Get("manager", path)
		for _, w := range want {
			if a.Status != http.StatusOK || !strings.Contains(a.Body, w) {
				t.Errorf("%s: %d, without %q", path, a.Status, w)
			}
		}
	}
	if a := s.Get("manager", "/f/fed/requests?state=pending"); strings.Contains(a.Body, "Site Late") {
		t.Error("it waits for a manager")
	}
	if a := s.Post("stranger", "/verify", "ref", old[1], "code", old[2]); a.Status != http.StatusGone ||
		!strings.Contains(a.Body, "This code has run out") || !strings.Contains(a.Body, "Send a new code") {
		t.Errorf("the old code: %d", a.Status)
	}
	if a := s.Post("stranger", "/verify/resend", "ref", old[1]); a.Status != http.StatusSeeOther {
		t.Fatalf("a new code: %d", a.Status)
	}
	s.Cookies["late"] = s.confirm("late@example.org")
	status := s.Get("late", "/me/fed")
	for _, w := range []string{"Your request has run out", "The code was not entered in time. Ask again", `href="/join/fed"`} {
		if status.Status != http.StatusOK || !strings.Contains(status.Body, w) {
			t.Errorf("whoever asked: %d, without %q", status.Status, w)
		}
	}
	s.Post("late", "/join/fed", "email", "late@example.org", "name", "Site Late")
	again := codeLink.FindStringSubmatch(s.Mailed("late@example.org").Text)
	if a := s.Post("late", "/verify", "ref", again[1], "code", again[2]); a.Status != http.StatusSeeOther || again[1] == old[1] {
		t.Errorf("asking again: %d, %s after %s", a.Status, again[1], old[1])
	}
	if a := s.Get("late", "/me/fed"); !strings.Contains(a.Body, "Your request is being reviewed") {
		t.Error("asking again leads nowhere")
	}
}
