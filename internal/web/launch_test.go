package web_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// launched launches a run against the board, as the admin, and returns it.
func (s *site) launched(name string, more ...string) domain.Run {
	s.T.Helper()
	fields := append([]string{"app", s.Run.AppHash, "run_id", name, "partitions", "10", "override", "it starts at noon", "anyway", "yes"},
		more...)
	if a := s.Post("admin", "/f/fed/launch", fields...); a.Status != http.StatusSeeOther {
		s.T.Fatalf("launching %s: %d\n%s", name, a.Status, a.Body)
	}
	run, err := s.Server.Runs.ByName(s.T.Context(), name)
	if err != nil {
		s.T.Fatal(err)
	}
	return run
}

func (s *site) auditText() string {
	s.T.Helper()
	var text strings.Builder
	err := s.Server.DB.View(s.T.Context(), func(tx *store.Tx) error {
		all, err := tx.AuditEntries(s.T.Context(), domain.AuditFilter{Limit: 500})
		for _, e := range all {
			text.WriteString(e.Action)
			for k, v := range e.Detail {
				text.WriteString(" " + k + "=" + v)
			}
			text.WriteString("\n")
		}
		return err
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return text.String()
}

// While the board says no-go managers launch nothing; an admin does with a reason, which stays with the run.
func TestLaunchingAgainstTheBoard(t *testing.T) {
	s := newSite(t)
	form := []string{"app", s.Run.AppHash, "run_id", "r-2", "partitions", "10", "override", "now"}
	for kind, fields := range map[string][]string{"manager": append(form, "anyway", "yes"), "admin": form} {
		a := s.Post(kind, "/f/fed/launch", fields...)
		if a.Status != http.StatusConflict || !strings.Contains(a.Body, "The board says no-go: SuperLink is stopped") ||
			!strings.Contains(a.Body, `value="r-2"`) {
			t.Errorf("%s: %d", kind, a.Status)
		}
	}
	if page := s.Get("manager", "/f/fed/launch").Body; strings.Contains(page, `name="override"`) || strings.Contains(page, "Launch anyway") {
		t.Error("a manager is offered what only admins may")
	}
	if page := s.Get("admin", "/f/fed/launch").Body; !strings.Contains(page, "Launch anyway") {
		t.Error("an admin is not offered to launch anyway")
	}
	run := s.launched("r-2")
	if run.Override != "it starts at noon" || !strings.Contains(s.auditText(), "override=it starts at noon") {
		t.Errorf("the reason is not kept: %q", run.Override)
	}
	if page := s.Get("viewer", "/f/fed/runs/r-2").Body; !strings.Contains(page, "it starts at noon") ||
		!strings.Contains(page, "waits for the SuperLink, which is stopped") {
		t.Error("the run does not say why it was launched, or what it waits for")
	}
	if page := s.Get("participant", "/f/fed/runs/r-2").Body; strings.Contains(page, "it starts at noon") {
		t.Error("a participant reads the admins' reason")
	}
}

// The settings are kept with the run; a clone has them too. No value of an environment variable is ever shown, logged or audited.
func TestSettingsAreKeptAndSecretsAreNotShown(t *testing.T) {
	s := newSite(t)
	const secret = "s3cret-value-9"
	run := s.launched("r-2", "environment", "API_KEY="+secret+"\r\nMODE=fast", "cpus", "2", "memory_mb", "900", "log_level", "DEBUG", "package_index", "https://packages.example.org/simple",
		"wall_limit", "2 h", "round_limit", "90 s", "no_progress_limit", "", "first_heartbeat_limit", "5", "tags", "a, b", "note", "n")
	want := domain.Limits{Wall: 2 * time.Hour, Round: 90 * time.Second, FirstHeartbeat: 5 * time.Minute}
	if g := run.Settings; g.Environment["API_KEY"] != secret || g.CPUs != 2 || g.MemoryMB != 900 || g.LogLevel != "DEBUG" || g.PackageIndex != "https://packages.example.org/simple" || g.Limits != want || len(run.Tags) != 2 {
		t.Errorf("kept is %+v, %v", g, run.Tags)
	}
	form := s.Get("admin", "/f/fed/launch?from=r-2").Body
	for _, part := range []string{"API_KEY=" + domain.Mask, `value="r-3"`, `value="900"`, `value="2 h"`, `value="1 min 30 s"`, `value="a, b"`} {
		if !strings.Contains(form, part) {
			t.Errorf("the form of a clone lacks %s", part)
		}
	}
	page := s.Get("viewer", "/f/fed/runs/r-2").Body
	for _, part := range []string{"at most 900 MB", "whole run 2 h, round 1 min 30 s, first sign of life 5 min", "API_KEY, MODE"} {
		if !strings.Contains(page, part) {
			t.Errorf("the run's page lacks %s", part)
		}
	}
	if strings.Contains(s.Get("participant", "/f/fed/runs/r-2").Body, "API_KEY") {
		t.Error("a participant reads the names of the variables")
	}
	clone := s.launched("r-3", "from", "r-2", "environment", "API_KEY="+domain.Mask+"\nMODE=slow")
	if g := clone.Settings.Environment; g["API_KEY"] != secret || g["MODE"] != "slow" {
		t.Errorf("the clone has %v", g)
	}
	shown := form + s.Get("admin", "/f/fed/runs/r-2").Body + s.Get("admin", "/api/v1/runs/r-2").Body + s.auditText()
	refused := s.Post("admin", "/f/fed/launch", "app", s.Run.AppHash, "run_id", "r-4", "partitions", "10", "environment",
		"LD_PRELOAD="+secret, "anyway", "yes", "override", "x")
	log, err := os.ReadFile(s.Log)
	if err != nil || refused.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(refused.Body, "LD_PRELOAD is not for a run to set") {
		t.Errorf("%d, %v", refused.Status, err)
	}
	if strings.Contains(shown+string(log), secret) {
		t.Error("the secret is shown")
	}
}

// The queue can be put in order, and what was cancelled comes back with one press.
func TestTheQueueOnThePage(t *testing.T) {
	s := newSite(t)
	for _, name := range []string{"q-1", "q-2", "q-3"} {
		s.launched(name)
	}
	order := func() string {
		page := s.Get("viewer", "/f/fed").Body
		page = page[strings.Index(page, `aria-label="Queue"`):]
		page = page[:strings.Index(page, "</ul>")]
		var out []string
		for _, part := range strings.Split(page, `/runs/q-`)[1:] {
			if strings.HasPrefix(part[1:], `"`) {
				out = append(out, part[:1])
			}
		}
		return strings.Join(out, "")
	}
	if got := order(); got != "123" {
		t.Fatalf("the queue is shown as %s", got)
	}
	s.Post("manager", "/f/fed/runs/q-3/move", "place", "1")
	if got := order(); got != "312" {
		t.Errorf("after a move it is %s", got)
	}
	a := s.Post("manager", "/f/fed/runs/q-1/stop")
	cookie := ""
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == "blossomtune_flash" {
			cookie = c.Value
		}
	}
	page := s.Send("manager", http.MethodGet, a.Header.Get("Location"), nil,
		func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "blossomtune_flash", Value: cookie}) })
	if !strings.Contains(page.Body, `action="/f/fed/runs/q-1/requeue"`) || order() != "32" {
		t.Errorf("after cancelling: %d, the queue is %s, and no Undo is offered", page.Status, order())
	}
	s.Post("manager", "/f/fed/runs/q-1/requeue")
	if got := order(); got != "312" {
		t.Errorf("after Undo it is %s", got)
	}
}

