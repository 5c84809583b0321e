package server_test

import (
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/config"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// A federation has the server's SuperLink until it chooses one, at its creation or later, between runs. Pages and API say which it is.
func TestAFederationChoosesItsEngine(t *testing.T) {
	s := newSiteWith(t, func(c *config.Config) { c.Engine = "flower" })
	if a := s.API("GET", "/federations/fed", ""); !strings.Contains(a.Body, `"engine":"flower"`) {
		t.Errorf("the server's default: %s", a.Body)
	}
	if a := s.API("POST", "/federations", `{"slug":"new","name":"New","partitions":2,"engine":"builtin"}`); !strings.Contains(a.Body,
		`"engine":"builtin"`) {
		t.Errorf("chosen at the creation: %d %s", a.Status, a.Body)
	}
	if a := s.API("PATCH", "/federations/fed/run-policy", `{"engine":"builtin"}`); a.Status != http.StatusOK ||
		!strings.Contains(a.Body, `"engine":"builtin"`) {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := s.API("GET", "/federations/fed", ""); !strings.Contains(a.Body, `"engine":"builtin"`) {
		t.Errorf("after the choice: %s", a.Body)
	}
	for kind, path := range map[string]string{"viewer": "/f/fed", "admin": "/admin/system"} {
		if a := s.Get(kind, path); !strings.Contains(a.Body, ">builtin</small>") {
			t.Errorf("%s does not say which SuperLink it is", path)
		}
	}
	page := s.Get("manager", "/f/fed/settings").Body
	if !strings.Contains(page, `value="builtin" selected`) || !strings.Contains(page, "Server default (Flower&#39;s own)") {
		t.Error("the settings do not show the choice")
	}
	if a := s.Post("manager", "/f/fed/settings/runs", "parallel", "1", "engine", "other"); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, `id="err-engine"`) {
		t.Errorf("an engine that does not exist: %d", a.Status)
	}
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
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
	a := s.Post("manager", "/f/fed/settings/runs", "parallel", "1", "engine", "default")
	if a.Status != http.StatusConflict || !strings.Contains(a.Body, "r-1 is running") || !strings.Contains(a.Body, "Wait until it has ended") {
		t.Errorf("while a run is in progress: %d", a.Status)
	}
	if got := s.Server.Choice.Of(s.Fed.ID); got != "builtin" {
		t.Errorf("the keeper is to have %q", got)
	}
	if a := s.Get("admin", "/admin/audit?action=federation.run_policy"); !strings.Contains(a.Body, "engine") {
		t.Error("the audit does not have the choice")
	}
}
