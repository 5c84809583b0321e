package catalog_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

// On a server that cannot contain apps only admins add and launch them, until an admin accepts the risk.
func TestUncontainedAppsAreForAdmins(t *testing.T) {
	s := newSite(t)
	if page := s.Get("admin", "/admin/system").Body; strings.Contains(page, "uncontained") {
		t.Error("a server that contains apps asks whether it may do without")
	}
	s.Level.Store(domain.NotContainable)
	refused := func(who, what string, a answer) {
		t.Helper()
		if a.Status != http.StatusForbidden || !strings.Contains(a.Body, "This server cannot contain apps") ||
			!strings.Contains(a.Body, "Ask an instance admin") {
			t.Errorf("%s: %s: %d %.2000s", who, what, a.Status, a.Body)
		}
	}
	launch := func(who, name string) answer {
		return s.Post(who, "/f/fed/launch", "app", s.Run.AppHash, "run_id", name, "partitions", "10", "override", "it starts at noon", "anyway",
			"yes")
	}
	refused("manager", "launches", launch("manager", "u-1"))
	refused("manager", "adds from git", s.Post("manager", "/apps/git", "repository", "https://example.org/app"))
	if a := launch("admin", "u-2"); a.Status != http.StatusSeeOther {
		t.Errorf("an admin launches: %d", a.Status)
	}
	if a := s.Post("manager", "/admin/system/uncontained", "accept", "yes"); a.Status != http.StatusForbidden &&
		a.Status != http.StatusNotFound {
		t.Errorf("a manager accepts the risk: %d", a.Status)
	}
	if page := s.Get("admin", "/admin/system").Body; !strings.Contains(page, "Accept uncontained apps") {
		t.Error("the admin cannot accept the risk")
	}
	for range 2 {
		if a := s.Post("admin", "/admin/system/uncontained", "accept", "yes", "confirmed", "yes"); a.Status != http.StatusSeeOther {
			t.Fatalf("the admin accepts: %d", a.Status)
		}
	}
	if a := launch("manager", "u-3"); a.Status != http.StatusConflict || !strings.Contains(a.Body, "SuperLink") {
		t.Errorf("after the risk was accepted a manager's launch is answered with %d", a.Status)
	}
	s.Post("admin", "/admin/system/uncontained", "accept", "no")
	if a := s.Get("admin", "/api/v1/containment"); !strings.Contains(a.Body, `"accept_uncontained":false`) ||
		!strings.Contains(a.Body, `"level":"none"`) {
		t.Errorf("the API answers %s", a.Body)
	}
	refused("manager", "launches again", launch("manager", "u-4"))
	entries, err := s.Server.Audit.List(t.Context(), domain.AuditFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		if strings.HasPrefix(e.Action, "apps.") {
			got = append(got, e.Action)
		}
	}
	if !slices.Equal(got, []string{"apps.uncontained_refused", "apps.uncontained_accepted"}) {
		t.Errorf("the audit has %v", got)
	}
}
