package web_test

import (
	"blossomtune/internal/servertest"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var shareLink = regexp.MustCompile(`/share/[0-9a-f]{32}`)

// A link opens one run to anybody: its charts, rounds and config, nobody's name, no note, no log unless it says so, for as long as
// it works.
func TestSharedRunIsReadOnlyAndEnds(t *testing.T) {
	s := newSite(t)
	s.FillRuns(5, 3, 2)
	run := "/f/fed/runs/digits-4" // a failed one
	made := s.Post("manager", run+"/share", "days", "7")
	plain := shareLink.FindString(made.Body)
	if plain == "" || strings.Contains(s.Get("manager", run).Body, plain) {
		t.Fatalf("%d: the link is not shown, or again", made.Status)
	}
	full := shareLink.FindString(s.Post("manager", run+"/share", "days", "7", "log", "1").Body)
	page := s.Get("stranger", plain)
	if page.Status != http.StatusOK || page.Header.Get("X-Robots-Tag") != "noindex, nofollow" ||
		page.Header.Get("Referrer-Policy") != "no-referrer" || page.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", page.Status, page.Header)
	}
	for _, words := range []string{"manager", "augmentation", "KeyError", "data-log=", "Stop run", "/f/fed", "participant@"} {
		if strings.Contains(page.Body, words) {
			t.Errorf("the shared page says %q", words)
		}
	}
	for _, words := range []string{"digits-4", "optimizer", plain + "/charts.json", "1.2.0"} {
		if !strings.Contains(page.Body, words) {
			t.Errorf("the shared page lacks %q", words)
		}
	}
	if a := s.Get("stranger", full); !strings.Contains(a.Body, "KeyError") || !strings.Contains(a.Body, "data-log=") {
		t.Error("a link with the log shows none")
	}
	for path, want := range map[string]int{plain + "/charts.json": 200, plain + "/metrics.csv": 200, plain + "/log/text": 404, plain +
		"/log/lines": 404, full + "/log/text": 200, plain + "/rounds": 200, plain + "/artifacts/x": 404, "/f/fed/runs/digits-4": 303} {
		if a := s.Get("stranger", path); a.Status != want {
			t.Errorf("%s: %d, want %d", path, a.Status, want)
		}
	}
	for _, kind := range []string{"viewer", "participant"} {
		if a := s.Post(kind, run+"/share", "days", "7"); a.Status != http.StatusForbidden {
			t.Errorf("%s makes a link: %d", kind, a.Status)
		}
	}
	if a := s.Post("manager", run+"/share", "days", "5000"); a.Status != 422 || !strings.Contains(a.Body, "1 to 365 days") {
		t.Errorf("%d", a.Status)
	}
	var list []struct {
		ID  int64
		URL string
	}
	if err := json.Unmarshal([]byte(s.Get("manager", "/api/v1/runs/digits-4/shares").Body), &list); err != nil || len(list) != 2 ||
		list[1].URL != "" {
		t.Fatal(list, err)
	}
	if a := s.Post("manager", run+"/share/revoke", "id", strconv.FormatInt(list[1].ID, 10), "confirmed",
		"yes"); a.Status != http.StatusSeeOther {
		t.Error(a.Status)
	}
	for _, path := range []string{plain, plain + "/charts.json", plain + "/metrics.csv"} {
		if a := s.Get("stranger", path); a.Status != http.StatusGone {
			t.Errorf("revoked, but %s: %d", path, a.Status)
		}
	}
	if a := s.Get("stranger", full); a.Status != http.StatusOK {
		t.Error("another link went too")
	}
	if got := strings.Join(s.Audited("digits-4"), " "); got != "run.share_revoked run.shared run.shared" {
		t.Error(got)
	}
	for _, e := range s.AuditOf("digits-4") {
		if strings.Contains(strings.Join([]string{e.Detail["link"], e.Detail["until"], e.Detail["url"]}, " "), plain[7:]) {
			t.Error("the audit holds the secret")
		}
	}
	tooOften := 0
	for range 620 {
		if s.Get("stranger", "/share/"+strings.Repeat("0", 32)).Status == http.StatusTooManyRequests {
			tooOften++
		}
	}
	if tooOften == 0 {
		t.Error("secrets can be tried without end")
	}
}

// A run's note and tags are changed after the fact, and the change is taken back once.
func TestNoteAndTagsAreChangedAndUndone(t *testing.T) {
	s := newSite(t)
	s.FillRuns(3, 1, 1)
	run := "/f/fed/runs/digits-3"
	was := func(note string, tags ...string) {
		t.Helper()
		r, err := s.Server.Runs.ByName(t.Context(), "digits-3")
		if err != nil || r.Note != note || strings.Join(r.Tags, ",") != strings.Join(tags, ",") {
			t.Errorf("%q %v %v", r.Note, r.Tags, err)
		}
	}
	a := s.Post("manager", run+"/describe", "note", " Better. ", "tags", "best, , best,paper")
	if a.Status != http.StatusSeeOther || !strings.Contains(s.Get("manager", a.Header.Get("Location")).Body, "Undo") ||
		strings.Contains(s.Get("viewer", a.Header.Get("Location")).Body, "Undo") {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	was("Better.", "best", "paper")
	if found := s.Get("viewer", "/f/fed/runs?tag=paper").Body; !strings.Contains(found, "1 run tagged paper") {
		t.Error("the table does not know the new tag")
	}
	s.Post("manager", run+"/describe", "undo", "1")
	was("With more augmentation.", "sweep", "baseline")
	s.Post("manager", run+"/describe", "undo", "1") // once only
	was("With more augmentation.", "sweep", "baseline")
	if a := s.Post("manager", run+"/describe", "note", "kept", "tags", strings.Repeat("x", 41)); a.Status != 422 ||
		!strings.Contains(a.Body, "A tag has 1 to 40 bytes") || !strings.Contains(a.Body, ">kept</textarea>") {
		t.Errorf("%d", a.Status)
	}
	if a := s.Post("viewer", run+"/describe", "note", "x"); a.Status != http.StatusForbidden {
		t.Error(a.Status)
	}
	if got := strings.Join(s.Audited("digits-3"), " "); got != "run.description_undone run.described" {
		t.Error(got)
	}
	s.Send("manager", http.MethodPatch, "/api/v1/runs/digits-3", nil, func(r *http.Request) {
		body := `{"tags":["api"]}`
		r.Body, r.ContentLength = servertest.Body(body), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
	was("With more augmentation.", "api")
}
