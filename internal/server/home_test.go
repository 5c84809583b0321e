package server

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/testbrowser"
)

// put adds rows to the site's database.
func (s *site) put(fn func(tx *store.Tx) error) {
	s.t.Helper()
	if err := s.app.DB.InTx(s.t.Context(), fn); err != nil {
		s.t.Fatal(err)
	}
}

// addRun adds a run of the site's app to a federation.
func (s *site) addRun(fedID int64, name string, change func(*domain.Run)) domain.Run {
	s.t.Helper()
	r := domain.Run{FederationID: fedID, Name: name, State: domain.Completed, AppHash: s.run.AppHash, AppID: s.run.AppID, AppVersion: "1.0.0", TotalPartitions: 10, CreatedAt: s.now()}
	change(&r)
	s.put(func(tx *store.Tx) error { return tx.InsertRun(s.t.Context(), &r) })
	return r
}

// failed makes a run one that failed some time ago.
func (s *site) failed(ago time.Duration) func(*domain.Run) {
	return func(r *domain.Run) {
		r.State, r.CreatedAt, r.EndedAt = domain.Failed, s.now().Add(-ago-time.Minute), s.now().Add(-ago)
		r.Cause = domain.Cause{Code: "607", Message: "Partition 3 cannot import torch."}
	}
}

// goesOn makes a run one that goes on. Its federation's SuperLink must not be stopped, or it ends.
func (s *site) goesOn(engineRun uint64) func(*domain.Run) {
	return func(r *domain.Run) {
		r.State, r.EngineRunID, r.Round, r.Rounds = domain.Running, engineRun, 4, 10
		r.StartingAt, r.RunningAt = s.now().Add(-time.Minute), s.now().Add(-time.Minute)
	}
}

// needsOf are the titles of what a page says is needed.
func needsOf(page string) (out []string) {
	part := regexp.MustCompile(`(?s)<section[^>]* id="needs".*?</section>`).FindString(page)
	for _, m := range regexp.MustCompile(`<a class="b-strong b-wrap"[^>]*>([^<]*)</a>`).FindAllStringSubmatch(part, -1) {
		out = append(out, m[1])
	}
	return out
}

