package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
)

var madeToken = regexp.MustCompile(`bt_[0-9a-f]{48}`)

// bearer sends a request with an API token.
func (s *site) bearer(token, method, path, body string) answer {
	return s.send("stranger", method, path, nil, func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		if body != "" {
			r.Body, r.ContentLength = readCloser(body), int64(len(body))
		}
	})
}

func TestTokensDoWhatTheirScopeSays(t *testing.T) {
	s := newSite(t)
	made := map[string]string{}
	for _, scope := range []string{"read", "all"} {
		a := s.post("manager", "/me/account/tokens", "name", "of "+scope, "scope", scope, "days", "30")
		if made[scope] = madeToken.FindString(a.body); a.status != http.StatusOK || made[scope] == "" {
			t.Fatalf("%d without a token", a.status)
		}
	}
	if page := s.get("manager", "/me/account").body; madeToken.MatchString(page) || !strings.Contains(page, "of read") {
		t.Error("the page shows a token again, or not its name")
	}
	const change = `{"partitions":12}`
	for scope, want := range map[string]int{"read": http.StatusForbidden, "all": http.StatusOK} {
		if a := s.bearer(made[scope], http.MethodGet, "/api/v1/federations/fed", ""); a.status != http.StatusOK {
			t.Errorf("looking with scope %s: %d", scope, a.status)
		}
		if a := s.bearer(made[scope], http.MethodPatch, "/api/v1/federations/fed", change); a.status != want {
			t.Errorf("changing with scope %s: %d %s", scope, a.status, a.body)
		}
	}
	tokens, err := s.app.Accounts.Tokens(t.Context(), s.persons["manager"].ID)
	for late := time.Now().Add(20 * time.Second); err == nil && len(tokens) == 2 && tokens[0].LastUsedAt.IsZero() && time.Now().Before(late); { // it is written after the answer
		tokens, err = s.app.Accounts.Tokens(t.Context(), s.persons["manager"].ID)
	}
	if err != nil || len(tokens) != 2 || tokens[0].LastUsedAt.IsZero() {
		t.Fatalf("%+v, %v", tokens, err)
	}
	if a := s.post("viewer", "/me/account/tokens/revoke", "id", fmt.Sprint(tokens[0].ID)); a.status != http.StatusNotFound {
		t.Errorf("somebody else revokes it: %d", a.status)
	}
	s.post("manager", "/me/account/tokens/revoke", "id", fmt.Sprint(tokens[0].ID), "confirmed", "yes")
	if a := s.bearer(made["all"], http.MethodGet, "/api/v1/me", ""); a.status != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d", a.status)
	}
	a := s.post("manager", "/me/account/tokens", "name", "mine", "scope", "all", "days", "lots")
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `value="mine"`) {
		t.Errorf("a life that is no number: %d", a.status)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	s := newSite(t)
	other, _, err := s.app.Accounts.NewSession(t.Context(), s.persons["viewer"].ID, "198.51.100.7", "Another Browser")
	if err != nil {
		t.Fatal(err)
	}
	s.cookies["elsewhere"] = other
	if page := s.get("viewer", "/me/account").body; !strings.Contains(page, "Another Browser") || !strings.Contains(page, "198.51.100.7") {
		t.Error("the other session is not listed")
	}
	others, err := s.app.Accounts.Sessions(t.Context(), s.persons["viewer"].ID)
	if err != nil || len(others) != 2 {
		t.Fatal(others, err)
	}
	if a := s.post("manager", "/me/account/sessions", "id", fmt.Sprint(others[0].ID)); a.status != http.StatusNotFound {
		t.Errorf("ending another person's session: %d", a.status)
	}
	s.post("viewer", "/me/account/sessions", "id", "all", "confirmed", "yes")
	if a := s.get("elsewhere", "/me"); !a.refused() {
		t.Errorf("the ended session gets %d", a.status)
	}
	if a := s.get("viewer", "/me"); a.refused() {
		t.Errorf("the current session was ended too: %d", a.status)
	}
}