// How a federation runs is set on its page; what cannot be comes back with the reason at its field.
func TestHowAFederationRunsIsSet(t *testing.T) {
	s := newSite(t)
	if a := s.Post("manager", "/f/fed/settings/runs", "parallel", "2", "idle_stop", "30", "web_access", "on", "no_progress_limit",
		"1 h"); a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	f, err := s.Server.Onboarding.Federation(t.Context(), s.Fed.ID)
	if err != nil || f.Parallel != 2 || f.IdleStop != 30 || f.NoWeb || f.Limits != (domain.Limits{NoProgress: time.Hour}) {
		t.Errorf("%+v, %v", f, err)
	}
	if page := s.Get("manager", "/f/fed/settings").Body; !strings.Contains(page, `name="web_access" checked`) {
		t.Error("the page does not show that ServerApps have web access")
	}
	s.Post("manager", "/f/fed/settings/runs", "parallel", "2", "idle_stop", "30", "no_progress_limit", "1 h")
	if a := s.Get("viewer", "/api/v1/federations/fed/run-policy"); !strings.Contains(a.Body, `"web_access":false`) {
		t.Errorf("after it was turned off the API says %s", a.Body)
	}
	a := s.Post("manager", "/f/fed/settings/runs", "parallel", "2", "idle_stop", "30", "wall_limit", "soon")
	if a.Status != http.StatusUnprocessableEntity || !strings.Contains(a.Body, `id="err-wall_limit"`) ||
		!strings.Contains(a.Body, `value="soon"`) {
		t.Errorf("%d", a.Status)
	}
	if run := s.launched("r-2", "no_progress_limit", "1 h"); run.Settings.NoProgress != time.Hour {
		t.Errorf("the run has %+v", run.Settings.Limits)
	}
}

// A SuperLink that rests says so, and is no reason against a launch.
func TestARestingSuperLinkSaysSo(t *testing.T) {
	s := newSite(t)
	err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error {
		f, err := tx.FederationByID(t.Context(), s.Fed.ID)
		if err != nil {
			return err
		}
		f.EngineWanted, f.EngineIdle, f.IdleStop = true, true, 5
		return tx.UpdateFederation(t.Context(), f)
	})
	if err != nil {
		t.Fatal(err)
	}
	if page := s.Get("viewer", "/f/fed").Body; !strings.Contains(page, "idle, starts with the next run") {
		t.Error("the federation's page does not say that the SuperLink rests")
	}
	if page := s.Get("manager", "/f/fed/launch").Body; !strings.Contains(page, "SuperLink: stopped, idle") || strings.Contains(page, "No go") {
		t.Error("the board is against a launch that would start the SuperLink")
	}
	if answer := s.Get("viewer", "/api/v1/federations/fed").Body; !strings.Contains(answer, `"idle":true`) {
		t.Errorf("the API says %s", answer)
	}
}
