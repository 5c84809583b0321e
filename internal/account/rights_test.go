package account_test

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

func TestTokensDoWhatTheirScopeSays(t *testing.T) {
	s := newSite(t)
	made := map[string]string{}
	for _, scope := range []string{"read", "all"} {
		a := s.Post("manager", "/me/account/tokens", "name", "of "+scope, "scope", scope, "days", "30")
		if made[scope] = madeToken.FindString(a.Body); a.Status != http.StatusOK || made[scope] == "" {
			t.Fatalf("%d without a token", a.Status)
		}
	}
	if page := s.Get("manager", "/me/account").Body; madeToken.MatchString(page) || !strings.Contains(page, "of read") {
		t.Error("the page shows a token again, or not its name")
	}
	const change = `{"partitions":12}`
	for scope, want := range map[string]int{"read": http.StatusForbidden, "all": http.StatusOK} {
		if a := s.Bearer(made[scope], http.MethodGet, "/api/v1/federations/fed", ""); a.Status != http.StatusOK {
			t.Errorf("looking with scope %s: %d", scope, a.Status)
		}
		if a := s.Bearer(made[scope], http.MethodPatch, "/api/v1/federations/fed", change); a.Status != want {
			t.Errorf("changing with scope %s: %d %s", scope, a.Status, a.Body)
		}
	}
	tokens, err := s.Server.Accounts.Tokens(t.Context(), s.Persons["manager"].ID)
	for late := time.Now().Add(20 * time.Second); err == nil && len(tokens) == 2 && tokens[0].LastUsedAt.IsZero() &&
		time.Now().Before(late); { // it is written after the answer
		tokens, err = s.Server.Accounts.Tokens(t.Context(), s.Persons["manager"].ID)
	}
	if err != nil || len(tokens) != 2 || tokens[0].LastUsedAt.IsZero() {
		t.Fatalf("%+v, %v", tokens, err)
	}
	if a := s.Post("viewer", "/me/account/tokens/revoke", "id", fmt.Sprint(tokens[0].ID)); a.Status != http.StatusNotFound {
		t.Errorf("somebody else revokes it: %d", a.Status)
	}
	s.Post("manager", "/me/account/tokens/revoke", "id", fmt.Sprint(tokens[0].ID), "confirmed", "yes")
	if a := s.Bearer(made["all"], http.MethodGet, "/api/v1/me", ""); a.Status != http.StatusUnauthorized {
		t.Errorf("a revoked token: %d", a.Status)
	}
	a := s.Post("manager", "/me/account/tokens", "name", "mine", "scope", "all", "days", "lots")
	if a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, `value="mine"`) {
		t.Errorf("a life that is no number: %d", a.Status)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	s := newSite(t)
	other, _, err := s.Server.Accounts.NewSession(t.Context(), s.Persons["viewer"].ID, "198.51.100.7", "Another Browser")
	if err != nil {
		t.Fatal(err)
	}
	s.Cookies["elsewhere"] = other
	if page := s.Get("viewer", "/me/account").Body; !strings.Contains(page, "Another Browser") || !strings.Contains(page, "198.51.100.7") {
		t.Error("the other session is not listed")
	}
	others, err := s.Server.Accounts.Sessions(t.Context(), s.Persons["viewer"].ID)
	if err != nil || len(others) != 2 {
		t.Fatal(others, err)
	}
	if a := s.Post("manager", "/me/account/sessions", "id", fmt.Sprint(others[0].ID)); a.Status != http.StatusNotFound {
		t.Errorf("ending another person's session: %d", a.Status)
	}
	s.Post("viewer", "/me/account/sessions", "id", "all", "confirmed", "yes")
	if a := s.Get("elsewhere", "/me"); !a.Refused() {
		t.Errorf("the ended session gets %d", a.Status)
	}
	if a := s.Get("viewer", "/me"); a.Refused() {
		t.Errorf("the current session was ended too: %d", a.Status)
	}
}

