package catalog_test

import (
	"blossomtune/internal/servertest"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

// Whoever holds a partition reads what runs there and what changed in it, and no other app; viewers and managers read all.
func TestAParticipantReadsWhatRunsOnTheirData(t *testing.T) {
	s := newSite(t)
	one, two := servertest.TinyFAB(t, "1.0.0", "epochs = 1\n"), servertest.TinyFAB(t, "1.1.0", "epochs = 2\n")
	var paths []string
	for _, fab := range [][]byte{one, two} {
		a := s.Upload("manager", fab)
		if a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/apps/someone/tiny/") {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		paths = append(paths, a.Header.Get("Location"))
	}
	if a := s.Upload("viewer", one); a.Status != http.StatusForbidden {
		t.Errorf("a viewer adds apps: %d", a.Status)
	}
	diff := paths[1] + "/diff?against=" + paths[0][len(paths[0])-8:]
	for _, kind := range []string{"viewer", "manager", "admin"} {
		if a := s.Get(kind, paths[0]+"?file=tiny/server_app.py"); a.Status != http.StatusOK ||
			!strings.Contains(a.Body, "&lt;script&gt;alert(1)") || strings.Contains(a.Body, "<script>alert") ||
			!strings.Contains(a.Body, "by manager") {
			t.Errorf("%s: %d", kind, a.Status)
		}
	}
	for _, kind := range []string{"participant", "outsider", "asker", "revoked"} {
		for _, path := range []string{paths[0], paths[0] + "/fab", paths[0] + "/diff", diff} {
			if a := s.Get(kind, path); a.Status != http.StatusNotFound {
				t.Errorf("%s reads %s before it runs: %d", kind, path, a.Status)
			}
		}
		if a := s.Get(kind, "/apps"); a.Status != http.StatusOK || strings.Contains(a.Body, "someone/tiny") {
			t.Errorf("%s finds an app that runs nowhere: %d", kind, a.Status)
		}
	}
	for i, fab := range [][]byte{one, two} {
		run := domain.Run{FederationID: s.Fed.ID, Name: fmt.Sprintf("tiny-%d", i), State: domain.Queued,
			AppHash: fmt.Sprintf("%x", sha256.Sum256(fab)), AppID: "someone/tiny", AppVersion: "1", TotalPartitions: 10}
		if err := s.Server.DB.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertRun(t.Context(), &run) }); err != nil {
			t.Fatal(err)
		}
	}
	if a := s.Get("participant", paths[0]); a.Status != http.StatusOK || strings.Contains(a.Body, "by manager") ||
		!strings.Contains(a.Body, "tiny-0") {
		t.Errorf("%d; a participant learns who added it: %v", a.Status, strings.Contains(a.Body, "by manager"))
	}
	if a := s.Get("participant", diff); !strings.Contains(a.Body, "− epochs = 1") || !strings.Contains(a.Body, "+ epochs = 2") ||
		!strings.Contains(a.Body, "unchanged lines") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Get("participant",
		paths[1]+"/diff?view=split&against="+paths[1][len(paths[1])-8:]+"&version="+paths[0][len(paths[0])-8:]); a.Header.Get("Location") != paths[0]+"/diff?against="+paths[1][len(paths[1])-8:]+"&view=split" {
		t.Errorf("two versions are chosen: %d %s", a.Status, a.Header.Get("Location"))
	}
	if a := s.Get("participant", diff+"&view=split"); !strings.Contains(a.Body, "is-split") {
		t.Errorf("%d", a.Status)
	}
	if a := s.Get("participant", paths[0]+"/fab"); a.Body != string(one) ||
		!strings.Contains(a.Header.Get("Content-Disposition"), "someone.tiny.1-0-0.") {
		t.Errorf("the FAB is not its bytes: %d, %d bytes", a.Status, len(a.Body))
	}
	if a := s.Get("participant", "/me/fed"); strings.Contains(a.Body, "someone/tiny") {
		t.Error("the participant's page names what has not run on their machine yet")
	}
	s.Enrol(7)
	for i, fab := range [][]byte{one, two} {
		s.TookWith(fmt.Sprintf("ran-%d", i), uint64(50+i), map[uint64]string{7: "ok"}, func(r *domain.Run) {
			r.AppHash, r.AppID, r.AppVersion = fmt.Sprintf("%x", sha256.Sum256(fab)), "someone/tiny", "1"
		})
	}
	if a := s.Get("participant", "/me/fed"); !strings.Contains(a.Body, `href="`+paths[1]+`"`) || !strings.Contains(a.Body, `href="`+diff+`"`) {
		t.Error("the participant's page leads to neither source nor diff")
	}
	for _, kind := range []string{"outsider", "asker", "revoked"} {
		if a := s.Get(kind, paths[0]); a.Status != http.StatusNotFound {
			t.Errorf("%s reads what runs where they hold nothing: %d", kind, a.Status)
		}
	}
}

