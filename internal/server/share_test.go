package server

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

var shareLink = regexp.MustCompile(`/share/[0-9a-f]{32}`)

// audited are the actions on a run, newest first.
func (s *site) audited(run string) (out []string) {
	s.t.Helper()
	for _, e := range s.auditOf(run) {
		out = append(out, e.Action)
	}
	return out
}

func (s *site) auditOf(run string) (out []domain.AuditEntry) {
	s.t.Helper()
	if err := s.app.DB.View(s.t.Context(), func(tx *store.Tx) (err error) {
		out, err = tx.AuditEntries(s.t.Context(), domain.AuditFilter{ObjectKind: "run", ObjectID: run})
		return err
	}); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// A link opens one run to anybody: its charts, rounds and config, nobody's name, no note, no log unless it says so, for as long as
// it works.
func TestSharedRunIsReadOnlyAndEnds(t *testing.T) {
	s := newSite(t)
	s.fillRuns(5, 3, 2)
	run := "/f/fed/runs/digits-4" // a failed one
	made := s.post("manager", run+"/share", "days", "7")
	plain := shareLink.FindString(made.body)
	if plain == "" || strings.Contains(s.get("manager", run).body, plain) {
		t.Fatalf("%d: the link is not shown, or again", made.status)
	}
	full := shareLink.FindString(s.post("manager", run+"/share", "days", "7", "log", "1").body)
	page := s.get("stranger", plain)
	if page.status != http.StatusOK || page.header.Get("X-Robots-Tag") != "noindex, nofollow" || page.header.Get("Referrer-Policy") != "no-referrer" || page.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", page.status, page.header)
	}
	for _, words := range []string{"manager", "augmentation", "KeyError", "data-log=", "Stop run", "/f/fed", "participant@"} {
		if strings.Contains(page.body, words) {
			t.Errorf("the shared page says %q", words)
		}
	}
	for _, words := range []string{"digits-4", "optimizer", plain + "/charts.json", "1.2.0"} {
		if !strings.Contains(page.body, words) {
			t.Errorf("the shared page lacks %q", words)
		}
	}
	if a := s.get("stranger", full); !strings.Contains(a.body, "KeyError") || !strings.Contains(a.body, "data-log=") {
		t.Error("a link with the log shows none")
	}
	for path, want := range map[string]int{plain + "/charts.json": 200, plain + "/metrics.csv": 200, plain + "/log/text": 404, plain + "/log/lines": 404, full + "/log/text": 200, plain + "/rounds": 200, plain + "/artifacts/x": 404, "/f/fed/runs/digits-4": 303} {
		if a := s.get("stranger", path); a.status != want {
			t.Errorf("%s: %d, want %d", path, a.status, want)
		}
	}
	for _, kind := range []string{"viewer", "participant"} {
		if a := s.post(kind, run+"/share", "days", "7"); a.status != http.StatusForbidden {
			t.Errorf("%s makes a link: %d", kind, a.status)
		}
	}
	if a := s.post("manager", run+"/share", "days", "5000"); a.status != 422 || !strings.Contains(a.body, "1 to 365 days") {
		t.Errorf("%d", a.status)
	}
	var list []struct {
		ID  int64
		URL string
	}
	if err := json.Unmarshal([]byte(s.get("manager", "/api/v1/runs/digits-4/shares").body), &list); err != nil || len(list) != 2 || list[1].URL != "" {
		t.Fatal(list, err)
	}
	if a := s.post("manager", run+"/share/revoke", "id", strconv.FormatInt(list[1].ID, 10), "confirmed",
		"yes"); a.status != http.StatusSeeOther {
		t.Error(a.status)
	}
	for _, path := range []string{plain, plain + "/charts.json", plain + "/metrics.csv"} {
		if a := s.get("stranger", path); a.status != http.StatusGone {
			t.Errorf("revoked, but %s: %d", path, a.status)
		}
	}
	if a := s.get("stranger", full); a.status != http.StatusOK {
		t.Error("another link went too")
	}
	if got := strings.Join(s.audited("digits-4"), " "); got != "run.share_revoked run.shared run.shared" {
		t.Error(got)
	}
	for _, e := range s.auditOf("digits-4") {
		if strings.Contains(strings.Join([]string{e.Detail["link"], e.Detail["until"], e.Detail["url"]}, " "), plain[7:]) {
			t.Error("the audit holds the secret")
		}
	}
	tooOften := 0
	for range 620 {
		if s.get("stranger", "/share/"+strings.Repeat("0", 32)).status == http.StatusTooManyRequests {
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
	s.fillRuns(3, 1, 1)
	run := "/f/fed/runs/digits-3"
	was := func(note string, tags ...string) {
		t.Helper()
		r, err := s.app.Runs.ByName(t.Context(), "digits-3")
		if err != nil || r.Note != note || strings.Join(r.Tags, ",") != strings.Join(tags, ",") {
			t.Errorf("%q %v %v", r.Note, r.Tags, err)
		}
	}
	a := s.post("manager", run+"/describe", "note", " Better. ", "tags", "best, , best,paper")
	if a.status != http.StatusSeeOther || !strings.Contains(s.get("manager", a.header.Get("Location")).body, "Undo") || strings.Contains(s.get("viewer", a.header.Get("Location")).body, "Undo") {
		t.Errorf("%d %v", a.status, a.header)
	}
	was("Better.", "best", "paper")
	if found := s.get("viewer", "/f/fed/runs?tag=paper").body; !strings.Contains(found, "1 run tagged paper") {
		t.Error("the table does not know the new tag")
	}
	s.post("manager", run+"/describe", "undo", "1")
	was("With more augmentation.", "sweep", "baseline")
	s.post("manager", run+"/describe", "undo", "1") // once only
	was("With more augmentation.", "sweep", "baseline")
	if a := s.post("manager", run+"/describe", "note", "kept", "tags", strings.Repeat("x", 41)); a.status != 422 || !strings.Contains(a.body, "A tag has 1 to 40 bytes") || !strings.Contains(a.body, ">kept</textarea>") {
		t.Errorf("%d", a.status)
	}
	if a := s.post("viewer", run+"/describe", "note", "x"); a.status != http.StatusForbidden {
		t.Error(a.status)
	}
	if got := strings.Join(s.audited("digits-3"), " "); got != "run.description_undone run.described" {
		t.Error(got)
	}
	s.send("manager", http.MethodPatch, "/api/v1/runs/digits-3", nil, func(r *http.Request) {
		body := `{"tags":["api"]}`
		r.Body, r.ContentLength = readCloser(body), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
	})
	was("With more augmentation.", "api")
}
