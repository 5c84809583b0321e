package server

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"blossomtune/internal/domain"
	"blossomtune/internal/store"
)

const tinyProject = `[project]
name = "tiny"
version = "%s"
description = "A tiny app"

[tool.flwr.app]
publisher = "someone"

[tool.flwr.app.components]
serverapp = "tiny.server_app:app"
clientapp = "tiny.client_app:app"

[tool.flwr.app.config]
num-server-rounds = 3
lr = 0.5
mode = "fast"
flag = true
model.size = 8
prompt = "one\ntwo"

[tool.blossomtune.config.lr]
min = 0.0
max = 1.0

[tool.blossomtune.config.mode]
choices = ["fast", "good"]

[tool.blossomtune.presets.quick]
num-server-rounds = 1
`

// tinyFAB makes a FAB as Flower does.
func tinyFAB(t *testing.T, version, code string) []byte {
	t.Helper()
	return fabOf(t, map[string]string{"pyproject.toml": fmt.Sprintf(tinyProject, version), "tiny/client_app.py": code, "tiny/server_app.py": "<script>alert(1)</script>\n"})
}

// fabOf makes a FAB of files, in the order of their names.
func fabOf(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	list := ""
	add := func(name, text string) {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
		list += fmt.Sprintf("%s,%x,%d\n", name, sha256.Sum256([]byte(text)), 8*len(text))
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		add(name, files[name])
	}
	add(".info/CONTENT", strings.TrimSpace(list))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload adds an app by the page's form and returns its address.
func (s *site) upload(kind string, fab []byte) answer {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	w, err := form.CreateFormFile("upload", "tiny.fab")
	if err == nil {
		_, err = w.Write(fab)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return s.send(kind, http.MethodPost, "/apps", nil, func(r *http.Request) {
		r.Header.Set("Content-Type", form.FormDataContentType())
		r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
	})
}

// Whoever holds a partition reads what runs there and what changed in it, and no other app; viewers and managers read all.
func TestAParticipantReadsWhatRunsOnTheirData(t *testing.T) {
	s := newSite(t)
	one, two := tinyFAB(t, "1.0.0", "epochs = 1\n"), tinyFAB(t, "1.1.0", "epochs = 2\n")
	var paths []string
	for _, fab := range [][]byte{one, two} {
		a := s.upload("manager", fab)
		if a.status != http.StatusSeeOther || !strings.HasPrefix(a.header.Get("Location"), "/apps/someone/tiny/") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		paths = append(paths, a.header.Get("Location"))
	}
	if a := s.upload("viewer", one); a.status != http.StatusForbidden {
		t.Errorf("a viewer adds apps: %d", a.status)
	}
	diff := paths[1] + "/diff?against=" + paths[0][len(paths[0])-8:]
	for _, kind := range []string{"viewer", "manager", "admin"} {
		if a := s.get(kind, paths[0]+"?file=tiny/server_app.py"); a.status != http.StatusOK || !strings.Contains(a.body, "&lt;script&gt;alert(1)") || strings.Contains(a.body, "<script>alert") || !strings.Contains(a.body, "by manager") {
			t.Errorf("%s: %d", kind, a.status)
		}
	}
	for _, kind := range []string{"participant", "outsider", "asker", "revoked"} {
		for _, path := range []string{paths[0], paths[0] + "/fab", paths[0] + "/diff", diff} {
			if a := s.get(kind, path); a.status != http.StatusNotFound {
				t.Errorf("%s reads %s before it runs: %d", kind, path, a.status)
			}
		}
		if a := s.get(kind, "/apps"); a.status != http.StatusOK || strings.Contains(a.body, "someone/tiny") {
			t.Errorf("%s finds an app that runs nowhere: %d", kind, a.status)
		}
	}
	for i, fab := range [][]byte{one, two} {
		run := domain.Run{FederationID: s.fed.ID, Name: fmt.Sprintf("tiny-%d", i), State: domain.Queued, AppHash: fmt.Sprintf("%x", sha256.Sum256(fab)), AppID: "someone/tiny", AppVersion: "1", TotalPartitions: 10}
		if err := s.app.DB.InTx(t.Context(), func(tx *store.Tx) error { return tx.InsertRun(t.Context(), &run) }); err != nil {
			t.Fatal(err)
		}
	}
	if a := s.get("participant", paths[0]); a.status != http.StatusOK || strings.Contains(a.body, "by manager") || !strings.Contains(a.body, "tiny-0") {
		t.Errorf("%d; a participant learns who added it: %v", a.status, strings.Contains(a.body, "by manager"))
	}
	if a := s.get("participant", diff); !strings.Contains(a.body, "− epochs = 1") || !strings.Contains(a.body, "+ epochs = 2") || !strings.Contains(a.body, "unchanged lines") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.get("participant", paths[1]+"/diff?view=split&against="+paths[1][len(paths[1])-8:]+"&version="+paths[0][len(paths[0])-8:]); a.header.Get("Location") != paths[0]+"/diff?against="+paths[1][len(paths[1])-8:]+"&view=split" {
		t.Errorf("two versions are chosen: %d %s", a.status, a.header.Get("Location"))
	}
	if a := s.get("participant", diff+"&view=split"); !strings.Contains(a.body, "is-split") {
		t.Errorf("%d", a.status)
	}
	if a := s.get("participant", paths[0]+"/fab"); a.body != string(one) || !strings.Contains(a.header.Get("Content-Disposition"), "someone.tiny.1-0-0.") {
		t.Errorf("the FAB is not its bytes: %d, %d bytes", a.status, len(a.body))
	}
	if a := s.get("participant", "/me/fed"); strings.Contains(a.body, "someone/tiny") {
		t.Error("the participant's page names what has not run on their machine yet")
	}
	s.enrol(7)
	for i, fab := range [][]byte{one, two} {
		s.tookWith(fmt.Sprintf("ran-%d", i), uint64(50+i), map[uint64]string{7: "ok"}, func(r *domain.Run) {
			r.AppHash, r.AppID, r.AppVersion = fmt.Sprintf("%x", sha256.Sum256(fab)), "someone/tiny", "1"
		})
	}
	if a := s.get("participant", "/me/fed"); !strings.Contains(a.body, `href="`+paths[1]+`"`) || !strings.Contains(a.body, `href="`+diff+`"`) {
		t.Error("the participant's page leads to neither source nor diff")
	}
	for _, kind := range []string{"outsider", "asker", "revoked"} {
		if a := s.get(kind, paths[0]); a.status != http.StatusNotFound {
			t.Errorf("%s reads what runs where they hold nothing: %d", kind, a.status)
		}
	}
}

// What is no app comes back as a form with its reason, wherever it came from.
func TestAnAppThatIsNoneIsRefusedWithItsReason(t *testing.T) {
	s := newSite(t)
	if a := s.upload("manager", []byte("PK\x03\x04 nonsense")); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "neither a FAB nor a zip") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.post("manager", "/apps/git", "repository", "/etc", "ref", "main"); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "Only admins add repositories of the server") || !strings.Contains(a.body, `value="/etc"`) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.post("admin", "/apps/git", "repository", t.TempDir()); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "no git repository") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// What the pages show of an app, the API gives too.
