package apphost_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/testflwr"
)

// counting counts the builds of a pool.
func counting(builds *atomic.Int32) func(*apphost.Options) {
	return func(o *apphost.Options) {
		o.MaxTemplates = -1
		o.Progress = func(line string) {
			if strings.HasPrefix(line, "Installing the packages") {
				builds.Add(1)
			}
		}
	}
}

func TestCallersAndProcessesShareOneBuild(t *testing.T) {
	var builds atomic.Int32
	dir, app := t.TempDir(), needs(t, "six==1.16.0")
	pools := []*apphost.Pool{pool(t, dir, counting(&builds)), pool(t, dir, counting(&builds))}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	dirs := make([]string, 8)
	for i := range dirs {
		wg.Go(func() {
			r, err := pools[i%2].Prepare(context.Background(), app)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Release()
			dirs[i] = r.Env.Dir
		})
	}
	wg.Go(func() { // one caller gives up; the build goes on
		cancel()
		if r, err := pools[0].Prepare(ctx, app); err == nil {
			r.Release()
		} else if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	wg.Wait()
	for _, d := range dirs {
		if d != dirs[0] {
			t.Errorf("environments %s", dirs)
		}
	}
	if n := builds.Load(); n != 1 {
		t.Errorf("%d builds", n)
	}
}

func TestAFailedBuildIsExplainedAndNotRepeatedAtOnce(t *testing.T) {
	var builds atomic.Int32
	var mu sync.Mutex
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	p := pool(t, t.TempDir(), func(o *apphost.Options) { counting(&builds)(o); o.Clock = clock })
	broken := needs(t, "six==99.99")
	fail := func() *apphost.BuildError {
		t.Helper()
		_, err := p.Prepare(context.Background(), broken)
		var e *apphost.BuildError
		if !errors.As(err, &e) {
			t.Fatalf("%v", err)
		}
		return e
	}
	e := fail()
	if !strings.Contains(e.Cause, "no version of six==99.99") || !strings.Contains(e.Remedy, "pyproject.toml") || len(e.Output) == 0 {
		t.Errorf("cause %q, remedy %q, output %q", e.Cause, e.Remedy, e.Output)
	}
	if again := fail(); again != e {
		t.Errorf("another error: %v", again)
	}
	for i, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		mu.Lock()
		now = now.Add(pause - time.Second)
		mu.Unlock()
		fail()
		if n := int(builds.Load()); n != i+1 {
			t.Fatalf("%d builds before pause %d ended", n, i+1)
		}
		mu.Lock()
		now = now.Add(time.Second)
		mu.Unlock()
		fail()
		if n := int(builds.Load()); n != i+2 {
			t.Fatalf("%d builds after pause %d", n, i+1)
		}
	}
	prepare(t, p, needs(t, "six==1.16.0")) // others are not affected
}

func TestCausesOfFailedBuilds(t *testing.T) {
	for name, tt := range map[string]struct {
		fab          []byte
		env          []string
		cause, remed string
	}{
		"no such package":   {needs(t, "blossomtune-has-no-such-package"), nil, "not in the package index", "pyproject.toml"},
		"conflict":          {needs(t, "idna==3.7", "idna==3.8"), nil, "cannot be satisfied together", "pyproject.toml"},
		"breaks flwr":       {needs(t, "protobuf<4"), nil, "cannot be satisfied together", "pyproject.toml"},
		"not a requirement": {needs(t, "six === = 3"), nil, "cannot be read", "pyproject.toml"},
		"no index":          {needs(t, "six==1.15.0"), []string{"UV_DEFAULT_INDEX=http://127.0.0.1:9/simple", "UV_CACHE_DIR=" + t.TempDir(), "UV_HTTP_RETRIES=0"}, "index cannot be reached", "network"},
		"other Python":      {fab(t, "pyproject.toml", "[project]\nname = \"a\"\nversion = \"1\"\nrequires-python = \">=3.99\"\ndependencies = [\"six==1.16.0\"]\n"), nil, "needs Python >=3.99", "requires-python"},
		"no TOML":           {fab(t, "pyproject.toml", "x = ["), nil, "not valid", "flwr build"},
		"no pyproject":      {fab(t, "x.py", ""), nil, "no pyproject.toml", "flwr build"},
		"no ZIP":            {[]byte("PK"), nil, "not a ZIP", "flwr build"},
		"bomb":              {fab(t, "pyproject.toml", strings.Repeat("#", 2<<20)), nil, "larger than 1 MB", "flwr build"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool(t, t.TempDir(), func(o *apphost.Options) { o.MaxTemplates = -1 })
			_, err := p.Prepare(context.Background(), tt.fab, tt.env...)
			var e *apphost.BuildError
			if !errors.As(err, &e) || !strings.Contains(e.Cause, tt.cause) || !strings.Contains(e.Remedy, tt.remed) {
				t.Fatalf("%#v", err)
			}
			t.Log(e.Cause)
		})
	}
}