func TestRolesAreGivenAndTakenAway(t *testing.T) {
	s := newSite(t)
	if a := s.Get("outsider", "/f/fed"); !a.Refused() {
		t.Fatalf("before: %d", a.Status)
	}
	s.Post("manager", "/f/fed/settings/roles", "email", "Outsider@example.org", "role", "viewer")
	if a := s.Get("outsider", "/f/fed"); a.Status != http.StatusOK {
		t.Errorf("a viewer: %d", a.Status)
	}
	if a := s.Get("outsider", "/f/fed/settings"); a.Status != http.StatusForbidden {
		t.Errorf("a viewer at the settings: %d", a.Status)
	}
	s.Post("manager", "/f/fed/settings/roles", "email", "outsider@example.org", "role", "", "confirmed", "yes")
	if a := s.Get("outsider", "/f/fed"); !a.Refused() {
		t.Errorf("after: %d", a.Status)
	}
	if a := s.Post("manager", "/f/fed/settings/roles", "email", "x@example.org", "role",
		"participant"); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("a role that is not given: %d", a.Status)
	}
	s.Post("admin", fmt.Sprintf("/admin/people/%d", s.Persons["viewer"].ID), "admin", "true", "confirmed", "yes")
	if a := s.Get("viewer", "/admin/mail"); a.Status != http.StatusOK {
		t.Errorf("a new admin: %d", a.Status)
	}
	s.Post("admin", fmt.Sprintf("/admin/people/%d", s.Persons["viewer"].ID), "admin", "false", "confirmed", "yes")
	if a := s.Post("admin", fmt.Sprintf("/admin/people/%d", s.Persons["admin"].ID), "admin", "false", "confirmed",
		"yes"); a.Status != http.StatusConflict {
		t.Errorf("the last admin: %d", a.Status)
	}
	if got := domain.CodeOf(domain.CheckSlug("account")); got != domain.Invalid {
		t.Errorf("a federation may be called account: %q", got)
	}
}

// An admin ends one session, and revokes one token, of another person by the API; their others stay.
func TestAnAdminEndsOneSessionAndOneTokenByTheAPI(t *testing.T) {
	s := newSite(t)
	person := s.Persons["viewer"].ID
	other, _, err := s.Server.Accounts.NewSession(t.Context(), person, "198.51.100.7", "Another Browser")
	if err != nil {
		t.Fatal(err)
	}
	s.Cookies["elsewhere"] = other
	for _, name := range []string{"one", "two"} {
		s.Post("viewer", "/me/account/tokens", "name", name, "scope", "read", "days", "30")
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
		if a := s.Get("admin", base+"access"); json.Unmarshal([]byte(a.Body), &got) != nil {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return got
	}
	before := access()
	if len(before.Sessions) != 2 || len(before.Tokens) != 2 {
		t.Fatalf("%+v", before)
	}
	for _, v := range before.Sessions {
		if v.Agent == "Another Browser" {
			if a := s.Send("admin", http.MethodDelete, fmt.Sprintf("%ssessions/%d", base, v.ID), nil, nil); a.Status != http.StatusNoContent {
				t.Errorf("ending a session: %d %s", a.Status, a.Body)
			}
		}
	}
	if a := s.Send("admin", http.MethodDelete, fmt.Sprintf("%stokens/%d", base, before.Tokens[0].ID), nil,
		nil); a.Status != http.StatusNoContent {
		t.Errorf("revoking a token: %d %s", a.Status, a.Body)
	}
	if after := access(); len(after.Sessions) != 1 || len(after.Tokens) != 1 || after.Tokens[0] != before.Tokens[1] {
		t.Errorf("afterwards %+v", after)
	}
	if !s.Get("elsewhere", "/me").Refused() || s.Get("viewer", "/me").Refused() {
		t.Error("the wrong session was ended")
	}
}
