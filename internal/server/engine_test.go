package server

import (
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// ask calls the API as the admin.
func (s *site) ask(method, path, body string) answer {
	return s.send("admin", method, "/api/v1"+path, nil, func(r *http.Request) {
		r.Body, r.ContentLength = readCloser(body), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
}

// A federation has the server's SuperLink until it chooses one, at its creation or later, between runs. Pages and API say which it is.
func TestAFederationChoosesItsEngine(t *testing.T) {
	s := newSiteWith(t, func(c *config.Config) { c.Engine = "flower" })
	if a := s.ask("GET", "/federations/fed", ""); !strings.Contains(a.body, `"engine":"flower"`) {
		t.Errorf("the server's default: %s", a.body)
	}
	if a := s.ask("POST", "/federations", `{"slug":"new","name":"New","partitions":2,"engine":"builtin"}`); !strings.Contains(a.body,
		`"engine":"builtin"`) {
		t.Errorf("chosen at the creation: %d %s", a.status, a.body)
	}
	if a := s.ask("PATCH", "/federations/fed/run-policy", `{"engine":"builtin"}`); a.status != http.StatusOK ||
		!strings.Contains(a.body, `"engine":"builtin"`) {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := s.ask("GET", "/federations/fed", ""); !strings.Contains(a.body, `"engine":"builtin"`) {
		t.Errorf("after the choice: %s", a.body)
	}
	for kind, path := range map[string]string{"viewer": "/f/fed", "admin": "/admin/system"} {
		if a := s.get(kind, path); !strings.Contains(a.body, ">builtin</small>") {
			t.Errorf("%s does not say which SuperLink it is", path)
		}
	}
	page := s.get("manager", "/f/fed/settings").body
	if !strings.Contains(page, `value="builtin" selected`) || !strings.Contains(page, "Server default (Flower&#39;s own)") {
		t.Error("the settings do not show the choice")
	}
	if a := s.post("manager", "/f/fed/settings/runs", "parallel", "1", "engine", "other"); a.status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.body, `id="err-engine"`) {
		t.Errorf("an engine that does not exist: %d", a.status)
	}
	err := s.app.DB.InTx(t.Context(), func(tx *store.Tx) error {
		run, err := tx.RunByName(t.Context(), "r-1")
		if err != nil {
			return err
		}
		run.State = domain.Running
		return tx.UpdateRun(t.Context(), run)
	})
	if err != nil {
		t.Fatal(err)
	}
	a := s.post("manager", "/f/fed/settings/runs", "parallel", "1", "engine", "default")
	if a.status != http.StatusConflict || !strings.Contains(a.body, "r-1 is running") || !strings.Contains(a.body, "Wait until it has ended") {
		t.Errorf("while a run is in progress: %d", a.status)
	}
	if got := s.app.Choice.Of(s.fed.ID); got != "builtin" {
		t.Errorf("the keeper is to have %q", got)
	}
	if a := s.get("admin", "/admin/audit?action=federation.run_policy"); !strings.Contains(a.body, "engine") {
		t.Error("the audit does not have the choice")
	}
}
