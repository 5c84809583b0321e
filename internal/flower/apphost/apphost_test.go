package apphost_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/testflwr"
)

// fab returns a FAB with these files, as pairs of name and content.
func fab(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = w.Write([]byte(files[i+1]))
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

// needs returns a FAB whose pyproject.toml has these dependencies.
func needs(t testing.TB, deps ...string) []byte {
	t.Helper()
	return fab(t, "pyproject.toml", "[project]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\""+strings.Join(deps, "\", \"")+"\"]\n")
}

// pool returns a pool that installs; change may alter its options.
func pool(t testing.TB, dir string, change func(*apphost.Options)) *apphost.Pool {
	t.Helper()
	o := apphost.Options{Base: testflwr.Venv(t), Dir: dir, Install: true, Home: filepath.Join(dir, "home"), Work: dir, Log: filepath.Join(dir, "templates.log"),
		Progress: func(l string) { t.Log(l) }}
	if change != nil {
		change(&o)
	}
	p, err := apphost.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close(time.Second) })
	return p
}

func prepare(t testing.TB, p *apphost.Pool, fab []byte, env ...string) *apphost.Ready {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	r, err := p.Prepare(ctx, fab, env...)
	if err != nil {
		if b, ok := errors.AsType[*apphost.BuildError](err); ok {
			t.Log(strings.Join(b.Output, "\n"))
		}
		t.Fatal(err)
	}
	t.Cleanup(r.Release)
	return r
}

// run returns what a Python program prints in an environment.
func run(t testing.TB, env python.Env, program string) string {
	t.Helper()
	cmd := exec.Command(env.Bin("python"), "-P", "-c", program)
	cmd.Env = env.Environ(t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

const versions = `import six, flwr, numpy, importlib.metadata as m; print(six.__version__, m.version("flwr"), m.version("numpy"))`

func TestAnAppHasItsPackagesBesideTheBases(t *testing.T) {
	dir, base := t.TempDir(), testflwr.Venv(t)
	p := pool(t, dir, nil)
	own := strings.Fields(run(t, base, `import importlib.metadata as m; print(m.version("flwr"), m.version("numpy"))`))
	old := prepare(t, p, needs(t, "flwr<1.40", "numpy>=1", "six==1.16.0"))
	now := prepare(t, p, needs(t, "flwr>=1.41", "six==1.17.0"))
	for _, tt := range []struct {
		r   *apphost.Ready
		six string
	}{{old, "1.16.0"}, {now, "1.17.0"}, {old, "1.16.0"}} {
		if got := strings.Fields(run(t, tt.r.Env, versions)); got[0] != tt.six || got[1] != own[0] || got[2] != own[1] {
			t.Errorf("the app sees %v; six should be %s, flwr and numpy %v", got, tt.six, own)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(old.Env.Dir, "lib", "python*", "site-packages", "numpy")); len(found) != 0 {
		t.Errorf("what the base has is installed again: %s", found)
	}
	if out := run(t, old.Env, `import six; print(six.__cached__, __import__("os").path.exists(six.__cached__))`); !strings.HasSuffix(out, "True") {
		t.Errorf("bytecode is not precompiled: %s", out)
	}
	for _, left := range []string{"*.tmp", "*.work-*"} {
		if found, _ := filepath.Glob(filepath.Join(dir, left)); len(found) != 0 {
			t.Errorf("left behind: %s", found)
		}
	}
}

func TestTheBaseIsUsedWhereItIsEnough(t *testing.T) {
	base := testflwr.Venv(t)
	t.Setenv("UV_OFFLINE", "1") // nothing is asked for
	for name, tt := range map[string]struct {
		install bool
		fab     []byte
	}{
		"nothing declared":      {true, needs(t, "flwr[ ]>=1.41")},
		"all of it in the base": {true, needs(t, "flwr>=1.41", "numpy>=1.26", "scikit-learn")},
		"may not install":       {false, needs(t, "six==1.16.0")},
		"no FAB":                {false, []byte("no zip")},
	} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, t.TempDir(), func(o *apphost.Options) { o.Install = tt.install })
			if r := prepare(t, p, tt.fab); r.Env.Dir != base.Dir || r.Built {
				t.Errorf("the app runs in %s", r.Env.Dir)
			}
		})
	}
}

func TestAnEnvironmentIsKept(t *testing.T) {
	dir, app := t.TempDir(), needs(t, "six==1.16.0")
	first := prepare(t, pool(t, dir, nil), app)
	t.Setenv("UV_OFFLINE", "1")
	t.Setenv("UV_CACHE_DIR", t.TempDir())
	again := prepare(t, pool(t, dir, func(o *apphost.Options) { o.Progress = func(l string) { t.Errorf("it is built again: %s", l) } }), app)
	if again.Env.Dir != first.Env.Dir {
		t.Errorf("%s, then %s", first.Env.Dir, again.Env.Dir)
	}
}