func TestTheAPIOfApps(t *testing.T) {
	s := newSite(t)
	call := func(kind, method, path, body string, into any) int {
		t.Helper()
		a := s.send(kind, method, "/api/v1"+path, nil, func(r *http.Request) {
			r.Header.Set("Content-Type", "application/json")
			r.Body, r.ContentLength = readCloser(body), int64(len(body))
		})
		if into != nil {
			if err := json.Unmarshal([]byte(a.body), into); err != nil {
				t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
		return a.status
	}
	one, two := tinyFAB(t, "1.0.0", "epochs = 1\n"), tinyFAB(t, "1.1.0", "epochs = 2\n")
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
	if call("viewer", "GET", "/apps/"+newer.Hash, "", &newer); len(newer.Origins) != 1 || newer.Origins[0].By != "manager" || newer.Origins[0].Place != "tiny.fab" {
		t.Errorf("%+v", newer.Origins)
	}
	var files []struct{ Path string }
	if call("viewer", "GET", "/apps/"+newer.Hash+"/files", "", &files); len(files) != 4 {
		t.Errorf("%+v", files)
	}
	var text struct{ Lines []string }
	if call("viewer", "GET", "/apps/"+newer.Hash+"/file?path=tiny/client_app.py", "", &text); len(text.Lines) != 1 || text.Lines[0] != "epochs = 2" {
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
	if call("viewer", "GET", "/apps/"+newer.Hash+"/diff?against="+older.Hash, "", &diff); diff.Older != older.Hash || len(diff.Files) != 2 || diff.Files[1].Added != 1 || diff.Files[1].Lines[0].Op != "-" {
		t.Errorf("%+v", diff)
	}
	if a := s.get("viewer", "/api/v1/apps/"+older.Hash+"/fab"); a.body != string(one) || a.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("%d %s", len(a.body), a.header.Get("Content-Type"))
	}
	if got := call("manager", "PUT", "/apps/"+newer.Hash+"/presets/mine", `{"config":{"lr":"0.25","flag":"true"}}`, nil); got != http.StatusOK {
		t.Errorf("%d", got)
	}
	var presets []struct {
		Name   string
		Config map[string]string
		Saved  bool
	}
	if call("manager", "GET", "/apps/"+older.Hash+"/presets", "", &presets); len(presets) != 2 || !presets[1].Saved || len(presets[1].Config) != 1 {
		t.Errorf("%+v", presets)
	}
	if got := call("manager", "DELETE", "/apps/"+newer.Hash+"/presets/mine", "", nil); got/100 != 2 {
		t.Errorf("%d", got)
	}
	if got := call("manager", "POST", "/apps/git", `{"repository":"https://169.254.169.254/latest"}`, nil); got != http.StatusUnprocessableEntity {
		t.Errorf("the server's own network: %d", got)
	}
}