// The overview shows what somebody watches, and of needs what they may do something about. Nothing of other federations is counted.
func TestTheOverviewIsOfWhatOneWatches(t *testing.T) {
	s := newSite(t)
	other, err := s.app.Onboarding.FederationBySlug(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	s.addRun(other.ID, "tab-07", s.failed(43*time.Minute))
	s.put(func(tx *store.Tx) error {
		return tx.InsertMail(t.Context(), &domain.Mail{To: "a@example.org", Subject: "x", State: domain.MailDead, CreatedAt: s.now().Add(-time.Hour)})
	})
	admin := s.get("admin", "/")
	if got := strings.Join(needsOf(admin.body), "; "); got != "1 mail did not go out; tab-07 failed in Other; 1 request in Fed" {
		t.Errorf("an admin needs to see %q", got)
	}
	for _, words := range []string{"Healthy, 3 need you", "in 2 federations", "asker wants to join; 9 partitions are free", "Partition 3 cannot import torch.", `href="/f/other/runs/tab-07"`, `href="/f/fed/requests"`, `href="/admin/mail"`, `href="/f#new"`} {
		if !strings.Contains(admin.body, words) {
			t.Errorf("an admin's overview lacks %q", words)
		}
	}
	manager := s.get("manager", "/")
	if got := strings.Join(needsOf(manager.body), "; "); got != "1 request in Fed" || !strings.Contains(manager.body, "Healthy, 1 needs you") {
		t.Errorf("a manager needs to see %q", got)
	}
	viewer := s.get("viewer", "/")
	if strings.Contains(viewer.body, `<section class="b-panel b-fresh" id="needs"`) || strings.Contains(viewer.body, "pending") || strings.Contains(viewer.body, "asker") || !strings.Contains(viewer.body, ">Healthy<") {
		t.Error("a viewer is told what they may do nothing about")
	}
	for _, a := range []answer{manager, viewer} {
		if a.status != http.StatusOK || strings.Contains(a.body, "Other") || strings.Contains(a.body, "tab-07") || !strings.Contains(a.body, "in 1 federation.") || strings.Contains(a.body, "/f#new") {
			t.Errorf("the overview tells of a federation that it must not: %d", a.status)
		}
	}
	for _, kind := range []string{"participant", "outsider", "asker", "revoked"} {
		if a := s.get(kind, "/"); a.status != http.StatusSeeOther || a.header.Get("Location") != "/me" {
			t.Errorf("%s lands at %d %s", kind, a.status, a.header.Get("Location"))
		}
	}
	if a := s.get("stranger", "/"); a.status != http.StatusOK || !strings.Contains(a.body, "Your data stays at home") {
		t.Errorf("a stranger does not see the front door: %d", a.status)
	}
}

// A failed run needs somebody until a run of its app was launched after it, or three days have passed.
func TestAFailureIsSeenTo(t *testing.T) {
	s := newSite(t)
	needs := func() string {
		t.Helper()
		var out []string
		for _, n := range needsOf(s.get("manager", "/").body) {
			if strings.Contains(n, "failed") {
				out = append(out, strings.Fields(n)[0])
			}
		}
		return strings.Join(out, " ")
	}
	s.addRun(s.fed.ID, "old", s.failed(73*time.Hour))
	s.addRun(s.fed.ID, "new", s.failed(71*time.Hour))
	if got := needs(); got != "new" {
		t.Errorf("%q need somebody; one of them failed more than three days ago", got)
	}
	s.addRun(s.fed.ID, "next", func(r *domain.Run) { r.EndedAt = s.now() })
	if got := needs(); got != "" {
		t.Errorf("%q need somebody although a run of the app came after them", got)
	}
	s.addRun(s.fed.ID, "late", s.failed(time.Minute))
	s.addRun(s.fed.ID, "other-app", func(r *domain.Run) { s.failed(2 * time.Minute)(r); r.AppID = "p/other" })
	if got := needs(); got != "other-app late" {
		t.Errorf("%q need somebody", got)
	}
	s.addRun(s.fed.ID, "again", func(r *domain.Run) { r.State = domain.Stopped; r.EndedAt = s.now() })
	if got := needs(); got != "other-app" {
		t.Errorf("after the next run %q need somebody", got)
	}
	s.passes(3 * 24 * time.Hour)
	if got := needs(); got != "" {
		t.Errorf("after three days %q need somebody", got)
	}
}

// A SuperNode that leaves a run that goes on is a need, one that was away before is not.
func TestASuperNodeThatLeavesARunIsANeed(t *testing.T) {
	s := newSite(t)
	s.enrol(7)
	s.app.Manager.Start(s.fed.ID)
	s.addRun(s.fed.ID, "cnn-12", s.goesOn(43))
	seen := func(at time.Time, online bool) string {
		t.Helper()
		s.put(func(tx *store.Tx) error {
			k, err := tx.NodeKeyByFingerprint(t.Context(), "f")
			if err == nil {
				err = tx.UpdateNodesSeen(t.Context(), map[int64]domain.NodeSeen{k.ID: {FirstAt: at, LastAt: at, Online: online}})
			}
			return err
		})
		return strings.Join(needsOf(s.get("manager", "/").body), "; ")
	}
	for _, c := range []struct {
		at     time.Duration
		online bool
		left   bool
	}{{time.Hour, false, false}, {20 * time.Second, true, false}, {20 * time.Second, false, true}} {
		if got := seen(s.now().Add(-c.at), c.online); strings.Contains(got, "1 SuperNode of cnn-12 went offline") != c.left {
			t.Errorf("seen %s ago, online: %v: %q", c.at, c.online, got)
		}
	}
}

// The overview changes while it is looked at, and leads on.
func TestTheOverviewIsLive(t *testing.T) {
	s := newSite(t)
	d := testbrowser.New(t)
	s.browse(d, "manager", "/")
	d.Do("manager", "wait", "#live.is-ok", "")
	s.app.Manager.Start(s.fed.ID)
	s.addRun(s.fed.ID, "cnn-12", s.goesOn(43))
	d.Do("manager", "wait", `#running a[href="/f/fed/runs/cnn-12"]`, "")
	if _, err := s.app.Onboarding.Reject(t.Context(), domain.System, s.asks.ID, "no"); err != nil {
		t.Fatal(err)
	}
	d.Do("manager", "wait", `#needs:not(:has(a[href="/f/fed/requests"]))`, "")
}

// Who has just set the server up lands where the first federation is made, and is led on to the first run; once one has completed, the
// steps are gone.
func TestTheFirstStepsLeadToARun(t *testing.T) {
	s := newSite(t)
	page := func() string { return s.get("manager", "/").body }
	if strings.Contains(page(), "First steps") {
		t.Error("a run has completed, and the first steps are still there")
	}
	s.put(func(tx *store.Tx) error {
		s.run.State = domain.Failed
		return tx.UpdateRun(t.Context(), s.run)
	})
	for _, words := range []string{"2 of 5 steps to your first run", "Fed is made", `action="/f/fed/superlink/start"`, "Start SuperLink", `href="/f/fed/launch"`} { // one participant is in
		if !strings.Contains(page(), words) {
			t.Errorf("the steps lack %q", words)
		}
	}
	if viewer := s.get("viewer", "/").body; strings.Contains(viewer, "First steps") {
		t.Error("a viewer is led through what they may not do")
	}
	s.app.Manager.Start(s.fed.ID)
	if !strings.Contains(page(), "3 of 5 steps") {
		t.Error("the SuperLink has been started, and the step is not done")
	}
}
