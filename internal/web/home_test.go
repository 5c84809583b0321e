package web_test

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

// addRun adds a run of the site's app to a federation.
func (s *site) addRun(fedID int64, name string, change func(*domain.Run)) domain.Run {
	s.T.Helper()
	r := domain.Run{FederationID: fedID, Name: name, State: domain.Completed, AppHash: s.Run.AppHash, AppID: s.Run.AppID,
		AppVersion: "1.0.0", TotalPartitions: 10, CreatedAt: s.Now()}
	change(&r)
	s.Put(func(tx *store.Tx) error { return tx.InsertRun(s.T.Context(), &r) })
	return r
}

// failed makes a run one that failed some time ago.
func (s *site) failed(ago time.Duration) func(*domain.Run) {
	return func(r *domain.Run) {
		r.State, r.CreatedAt, r.EndedAt = domain.Failed, s.Now().Add(-ago-time.Minute), s.Now().Add(-ago)
		r.Cause = domain.Cause{Code: "607", Message: "Partition 3 cannot import torch."}
	}
}

// goesOn makes a run one that goes on. Its federation's SuperLink must not be stopped, or it ends.
func (s *site) goesOn(engineRun uint64) func(*domain.Run) {
	return func(r *domain.Run) {
		r.State, r.EngineRunID, r.Round, r.Rounds = domain.Running, engineRun, 4, 10
		r.StartingAt, r.RunningAt = s.Now().Add(-time.Minute), s.Now().Add(-time.Minute)
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
	other, err := s.Server.Onboarding.FederationBySlug(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	s.addRun(other.ID, "tab-07", s.failed(43*time.Minute))
	s.Put(func(tx *store.Tx) error {
		return tx.InsertMail(t.Context(), &domain.Mail{To: "a@example.org", Subject: "x", State: domain.MailDead,
			CreatedAt: s.Now().Add(-time.Hour)})
	})
	admin := s.Get("admin", "/")
	if got := strings.Join(needsOf(admin.Body), "; "); got != "1 mail did not go out; tab-07 failed in Other; 1 request in Fed" {
		t.Errorf("an admin needs to see %q", got)
	}
	for _, words := range []string{"Healthy, 3 need you", "in 2 federations", "asker wants to join; 9 partitions are free", "Partition 3 cannot import torch.", `href="/f/other/runs/tab-07"`, `href="/f/fed/requests"`, `href="/admin/mail"`, `href="/f#new"`} {
		if !strings.Contains(admin.Body, words) {
			t.Errorf("an admin's overview lacks %q", words)
		}
	}
	manager := s.Get("manager", "/")
	if got := strings.Join(needsOf(manager.Body), "; "); got != "1 request in Fed" || !strings.Contains(manager.Body, "Healthy, 1 needs you") {
		t.Errorf("a manager needs to see %q", got)
	}
	viewer := s.Get("viewer", "/")
	if strings.Contains(viewer.Body, `<section class="b-panel b-fresh" id="needs"`) || strings.Contains(viewer.Body, "pending") ||
		strings.Contains(viewer.Body, "asker") || !strings.Contains(viewer.Body, ">Healthy<") {
		t.Error("a viewer is told what they may do nothing about")
	}
	for _, a := range []answer{manager, viewer} {
		if a.Status != http.StatusOK || strings.Contains(a.Body, "Other") || strings.Contains(a.Body, "tab-07") ||
			!strings.Contains(a.Body, "in 1 federation.") || strings.Contains(a.Body, "/f#new") {
			t.Errorf("the overview tells of a federation that it must not: %d", a.Status)
		}
	}
	for _, kind := range []string{"participant", "outsider", "asker", "revoked"} {
		if a := s.Get(kind, "/"); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/me" {
			t.Errorf("%s lands at %d %s", kind, a.Status, a.Header.Get("Location"))
		}
	}
	if a := s.Get("stranger", "/"); a.Status != http.StatusOK || !strings.Contains(a.Body, "Your data stays at home") {
		t.Errorf("a stranger does not see the front door: %d", a.Status)
	}
}

// A failed run needs somebody until a run of its app was launched after it, or three days have passed.
func TestAFailureIsSeenTo(t *testing.T) {
	s := newSite(t)
	needs := func() string {
		t.Helper()
		var out []string
		for _, n := range needsOf(s.Get("manager", "/").Body) {
			if strings.Contains(n, "failed") {
				out = append(out, strings.Fields(n)[0])
			}
		}
		return strings.Join(out, " ")
	}
	s.addRun(s.Fed.ID, "old", s.failed(73*time.Hour))
	s.addRun(s.Fed.ID, "new", s.failed(71*time.Hour))
	if got := needs(); got != "new" {
		t.Errorf("%q need somebody; one of them failed more than three days ago", got)
	}
	s.addRun(s.Fed.ID, "next", func(r *domain.Run) { r.EndedAt = s.Now() })
	if got := needs(); got != "" {
		t.Errorf("%q need somebody although a run of the app came after them", got)
	}
	s.addRun(s.Fed.ID, "late", s.failed(time.Minute))
	s.addRun(s.Fed.ID, "other-app", func(r *domain.Run) { s.failed(2 * time.Minute)(r); r.AppID = "p/other" })
	if got := needs(); got != "other-app late" {
		t.Errorf("%q need somebody", got)
	}
	s.addRun(s.Fed.ID, "again", func(r *domain.Run) { r.State = domain.Stopped; r.EndedAt = s.Now() })
	if got := needs(); got != "other-app" {
		t.Errorf("after the next run %q need somebody", got)
	}
	s.Passes(3 * 24 * time.Hour)
	if got := needs(); got != "" {
		t.Errorf("after three days %q need somebody", got)
	}
}

// A SuperNode that leaves a run that goes on is a need, one that was away before is not.
func TestASuperNodeThatLeavesARunIsANeed(t *testing.T) {
	s := newSite(t)
	s.Enrol(7)
	s.Server.Manager.Start(s.Fed.ID)
	s.addRun(s.Fed.ID, "cnn-12", s.goesOn(43))
	seen := func(at time.Time, online bool) string {
		t.Helper()
		s.Put(func(tx *store.Tx) error {
			k, err := tx.NodeKeyByFingerprint(t.Context(), "f")
			if err == nil {
				err = tx.UpdateNodesSeen(t.Context(), map[int64]domain.NodeSeen{k.ID: {FirstAt: at, LastAt: at, Online: online}})
			}
			return err
		})
		return strings.Join(needsOf(s.Get("manager", "/").Body), "; ")
	}
	for _, c := range []struct {
		at     time.Duration
		online bool
		left   bool
	}{{time.Hour, false, false}, {20 * time.Second, true, false}, {20 * time.Second, false, true}} {
		if got := seen(s.Now().Add(-c.at), c.online); strings.Contains(got, "1 SuperNode of cnn-12 went offline") != c.left {
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
	s.Server.Manager.Start(s.Fed.ID)
	s.addRun(s.Fed.ID, "cnn-12", s.goesOn(43))
	d.Do("manager", "wait", `#running a[href="/f/fed/runs/cnn-12"]`, "")
	if _, err := s.Server.Onboarding.Reject(t.Context(), domain.System, s.Asks.ID, "no"); err != nil {
		t.Fatal(err)
	}
	d.Do("manager", "wait", `#needs:not(:has(a[href="/f/fed/requests"]))`, "")
}

// Who has just set the server up lands where the first federation is made, and is led on to the first run; once one has completed, the
// steps are gone.
func TestTheFirstStepsLeadToARun(t *testing.T) {
	s := newSite(t)
	page := func() string { return s.Get("manager", "/").Body }
	if strings.Contains(page(), "First steps") {
		t.Error("a run has completed, and the first steps are still there")
	}
	s.Put(func(tx *store.Tx) error {
		s.Run.State = domain.Failed
		return tx.UpdateRun(t.Context(), s.Run)
	})
	for _, words := range []string{"2 of 5 steps to your first run", "Fed is made", `action="/f/fed/superlink/start"`, "Start SuperLink", `href="/f/fed/launch"`} { // one participant is in
		if !strings.Contains(page(), words) {
			t.Errorf("the steps lack %q", words)
		}
	}
	if viewer := s.Get("viewer", "/").Body; strings.Contains(viewer, "First steps") {
		t.Error("a viewer is led through what they may not do")
	}
	s.Server.Manager.Start(s.Fed.ID)
	if !strings.Contains(page(), "3 of 5 steps") {
		t.Error("the SuperLink has been started, and the step is not done")
	}
}
