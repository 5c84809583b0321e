//go:build unix

package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"blossomtune/internal/config"
)

// A watched folder with an app whose default is inf gives an app, one with a FIFO a reason; neither ends the server nor holds up the others.
func TestOddAppsInAWatchedFolder(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"infinite", "waiting"} {
		for name, text := range map[string]string{"pyproject.toml": strings.ReplaceAll(oddProject, "NAME", dir), "tiny/__init__.py": "", "tiny/server_app.py": "app = None\n", "tiny/client_app.py": "app = None\n"} {
			path := filepath.Join(root, dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := syscall.Mkfifo(filepath.Join(root, "waiting", "tiny", "pipe.py"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSiteWith(t, func(c *config.Config) { c.Apps = []string{root} })
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	late := time.After(2 * time.Minute)
	for {
		page := s.Get("admin", "/apps").Body
		if strings.Contains(page, "odd/infinite") && strings.Contains(page, "tiny/pipe.py is a FIFO") {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			log, _ := os.ReadFile(s.Log)
			t.Fatalf("the app is there: %v, the reason: %v\n%s", strings.Contains(page, "odd/infinite"), strings.Contains(page, "FIFO"), log)
		}
	}
}

const oddProject = `[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "NAME"
version = "1.0.0"
description = "x"
license = "Apache-2.0"
dependencies = ["flwr>=1.41,<2"]

[tool.hatch.build.targets.wheel]
packages = ["."]

[tool.flwr.app]
publisher = "odd"

[tool.flwr.app.components]
serverapp = "tiny.server_app:app"
clientapp = "tiny.client_app:app"

[tool.flwr.app.config]
n = 1
clip = inf
deep.low = -inf
deep.odd = nan
`
