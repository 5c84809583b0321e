package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/testbrowser"
	"blossomtune/internal/testflwr"
)

// edit changes a text in a file.
func edit(t testing.TB, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q: %v", path, from, err)
	}
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), from, to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

// An app comes by a folder that is watched and from git, is read and compared by a manager, launched with its config as TOML, and
// read and compared by the participant whose data it runs on.
func TestAppsInABrowser(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	app := filepath.Join(folder, "steady")
	if err := os.CopyFS(app, os.DirFS(filepath.Join(testflwr.Root(t), "e2e", "apps", "steady"))); err != nil {
		t.Fatal(err)
	}
	s := startWith(t, 10, freeAddr(t), "BLOSSOMTUNE_APPS="+folder)
	d := testbrowser.New(t)
	d.Do("admin", "cookie", s.url, s.signIn())
	d.Do("admin", "open", s.url+"/apps", "")
	d.Do("admin", "wait", "text=blossomtune/fault-steady", "") // found, and on the page, without a reload
	edit(t, filepath.Join(app, "pyproject.toml"), `version = "1.0.0"`, `version = "1.1.0"`)
	edit(t, filepath.Join(app, "pyproject.toml"), "min-nodes = 2", "min-nodes = 2\n\n[tool.blossomtune.presets.brief]\nnum-server-rounds = 1")
	d.Do("admin", "wait", "tr:has-text('1.1.0') a:text('What changed')", "")

	repo := t.TempDir()
	if err := os.CopyFS(filepath.Join(repo, "apps", "steady"), os.DirFS(app)); err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(repo, "apps", "steady", "pyproject.toml"), "1.1.0", "1.2.0")
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "c"}} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = repo
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	d.Do("admin", "fill", "[name=repository]", repo)
	d.Do("admin", "fill", "[name=folder]", "apps/steady")
	d.Do("admin", "click", "button:text('Add from git')", "")
	d.Do("admin", "wait", "h1:has-text('1.2.0')", "")
	d.Do("admin", "wait", "#origins:text('Where it came from')", "")
	d.Do("admin", "click", ".b-tree a:text('client_app.py')", "")
	d.Do("admin", "wait", ".b-src #L1", "")
	d.Do("admin", "click", "a:text('What changed')", "")
	if got := d.Do("admin", "read", "ins", ""); got != `+ version = "1.2.0"` {
		t.Errorf("what is added: %q", got)
	}

	var apps []struct{ Hash, ID, Version string }
	s.admin.must("GET", "/apps", nil, &apps)
	hash := ""
	for _, a := range apps {
		if a.Version == "1.2.0" {
			hash = a.Hash
		}
	}
	d.Do("admin", "open", s.url+"/f/fed/launch?app="+hash, "")
	d.Do("admin", "fill", "[name='config.pause']", "0")
	d.Do("admin", "click", "label:has([value=toml])", "")
	d.Do("admin", "wait", "[data-changed-count]:text('1 of 3 changed')", "")
	d.Do("admin", "fill", "[name=toml]", "num-server-rounds = 2 # few\npause = \"long\"\n")
	d.Do("admin", "wait", "#toml-errors:has-text('Line 2: pause is a number.')", "")
	d.Do("admin", "fill", "[name=toml]", "num-server-rounds = 2 # few\npause = 0.0\n")
	d.Do("admin", "wait", "[data-changed-count]:text('2 of 3 changed')", "")
	d.Do("admin", "wait", ".b-cfg.is-changed:has([name='config.num-server-rounds'])", "")
	d.Do("admin", "fill", "[data-preset-name]", "few")
	d.Do("admin", "click", "[data-preset-save]", "")
	d.Do("admin", "wait", "[data-preset-said]:text('Saved as few.')", "")
	d.Do("admin", "fill", "[name=run_id]", "by-toml")
	d.Do("admin", "click", "button.btn-primary", "")
	await(t, 20*time.Second, "the run has its config", func() (string, bool) {
		var r struct{ Config map[string]any }
		err := s.admin.try("GET", "/runs/by-toml", nil, &r)
		return "", err == nil && len(r.Config) == 2 && r.Config["num-server-rounds"] == 2.0 && r.Config["pause"] == 0.0
	})

	one := s.approved("One")
	d.Do("one", "cookie", s.url, one.c.cookie())
	s.launch(hash, nil) // what ran before they joined is not theirs to see
	d.Do("one", "open", s.url+"/apps/blossomtune/fault-steady/"+hash[:8], "")
	d.Do("one", "wait", ".b-src #L1", "")
	s.browse(one.c.cookie(), visit{Name: "my-apps", Path: "/apps", Wait: []string{".b-live.is-ok"}}, visit{Name: "my-app", Path: "/apps/blossomtune/fault-steady/" + hash[:8]},
		visit{Name: "not-my-app", Path: "/apps/blossomtune/fault-steady/" + apps[len(apps)-1].Hash[:8], Status: 404})
	s.browse(s.signIn(), visit{Name: "apps", Path: "/apps", Wait: []string{".b-live.is-ok"}}, visit{Name: "app-diff", Path: "/apps/blossomtune/fault-steady/" + hash[:8] + "/diff"},
		visit{Name: "app-split", Path: "/apps/blossomtune/fault-steady/" + hash[:8] + "/diff?view=split"}, visit{Name: "launch-preset", Path: "/f/fed/launch?app=" + hash + "&preset=brief", Wait: []string{".b-live.is-ok"}})
}
