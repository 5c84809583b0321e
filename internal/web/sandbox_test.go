package web_test

import (
	"strings"
	"testing"

	"blossomtune/internal/domain"
)

// A run's page says what its ServerApp could read and reach, as it was in force for that run.
func TestARunSaysWhatItsAppCouldReach(t *testing.T) {
	s := newSite(t)
	for name, c := range map[string]struct {
		sandbox domain.Sandbox
		want    string
	}{
		"w-1": {domain.Sandbox{Level: domain.ContainedFully}, "its own folders, and reach only Flower and web servers."},
		"w-2": {domain.Sandbox{Level: domain.ContainedByFloor, NoWeb: true},
			"reach only Flower. Without namespaces, the server&#39;s system cannot"},
		"w-5": {domain.Sandbox{Level: domain.ContainedFully, NoWeb: true}, "its own folders, and reach only Flower."},
		"w-3": {domain.Sandbox{Level: domain.NotContainable}, "read and reach whatever the server can"},
		"w-4": {domain.Sandbox{}, ""},
	} {
		s.addRun(s.Fed.ID, name, func(r *domain.Run) { r.Sandbox = c.sandbox })
		page := s.Get("viewer", "/f/fed/runs/"+name).Body
		if said := strings.Contains(page, "This app can") || strings.Contains(page, "This app could"); said != (c.want != "") || !strings.Contains(page, c.want) {
			t.Errorf("%s: the page does not say %q, or says what is not known", name, c.want)
		}
	}
}