func TestRolesAreGivenAndTakenAway(t *testing.T) {
	s := newSite(t)
	if a := s.get("outsider", "/f/fed"); !a.refused() {
		t.Fatalf("before: %d", a.status)
	}
	s.post("manager", "/f/fed/settings/roles", "email", "Outsider@example.org", "role", "viewer")
	if a := s.get("outsider", "/f/fed"); a.status != http.StatusOK {
		t.Errorf("a viewer: %d", a.status)
	}
	if a := s.get("outsider", "/f/fed/settings"); a.status != http.StatusForbidden {
		t.Errorf("a viewer at the settings: %d", a.status)
	}
	s.post("manager", "/f/fed/settings/roles", "email", "outsider@example.org", "role", "", "confirmed", "yes")
	if a := s.get("outsider", "/f/fed"); !a.refused() {
		t.Errorf("after: %d", a.status)
	}
	if a := s.post("manager", "/f/fed/settings/roles", "email", "x@example.org", "role", "participant"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("a role that is not given: %d", a.status)
	}
	s.post("admin", fmt.Sprintf("/admin/people/%d", s.persons["viewer"].ID), "admin", "true", "confirmed", "yes")
	if a := s.get("viewer", "/admin/mail"); a.status != http.StatusOK {
		t.Errorf("a new admin: %d", a.status)
	}
	s.post("admin", fmt.Sprintf("/admin/people/%d", s.persons["viewer"].ID), "admin", "false", "confirmed", "yes")
	if a := s.post("admin", fmt.Sprintf("/admin/people/%d", s.persons["admin"].ID), "admin", "false", "confirmed", "yes"); a.status != http.StatusConflict {
		t.Errorf("the last admin: %d", a.status)
	}
	if got := domain.CodeOf(domain.CheckSlug("account")); got != domain.Invalid {
		t.Errorf("a federation may be called account: %q", got)
	}
}

// An admin ends one session, and revokes one token, of another person by the API; their others stay.
func TestAnAdminEndsOneSessionAndOneTokenByTheAPI(t *testing.T) {
	s := newSite(t)
	person := s.persons["viewer"].ID
	other, _, err := s.app.Accounts.NewSession(t.Context(), person, "198.51.100.7", "Another Browser")
	if err != nil {
		t.Fatal(err)
	}
	s.cookies["elsewhere"] = other
	for _, name := range []string{"one", "two"} {
		s.post("viewer", "/me/account/tokens", "name", name, "scope", "read", "days", "30")
	}
	base := fmt.Sprintf("/api/v1/people/%d/", person)
	access := func() (got struct {
		Sessions []struct {
			ID    int64
			Agent string
		}
		Tokens []struct{ ID int64 }
	}) {
		t.Helper()
		if a := s.get("admin", base+"access"); json.Unmarshal([]byte(a.body), &got) != nil {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return got
	}
	before := access()
	if len(before.Sessions) != 2 || len(before.Tokens) != 2 {
		t.Fatalf("%+v", before)
	}
	for _, v := range before.Sessions {
		if v.Agent == "Another Browser" {
			if a := s.send("admin", http.MethodDelete, fmt.Sprintf("%ssessions/%d", base, v.ID), nil, nil); a.status != http.StatusNoContent {
				t.Errorf("ending a session: %d %s", a.status, a.body)
			}
		}
	}
	if a := s.send("admin", http.MethodDelete, fmt.Sprintf("%stokens/%d", base, before.Tokens[0].ID), nil, nil); a.status != http.StatusNoContent {
		t.Errorf("revoking a token: %d %s", a.status, a.body)
	}
	if after := access(); len(after.Sessions) != 1 || len(after.Tokens) != 1 || after.Tokens[0] != before.Tokens[1] {
		t.Errorf("afterwards %+v", after)
	}
	if !s.get("elsewhere", "/me").refused() || s.get("viewer", "/me").refused() {
		t.Error("the wrong session was ended")
	}
}
