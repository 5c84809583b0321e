package apphost_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper/contain"
)

// backend is a build backend that needs no other package. It notes in the wheel what it could do.
const backend = `
import os, pathlib, socket, zipfile

def attempt(what, do):
    try:
        do()
        return what + " yes"
    except OSError as err:
        return what + " " + type(err).__name__

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    secret = pathlib.Path(%q)
    notes = [
        attempt("read", secret.read_text),
        attempt("write", lambda: secret.with_name("left").write_text("x")),
        attempt("cache", lambda: pathlib.Path(%q).write_text("x")),
        attempt("connect", lambda: socket.create_connection(("127.0.0.1", %d), 5)),
        f"user {os.getuid()}",
    ]
    name = "probe-1.0.0-py3-none-any.whl"
    info = "probe-1.0.0.dist-info/"
    files = {
        "probe.py": "NOTES = " + repr("; ".join(notes)),
        info + "METADATA": "Metadata-Version: 2.1\nName: probe\nVersion: 1.0.0\n",
        info + "WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(os.path.join(wheel_directory, name), "w") as z:
        for path, text in files.items():
            z.writestr(path, text)
        z.writestr(info + "RECORD", "".join(path + ",,\n" for path in [*files, info + "RECORD"]))
    return name
`

// A package's own build code reads and changes nothing of the machine, and runs only where the owner lets it.
func TestABuildFromSourceIsHeld(t *testing.T) {
	dir := t.TempDir()
	secret, cache := filepath.Join(dir, "secret"), filepath.Join(t.TempDir(), "cache")
	for _, err := range []error{os.WriteFile(secret, []byte("x"), 0o600), os.MkdirAll(cache, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("UV_CACHE_DIR", cache)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	app := fab(t,
		"pyproject.toml", "[project]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\"flwr\", \"probe\"]\n[tool.uv.sources]\nprobe = { path = \"libs/probe\" }\n",
		"libs/probe/pyproject.toml", "[project]\nname = \"probe\"\nversion = \"1.0.0\"\n[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
		"libs/probe/backend.py", fmt.Sprintf(backend, secret, filepath.Join(cache, "spoiled"), l.Addr().(*net.TCPAddr).Port))
	const held = "read FileNotFoundError; write FileNotFoundError; cache FileNotFoundError; connect PermissionError"
	me, other := os.Getuid(), os.Getuid()
	if report := contain.Check(); report.Users && report.Namespaces {
		other = 62300
	}
	for name, tt := range map[string]struct {
		sources, uncontained bool
		uid                  int
		want                 string
	}{
		"held":                  {true, false, 0, fmt.Sprintf("%s; user %d", held, me)},
		"held, as another user": {true, false, 62300, fmt.Sprintf("%s; user %d", held, other)},
		"at will":               {true, true, 0, fmt.Sprintf("read yes; write yes; cache yes; connect yes; user %d", me)},
		"never":                 {false, true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, t.TempDir(), func(o *apphost.Options) {
				noTemplates(o)
				o.Sources, o.Uncontained, o.BuildUID = tt.sources, tt.uncontained, tt.uid
			})
			if !tt.sources {
				_, err := p.Prepare(context.Background(), app)
				var e *apphost.BuildError
				if !errors.As(err, &e) || !strings.Contains(e.Cause, "probe") || !strings.Contains(e.Cause, "no wheel") || !strings.Contains(e.Remedy, "wheel") {
					t.Errorf("%v", err)
				}
				return
			}
			got := run(t, prepare(t, p, app).Env, "import probe; print(probe.NOTES)")
			if !tt.uncontained { // without namespaces it learns that they exist
				got = strings.ReplaceAll(got, "PermissionError; write", "FileNotFoundError; write")
				got = strings.NewReplacer("write PermissionError", "write FileNotFoundError", "cache PermissionError", "cache FileNotFoundError").Replace(got)
			}
			if got != tt.want {
				t.Errorf("its build could: %s; want %s", got, tt.want)
			}
		})
	}
}

// A wheel's .pth file runs whenever a Python of its environment starts. None does outside of a sandbox, and the cache's files are not the
// environment's.
func TestAWheelRunsNothingWhenItIsInstalled(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	app := fab(t, "pyproject.toml",
		"[project]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\"flwr\", \"probe\"]\n[tool.uv]\ncompile-bytecode = true\nlink-mode = \"hardlink\"\n"+
			"[tool.uv.sources]\nprobe = { path = \"libs/probe-1.0.0-py3-none-any.whl\" }\n",
		"libs/probe-1.0.0-py3-none-any.whl", string(wheel(t, "probe.py", "", "probe.pth", fmt.Sprintf("import pathlib; pathlib.Path(%q).touch()\n", mark))))
	r := prepare(t, pool(t, t.TempDir(), func(o *apphost.Options) { o.BuildUID = 62300 }), app)
	if _, err := os.Stat(mark); err == nil {
		t.Error("its .pth file was run")
	}
	found, _ := filepath.Glob(filepath.Join(r.Env.Dir, "lib", "python*", "site-packages", "probe.py"))
	if len(found) != 1 {
		t.Fatalf("installed: %s", found)
	}
	info, err := os.Stat(found[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := info.Sys().(*syscall.Stat_t).Nlink; n != 1 {
		t.Errorf("its file has %d names", n)
	}
	prepare(t, pool(t, t.TempDir(), func(o *apphost.Options) { o.Uncontained = true }), app)
	if _, err := os.Stat(mark); err != nil {
		t.Errorf("where nothing holds it, its .pth file is run: %v", err)
	}
}

// uv reaches the package index that it is told of: on another port, or in a folder.
func TestTheIndexIsReachedFromTheSandbox(t *testing.T) {
	dir := t.TempDir()
	const name = "probe-1.0.0-py3-none-any.whl"
	page := filepath.Join(dir, "simple", "probe")
	for _, err := range []error{os.MkdirAll(page, 0o700), os.WriteFile(filepath.Join(page, name), wheel(t, "probe.py", "WHERE = 'index'"), 0o600),
		os.WriteFile(filepath.Join(page, "index.html"), []byte("<html><body><a href='"+name+"'>"+name+"</a></body></html>"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(web.Close)
	for name, env := range map[string][]string{
		"web":     {"UV_DEFAULT_INDEX=" + web.URL + "/simple"},
		"address": {"UV_FIND_LINKS=file://" + page, "UV_NO_INDEX=1"},
		"folder":  {"UV_FIND_LINKS=" + page, "UV_NO_INDEX=1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("UV_CACHE_DIR", t.TempDir())
			if got := run(t, prepare(t, pool(t, t.TempDir(), noTemplates), needs(t, "probe"), env...).Env, "import probe; print(probe.WHERE)"); got != "index" {
				t.Error(got)
			}
		})
	}
}
