package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// askers makes people whose requests wait.
func (s *site) askers(n int) (out []domain.Request) {
	s.T.Helper()
	for i := range n {
		out = append(out, s.Request(fmt.Sprintf("p%02d", i), s.Fed, domain.Pending))
	}
	return out
}

func (s *site) approvedNow() int {
	s.T.Helper()
	held, err := s.Server.Onboarding.Holders(s.T.Context(), s.Fed.ID)
	if err != nil {
		s.T.Fatal(err)
	}
	return len(held)
}

// More people wait than partitions are free: the first of them are approved with one press, and the total is raised where one is.
func TestMorePeopleThanPartitions(t *testing.T) {
	s := newSite(t)
	all := s.askers(20) // and the fixture's one; one of ten partitions is held
	page := s.Get("manager", "/f/fed/requests").Body
	for _, want := range []string{"Approve the first 9 of 21", "data-pick-all", `name="partitions" inputmode="numeric" value="22"`, "Raise total"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// Twelve are ticked, the script says how many there is room for: those who wait longest.
	fields := []string{"most", "3"}
	for _, r := range all[:5] {
		fields = append(fields, "id", fmt.Sprint(r.ID))
	}
	if a := s.Post("manager", "/f/fed/requests/approve", fields...); a.Status != http.StatusSeeOther || s.approvedNow() != 4 {
		t.Errorf("ticked: %d, %d are approved", a.Status, s.approvedNow())
	}
	for i, r := range all[:5] {
		now, err := s.Server.Onboarding.Request(t.Context(), r.ID)
		if want := map[bool]domain.RequestState{true: domain.Approved, false: domain.Pending}[i < 3]; err != nil || now.State != want {
			t.Errorf("%s is %s, %v", r.Ref, now.State, err)
		}
	}
	if a := s.Post("manager", "/f/fed/requests/approve", "first", "6", "q", ""); a.Status != http.StatusSeeOther || s.approvedNow() != 10 {
		t.Errorf("the first: %d, %d are approved", a.Status, s.approvedNow())
	}
	if now, err := s.Server.Onboarding.Request(t.Context(), s.Asks.ID); err != nil || now.State != domain.Approved {
		t.Errorf("who waited longest is %s, %v", now.State, err)
	}
	page = s.Get("manager", "/f/fed/requests").Body
	if !strings.Contains(page, "All 10 partitions are assigned") || !strings.Contains(page, `value="22"`) ||
		strings.Contains(page, "Approve the first") {
		t.Error("with no partition free the page does not lead on")
	}
	if a := s.Post("manager", "/f/fed/partitions", "partitions", "lots", "back", "requests"); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, "lots") || !strings.Contains(a.Body, "Raise total") {
		t.Errorf("a wrong total: %d", a.Status)
	}
	if a := s.Post("manager", "/f/fed/partitions", "partitions", "22", "back", "requests"); a.Status != http.StatusSeeOther ||
		a.Header.Get("Location") != "/f/fed/requests" {
		t.Errorf("raising: %d to %s", a.Status, a.Header.Get("Location"))
	}
	if a := s.Post("manager", "/f/fed/requests/approve", "all", "yes", "q", ""); a.Status != http.StatusSeeOther || s.approvedNow() != 21+1 {
		t.Errorf("all: %d, %d are approved", a.Status, s.approvedNow())
	}
	if a := s.Post("manager", "/f/fed/requests/approve", "first", "-1"); a.Status != http.StatusUnprocessableEntity {
		t.Errorf("the first -1: %d", a.Status)
	}
}

// People who were approved and have not connected for a day need a manager: their command has run out.
func TestPeopleWhoNeverConnectedAreANeed(t *testing.T) {
	s := newSite(t)
	needs := func(kind string) string { return strings.Join(needsOf(s.Get(kind, "/").Body), "; ") }
	if got := needs("manager"); strings.Contains(got, "never connected") {
		t.Errorf("at once: %q", got)
	}
	s.Passes(25 * time.Hour)
	if got := needs("manager"); !strings.Contains(got, "1 person approved in Fed never connected") || strings.Contains(got, "Other") {
		t.Errorf("after a day: %q", got)
	}
	if got := needs("admin"); !strings.Contains(got, "approved in Other never connected") {
		t.Errorf("an admin: %q", got)
	}
	if page := s.Get("manager", "/").Body; !strings.Contains(page, `href="/f/fed/requests?state=approved"`) ||
		!strings.Contains(page, "participant: write to them") {
		t.Error("the need does not say who, or does not lead there")
	}
	if got := needs("viewer"); got != "" {
		t.Errorf("a viewer: %q", got)
	}
	s.Enrol(7)
	s.Put(func(tx *store.Tx) error {
		k, err := tx.NodeKeyByFingerprint(t.Context(), "f")
		if err == nil {
			err = tx.UpdateNodesSeen(t.Context(), map[int64]domain.NodeSeen{k.ID: {FirstAt: s.Now(), LastAt: s.Now()}})
		}
		return err
	})
	if got := needs("manager"); strings.Contains(got, "never connected") {
		t.Errorf("after the SuperNode was seen: %q", got)
	}
}

func TestWhereAPIAndHelpLead(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/api", "/api/"} {
		a := s.Get("stranger", path)
		if path == "/api/" && a.Status == http.StatusSeeOther && a.Header.Get("Location") == "/api" {
			continue
		}
		if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") ||
			!strings.Contains(a.Body, `href="/api/openapi.json"`) {
			t.Errorf("%s: %d %s", path, a.Status, a.Header.Get("Content-Type"))
		}
	}
	if a := s.Get("stranger", "/api/v1/nothing"); a.Status != http.StatusNotFound || strings.Contains(a.Header.Get("Content-Type"), "html") {
		t.Errorf("a wrong operation: %d %s", a.Status, a.Header.Get("Content-Type"))
	}
	help := s.Get("stranger", "/help").Body
	for _, want := range []string{"Ask the managers of the federation", "Ask the person who runs this server", `href="/api"`} {
		if !strings.Contains(help, want) {
			t.Errorf("help does not say %q", want)
		}
	}
	if strings.Contains(help, "/admin/settings") || !strings.Contains(s.Get("admin", "/help").Body, `href="/admin/settings"`) {
		t.Error("an admin, and only an admin, is led to where the contact is set")
	}
	if !strings.Contains(s.Get("stranger", "/").Body, `href="/help"`) {
		t.Error("the start page does not lead to help")
	}
}