// What is no app comes back as a form with its reason, wherever it came from.
func TestAnAppThatIsNoneIsRefusedWithItsReason(t *testing.T) {
	s := newSite(t)
	if a := s.Upload("manager", []byte("PK\x03\x04 nonsense")); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, "neither a FAB nor a zip") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Post("manager", "/apps/git", "repository", "/etc", "ref", "main"); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, "Only admins add repositories of the server") || !strings.Contains(a.Body, `value="/etc"`) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := s.Post("admin", "/apps/git", "repository", t.TempDir()); a.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(a.Body, "no git repository") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// What the pages show of an app, the API gives too.
func TestTheAPIOfApps(t *testing.T) {
	s := newSite(t)
	call := func(kind, method, path, body string, into any) int {
		t.Helper()
		a := s.Send(kind, method, "/api/v1"+path, nil, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json")
			r.Body, r.ContentLength = servertest.Body(body), int64(len(body))
		})
		if into != nil {
			if err := json.Unmarshal([]byte(a.Body), into); err != nil {
				t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
			}
		}
		return a.Status
	}
	one, two := servertest.TinyFAB(t, "1.0.0", "epochs = 1\n"), servertest.TinyFAB(t, "1.1.0", "epochs = 2\n")
	var older, newer struct {
		Hash    string
		Presets []struct{ Name string }
		Origins []struct{ Kind, Place, By string }
	}
	if got := call("manager", "POST", "/apps?filename=tiny.fab", string(one), &older); got != http.StatusOK || len(older.Presets) != 1 {
		t.Fatalf("%d %+v", got, older)
	}
	call("manager", "POST", "/apps?filename=tiny.fab", string(two), &newer)
	var all []struct{ Hash string }
	if call("outsider", "GET", "/apps", "", &all); len(all) != 0 {
		t.Errorf("an outsider lists %d apps", len(all))
	}
	if call("viewer", "GET", "/apps", "", &all); len(all) != 3 {
		t.Errorf("a viewer lists %d apps", len(all))
	}
	if call("viewer", "GET", "/apps/"+newer.Hash, "", &newer); len(newer.Origins) != 1 || newer.Origins[0].By != "manager" ||
		newer.Origins[0].Place != "tiny.fab" {
		t.Errorf("%+v", newer.Origins)
	}
	var files []struct{ Path string }
	if call("viewer", "GET", "/apps/"+newer.Hash+"/files", "", &files); len(files) != 4 {
		t.Errorf("%+v", files)
	}
	var text struct{ Lines []string }
	if call("viewer", "GET", "/apps/"+newer.Hash+"/file?path=tiny/client_app.py", "", &text); len(text.Lines) != 1 ||
		text.Lines[0] != "epochs = 2" {
		t.Errorf("%+v", text)
	}
	for _, path := range []string{"../../etc/passwd", "nothing", ""} {
		if got := call("viewer", "GET", "/apps/"+newer.Hash+"/file?path="+path, "", nil); got != http.StatusNotFound {
			t.Errorf("%s: %d", path, got)
		}
	}
	var diff struct {
		Older string
		Files []struct {
			Path           string
			Added, Removed int
			Lines          []struct{ Op, Text string }
		}
	}
	if call("viewer", "GET", "/apps/"+newer.Hash+"/diff?against="+older.Hash, "", &diff); diff.Older != older.Hash || len(diff.Files) != 2 ||
		diff.Files[1].Added != 1 || diff.Files[1].Lines[0].Op != "-" {
		t.Errorf("%+v", diff)
	}
	if a := s.Get("viewer", "/api/v1/apps/"+older.Hash+"/fab"); a.Body != string(one) ||
		a.Header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d %s", len(a.Body), a.Header.Get("Content-Type"))
	}
	if got := call("manager", "PUT", "/apps/"+newer.Hash+"/presets/mine", `{"config":{"lr":"0.25","flag":"true"}}`,
		nil); got != http.StatusOK {
		t.Errorf("%d", got)
	}
	var presets []struct {
		Name   string
		Config map[string]string
		Saved  bool
	}
	if call("manager", "GET", "/apps/"+older.Hash+"/presets", "", &presets); len(presets) != 2 || !presets[1].Saved ||
		len(presets[1].Config) != 1 {
		t.Errorf("%+v", presets)
	}
	if got := call("manager", "DELETE", "/apps/"+newer.Hash+"/presets/mine", "", nil); got/100 != 2 {
		t.Errorf("%d", got)
	}
	if got := call("manager", "POST", "/apps/git", `{"repository":"https://169.254.169.254/latest"}`,
		nil); got != http.StatusUnprocessableEntity {
		t.Errorf("the server's own network: %d", got)
	}
}