func TestABuildThatWasKilledIsDoneAgain(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "app.fab")
	app := needs(t, "six==1.16.0")
	if err := os.WriteFile(file, app, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "APPHOST_TEST_DIR="+dir, "APPHOST_TEST_BASE="+testflwr.Venv(t).Dir, "APPHOST_TEST_FAB="+file)
	if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "panic") {
		t.Fatalf("it was not killed: %v: %s", err, out)
	}
	half, _ := filepath.Glob(filepath.Join(dir, "*.tmp"))
	if len(half) != 1 {
		t.Fatalf("there is no half an environment: %s", half)
	}
	p := pool(t, dir, nil)
	if _, err := os.Stat(half[0]); err == nil {
		t.Errorf("%s is left", half[0])
	}
	if got := run(t, prepare(t, p, app).Env, versions); !strings.HasPrefix(got, "1.16.0 ") {
		t.Error(got)
	}
}

// alter changes the last byte of a file, and nothing that its folder shows.
func alter(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text[len(text)-1] ^= 1
	return errors.Join(os.WriteFile(path, text, 0o600), os.Chtimes(path, info.ModTime(), info.ModTime()))
}

func TestAnEnvironmentThatChangedIsBuiltAgain(t *testing.T) {
	site := func(r *apphost.Ready) string {
		found, _ := filepath.Glob(filepath.Join(r.Env.Dir, "lib", "python*", "site-packages"))
		return found[0]
	}
	for name, spoil := range map[string]func(*apphost.Ready) error{
		"a file is gone":   func(r *apphost.Ready) error { return os.Remove(filepath.Join(site(r), "six.py")) },
		"the base is gone": func(r *apphost.Ready) error { return os.Remove(filepath.Join(site(r), "blossomtune_base.pth")) },
		"a file is cut":    func(r *apphost.Ready) error { return os.WriteFile(filepath.Join(site(r), "six.py"), nil, 0o600) },
		"a file is added": func(r *apphost.Ready) error {
			return os.WriteFile(filepath.Join(site(r), "random.py"), []byte("x = 1"), 0o600)
		},
		"other bytes, the same size and time": func(r *apphost.Ready) error { return alter(filepath.Join(site(r), "six.py")) },
		"other bytecode": func(r *apphost.Ready) error {
			found, _ := filepath.Glob(filepath.Join(site(r), "__pycache__", "six.*.pyc"))
			return alter(found[0])
		},
		"no Python":         func(r *apphost.Ready) error { return os.Remove(r.Env.Bin("python")) },
		"the stamp is gone": func(r *apphost.Ready) error { return os.Remove(filepath.Join(r.Env.Dir, ".blossomtune-ready")) },
		"the stamp is wrong": func(r *apphost.Ready) error {
			return os.WriteFile(filepath.Join(r.Env.Dir, ".blossomtune-ready"), []byte("{}"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, app := t.TempDir(), needs(t, "six==1.16.0")
			first := pool(t, dir, nil)
			r := prepare(t, first, app)
			if err := spoil(r); err != nil {
				t.Fatal(err)
			}
			r.Release()
			first.Close(time.Second)
			var builds atomic.Int32
			r = prepare(t, pool(t, dir, counting(&builds)), app)
			if got := run(t, r.Env, versions); builds.Load() != 1 || !strings.HasPrefix(got, "1.16.0 ") {
				t.Errorf("%d builds; it sees %s", builds.Load(), got)
			}
		})
	}
}
