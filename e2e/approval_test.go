package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A participant who decides answers at once for a version that waits, and takes part after the approval. The run, the audit and the
// participant's own command say where it stands.
func TestAParticipantDecides(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	p := s.approved("One")
	p.join("--approve", "ask")
	s.approved("Two").join()
	dir := filepath.Join(p.home, "agent")
	app := s.app("steady")
	config := map[string]string{"num-server-rounds": "1", "pause": "0"}
	r := s.ends(s.launch(app, config).Name, 2*time.Minute)
	var failed struct {
		Failures []struct{ Message string } `json:"clientapp_failures"`
	}
	await(t, 20*time.Second, "the run says who has not approved it", func() (string, bool) {
		s.admin.must("GET", "/runs/"+r.Name, nil, &failed)
		return "", len(failed.Failures) == 1 && failed.Failures[0].Message == "has not approved this app version."
	})
	out, code := run(t, "apps", "--dir", dir)
	if code != 0 || !strings.Contains(out, "WAITING") || !strings.Contains(out, app) {
		t.Fatalf("apps: exit code %d: %s", code, out)
	}
	if out, code := run(t, "apps", "approve", app[:8], "--dir", dir); code == 0 {
		t.Errorf("eight digits approve a version: %s", out)
	}
	if out, code := run(t, "apps", "show", app[:16], "--dir", dir); code != 0 || !strings.Contains(out, "client_app.py") {
		t.Errorf("show: exit code %d: %s", code, out)
	}
	if out, code := run(t, "apps", "approve", app[:16], "--dir", dir); code != 0 {
		t.Fatalf("approve: exit code %d: %s", code, out)
	}
	r = s.becomes(s.launch(app, config).Name, "completed", 2*time.Minute)
	failed.Failures = nil
	if s.admin.must("GET", "/runs/"+r.Name, nil, &failed); len(failed.Failures) > 0 {
		t.Errorf("after the approval: %+v", failed.Failures)
	}
}
