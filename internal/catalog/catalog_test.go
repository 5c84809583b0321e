package catalog_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/catalog"
	"blossomtune/internal/domain"
	"blossomtune/internal/store"
	"blossomtune/internal/store/storetest"
	"blossomtune/internal/testflwr"
)

const pyproject = `[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tiny"
version = "1.0.0"
description = "A tiny app"
license = "Apache-2.0"
dependencies = ["flwr>=1.41"]

[tool.hatch.build.targets.wheel]
packages = ["."]

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

[tool.blossomtune.config.lr]
help = "The learning rate"
min = 0.0
max = 1.0

[tool.blossomtune.config.mode]
choices = ["fast", "good"]
`

// files are an app that Flower builds.
func files() map[string]string {
	return map[string]string{"pyproject.toml": pyproject, "tiny/__init__.py": "", "tiny/server_app.py": "from flwr.serverapp import ServerApp\napp = ServerApp()\n",
		"tiny/client_app.py": "from flwr.clientapp import ClientApp\napp = ClientApp()\n", "README.md": "# tiny\n"}
}

func zipOf(t *testing.T, under string, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(under + name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newCatalog(t *testing.T) (*catalog.Service, *int) {
	t.Helper()
	env := testflwr.Venv(t)
	built := 0
	return catalog.New(catalog.Options{Store: store.Adapt[catalog.Tx](storetest.SQLite(t)), Clock: time.Now, Log: slog.New(slog.DiscardHandler),
		Build: func(ctx context.Context, dir string) ([]byte, error) { built++; return env.BuildFAB(ctx, dir) }}), &built
}

func upload(t *testing.T, s *catalog.Service, body []byte) (domain.AppVersion, error) {
	t.Helper()
	return s.Upload(t.Context(), domain.System, "tiny.zip", bytes.NewReader(body))
}

func TestAnAppComesByFolderZipOrFAB(t *testing.T) {
	s, built := newCatalog(t)
	dir := filepath.Join(t.TempDir(), "tiny")
	for name, text := range files() {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // an unchanged folder is not built again
		if err := s.Discover(t.Context(), filepath.Dir(dir)); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.List(t.Context())
	if err != nil || len(all) != 1 || *built != 1 {
		t.Fatalf("%+v, built %d times, %v", all, *built, err)
	}
	a := all[0]
	if a.ID() != "someone/tiny" || a.Version != "1.0.0" || a.Summary != "A tiny app" || len(a.Config) != 5 {
		t.Errorf("%+v", a)
	}
	for _, k := range a.Config {
		switch k.Key {
		case "lr":
			if k.Kind != domain.KindFloat || k.Help != "The learning rate" || k.Max == nil || *k.Max != 1 {
				t.Errorf("%+v", k)
			}
		case "mode":
			if k.Kind != domain.KindString || len(k.Choices) != 2 {
				t.Errorf("%+v", k)
			}
		case "model.size", "num-server-rounds":
			if k.Kind != domain.KindInt {
				t.Errorf("%+v", k)
			}
		}
	}
	for _, under := range []string{"", "tiny/"} {
		if got, err := upload(t, s, zipOf(t, under, files())); err != nil || got.ID() != a.ID() {
			t.Errorf("a zip under %q: %+v, %v", under, got, err)
		}
	}
	fab, err := s.FAB(t.Context(), a.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := upload(t, s, fab.FAB); err != nil || got.Hash != a.Hash {
		t.Errorf("its FAB: %s, %v", got.Hash, err)
	}
}

func TestWhatIsNoAppIsRefusedAndChangesNothing(t *testing.T) {
	s, _ := newCatalog(t)
	without := func(name string) map[string]string { f := files(); delete(f, name); return f }
	with := func(name, text string) map[string]string { f := files(); f[name] = text; return f }
	big := make([]byte, domain.MaxFAB+1)
	_, _ = rand.Read(big)
	many := files()
	for i := range 3000 {
		many[fmt.Sprintf("tiny/f%d.py", i)] = ""
	}
	for name, c := range map[string]struct {
		body []byte
		code domain.Code
	}{
		"nothing":                {nil, domain.Invalid},
		"no zip":                 {[]byte("hello"), domain.Invalid},
		"11 MB":                  {big, domain.TooLarge},
		"no pyproject":           {zipOf(t, "", without("pyproject.toml")), domain.Invalid},
		"pyproject is no TOML":   {zipOf(t, "", with("pyproject.toml", "= = =")), domain.Invalid},
		"not for Flower":         {zipOf(t, "", with("pyproject.toml", "[project]\nname='x'\nversion='1'\n")), domain.Invalid},
		"a way out":              {zipOf(t, "", with("../../evil.py", "x")), domain.Invalid},
		"an absolute way out":    {zipOf(t, "", with("/etc/evil.py", "x")), domain.Invalid},
		"3000 files":             {zipOf(t, "", many), domain.Invalid},
		"60 MB that zip to less": {zipOf(t, "", with("tiny/zeros.py", strings.Repeat("0", 60<<20))), domain.Invalid},
	} {
		_, err := upload(t, s, c.body)
		if domain.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if all, err := s.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d apps are there, %v", len(all), err)
	}
	if _, err := os.Stat("/etc/evil.py"); err == nil {
		t.Error("a member of a zip was written outside")
	}
}
