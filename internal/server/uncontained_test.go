package server

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
	if page := s.get("admin", "/admin/system").body; strings.Contains(page, "uncontained") {
		t.Error("a server that contains apps asks whether it may do without")
	}
	s.level.Store(domain.NotContainable)
	refused := func(who, what string, a answer) {
		t.Helper()
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "This server cannot contain apps") || !strings.Contains(a.body, "Ask an instance admin") {
			t.Errorf("%s: %s: %d %.2000s", who, what, a.status, a.body)
		}
	}
	launch := func(who, name string) answer {
		return s.post(who, "/f/fed/launch", "app", s.run.AppHash, "run_id", name, "partitions", "10", "override", "it starts at noon", "anyway", "yes")
	}
	refused("manager", "launches", launch("manager", "u-1"))
	refused("manager", "adds from git", s.post("manager", "/apps/git", "repository", "https://example.org/app"))
	if a := launch("admin", "u-2"); a.status != http.StatusSeeOther {
		t.Errorf("an admin launches: %d", a.status)
	}
	if a := s.post("manager", "/admin/system/uncontained", "accept", "yes"); a.status != http.StatusForbidden && a.status != http.StatusNotFound {
		t.Errorf("a manager accepts the risk: %d", a.status)
	}
	if page := s.get("admin", "/admin/system").body; !strings.Contains(page, "Accept uncontained apps") {
		t.Error("the admin cannot accept the risk")
	}
	for range 2 {
		if a := s.post("admin", "/admin/system/uncontained", "accept", "yes", "confirmed", "yes"); a.status != http.StatusSeeOther {
			t.Fatalf("the admin accepts: %d", a.status)
		}
	}
	if a := launch("manager", "u-3"); a.status != http.StatusConflict || !strings.Contains(a.body, "SuperLink") {
		t.Errorf("after the risk was accepted a manager's launch is answered with %d", a.status)
	}
	s.post("admin", "/admin/system/uncontained", "accept", "no")
	if a := s.get("admin", "/api/v1/containment"); !strings.Contains(a.body, `"accept_uncontained":false`) || !strings.Contains(a.body, `"level":"none"`) {
		t.Errorf("the API answers %s", a.body)
	}
	refused("manager", "launches again", launch("manager", "u-4"))
	entries, err := s.app.Audit.List(t.Context(), domain.AuditFilter{})
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
