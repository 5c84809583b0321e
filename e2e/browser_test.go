package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/testflwr"
)

// visit is one page that the browser looks at.
type visit struct {
	Name   string   `json:"name"`
	Path   string   `json:"path"`
	Wait   []string `json:"wait,omitempty"`
	Status int      `json:"status,omitempty"` // of a page that is an error page
}

// browse visits pages in light and dark, wide and on a phone, and fails the test with what is wrong with them.
func (s *server) browse(cookie string, pages ...visit) {
	s.t.Helper()
	out := os.Getenv("BLOSSOMTUNE_SCREENSHOTS")
	if out == "" {
		out = s.t.TempDir()
	}
	assets := filepath.Join(testflwr.Root(s.t), "internal", "web", "assets")
	if _, err := os.Stat(filepath.Join(assets, "node_modules", "playwright-core")); err != nil {
		s.t.Fatalf("the browser's driver is missing: run make assets (%v)", err)
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		s.t.Fatalf("chromium is missing: %v", err)
	}
	job, err := json.Marshal(map[string]any{"assets": assets, "out": out, "base": s.url, "cookie": cookie, "chromium": chromium, "pages": pages})
	if err != nil {
		s.t.Fatal(err)
	}
	file := filepath.Join(s.t.TempDir(), "job.json")
	if err := os.WriteFile(file, job, 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), "node", "browser.mjs", file)
	var errs strings.Builder
	cmd.Stderr = &errs
	text, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("the browser: %v: %s", err, errs.String())
	}
	var found struct{ Faults []string }
	if err := json.Unmarshal(text, &found); err != nil {
		s.t.Fatal(err)
	}
	for _, f := range found.Faults {
		s.t.Error(f)
	}
}

// signIn opens a one-time link as a browser does and returns the session's cookie.
func (s *server) signIn() string {
	s.t.Helper()
	link := strings.TrimSpace(command(s.t, s.data, bin(s.t), "link", "--data", s.data, "--public-url", s.url))
	c := newClient(s, "")
	res, err := c.HTTP.Get(link) // looking changes nothing: mail scanners do that
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	res, err = c.HTTP.PostForm(link, url.Values{})
	if err != nil {
		s.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("the sign-in link answers with %s", res.Status)
	}
	return c.cookie()
}

// cookie is the client's session.
func (c *apiClient) cookie() string {
	c.s.t.Helper()
	u, _ := url.Parse(c.s.url)
	for _, k := range c.HTTP.Jar.Cookies(u) {
		if k.Name == "blossomtune_session" {
			return k.Value
		}
	}
	c.s.t.Fatal("there is no session cookie")
	return ""
}

func TestPagesInABrowser(t *testing.T) {
	t.Parallel()
	s := start(t, 10)
	if link := command(t, s.data, bin(t), "link", "--data", s.data); !strings.HasPrefix(link, s.url+"/signin/") {
		t.Errorf("the link is not of the server that was started: %s", link)
	}
	one := s.approved("One").join()
	s.approved("Two").join()
	failed := s.launch(s.app("raises"), nil)
	s.becomes(failed.Name, "failed", time.Minute)
	done := s.launch(s.app("steady"), map[string]string{"num-server-rounds": "3", "pause": "0"})
	s.becomes(done.Name, "completed", 3*time.Minute)
	running := s.launch(s.app("sleeps"), nil)
	s.becomes(running.Name, "running", time.Minute)
	waiting := newClient(s, "")
	var asked struct{ Ref string }
	waiting.must("POST", "/federations/fed/requests", map[string]string{"email": "waiting@example.org", "name": "Waiting", "organisation": "Site West", "message": "MRI, 4000 scans"}, &asked)
	unverified := asked.Ref
	var invited struct{ Link string }
	s.admin.must("POST", "/federations/fed/invitations", map[string]any{"note": "Site East", "uses": 5, "days": 14, "auto": true, "domain": "east.example"}, &invited)
	s.admin.must("POST", "/federations/fed/invitations/import", map[string]any{"emails": "north@example.org", "days": 14}, nil)
	s.admin.must("POST", "/federations/fed/rules", map[string]string{"kind": "organisation", "value": "huggingface:acme"}, nil)
	live := ".b-live.is-ok"
	s.browse("", visit{Name: "front", Path: "/"}, visit{Name: "signin", Path: "/signin"}, visit{Name: "join", Path: "/join/fed"}, visit{Name: "invitation", Path: strings.TrimPrefix(invited.Link, s.url)}, visit{Name: "verify", Path: "/verify?ref=" + unverified},
		visit{Name: "nothing", Path: "/nothing", Status: 404})
	waiting.must("POST", "/requests/"+unverified+"/verify", map[string]string{"code": s.mailedCode("waiting@example.org")}, nil)
	s.browse(waiting.cookie(), visit{Name: "me-pending", Path: "/me/fed", Wait: []string{live}})
	s.browse(one.c.cookie(), visit{Name: "me", Path: "/me"}, visit{Name: "me-online", Path: "/me/fed", Wait: []string{live}})
	run := func(name string) string { return "/f/fed/runs/" + name }
	s.browse(s.signIn(), visit{Name: "overview", Path: "/", Wait: []string{live, "#running .b-runline", "#needs"}}, visit{Name: "audit", Path: "/admin/audit"}, visit{Name: "system", Path: "/admin/system", Wait: []string{live}}, visit{Name: "federations", Path: "/f"}, visit{Name: "federation", Path: "/f/fed", Wait: []string{live}}, visit{Name: "requests", Path: "/f/fed/requests", Wait: []string{live}},
		visit{Name: "requests-all", Path: "/f/fed/requests?state=all&sort=name&q=e"}, visit{Name: "invites", Path: "/f/fed/invites"},
		visit{Name: "nodes", Path: "/f/fed/nodes", Wait: []string{live}}, visit{Name: "launch", Path: "/f/fed/launch", Wait: []string{live}},
		visit{Name: "runs", Path: "/f/fed/runs", Wait: []string{live}}, visit{Name: "logs", Path: "/f/fed/logs", Wait: []string{".b-log li"}}, visit{Name: "mail", Path: "/admin/mail", Wait: []string{live}},
		visit{Name: "account", Path: "/me/account"}, visit{Name: "settings", Path: "/f/fed/settings"}, visit{Name: "people", Path: "/admin/people"},
		visit{Name: "run-done", Path: run(done.Name), Wait: []string{live, ".b-log li", ".b-plot canvas", ".b-leafcell.evaluated", ".b-lanes .ph-train"}},
		visit{Name: "run-failed", Path: run(failed.Name), Wait: []string{live, ".b-fail", ".b-log li.is-bad"}},
		visit{Name: "run-live", Path: run(running.Name), Wait: []string{live, ".b-log li"}})
}
