package apphost_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/keeper"
)

// start runs a program to its end and returns what it printed.
func start(t testing.TB, p *apphost.Pool, r *apphost.Ready, prog apphost.Program, env []string, args ...string) (keeper.Exit, string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "out.log")
	child, err := p.Start(r, prog, args, keeper.Fork{LogFile: log}, env)
	if err != nil {
		t.Fatal(err)
	}
	exit := child.Exit()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return exit, string(text)
}

func TestBothProgramsStart(t *testing.T) {
	for name, templates := range map[string]int{"from templates": 2, "by their own commands": -1} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, t.TempDir(), func(o *apphost.Options) { o.MaxTemplates = templates })
			r := prepare(t, p, needs(t, "flwr"))
			for _, prog := range []apphost.Program{apphost.ClientApp, apphost.ServerApp} {
				p.Warm(r, prog)
				if exit, out := start(t, p, r, prog, nil, "--help"); exit.Code != 0 || !strings.Contains(out, "usage: "+string(prog)) {
					t.Errorf("%s --help: %s: %s", prog, exit, out)
				}
				if exit, out := start(t, p, r, prog, []string{"FLWR_HOME=/x"}, "--no-such-flag"); exit.Code != 2 {
					t.Errorf("%s --no-such-flag: %s: %s", prog, exit, out)
				}
			}
		})
	}
}

// A package that tells at the end of a process what is loaded in it. It is imported by the template, and so not by what only scans the app.
const teller = `
import atexit, os, random, sys, threading
import numpy, sklearn.datasets
STARTED = os.getpid()

def tell():
    loaded = [m for m in ("sklearn.datasets", "app_module", "sklearn.mixture") if m in sys.modules]
    print("tell:", os.getpid() != STARTED, loaded, os.environ.get("TELL"), os.environ.get("FLWR_HOME"), sys.prefix)
    print("random:", random.random(), numpy.random.rand(), numpy.random.randint(1 << 62))
    import numpy as np
    from sklearn.cluster import KMeans
    print("works:", KMeans(2, n_init=1).fit(np.array([[0.0], [1.0]] * 5000)).n_iter_ > 0)
atexit.register(tell)
`

func lines(out, prefix string) []string {
	var found []string
	for l := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(l), prefix); ok {
			found = append(found, rest)
		}
	}
	return found
}

func TestATemplateHasWhatTheAppImports(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("templates are for Linux only")
		return
	}
	dir := t.TempDir()
	p := pool(t, dir, nil)
	app := local(t, teller,
		"app_module/__init__.py", "import probe\nfrom app_module import task\nimport no_such_module\n",
		"app_module/task.py", "'''\nimport sklearn.mixture\n'''\nimport os\ndef later():\n    import sklearn.mixture\n")
	r := prepare(t, p, app)
	seen := map[string]bool{}
	for i, prog := range []apphost.Program{apphost.ClientApp, apphost.ClientApp, apphost.ServerApp, apphost.ServerApp} {
		exit, out := start(t, p, r, prog, []string{"FLWR_HOME=/home/" + string(prog)}, "--help")
		want := " True ['sklearn.datasets'] None /home/" + string(prog) + " " + r.Env.Dir
		if told := lines(out, "tell:"); exit.Code != 0 || len(told) != 1 || told[0] != want {
			log, _ := os.ReadFile(filepath.Join(dir, "templates.log"))
			t.Fatalf("%d: %s, %q; want %q\n%s\n%s", i, exit, told, want, out, log)
		}
		if works := lines(out, "works:"); len(works) != 1 || works[0] != " True" {
			t.Errorf("%s", out)
		}
		for i, number := range strings.Fields(lines(out, "random:")[0]) {
			if key := strconv.Itoa(i) + " " + number; seen[key] {
				t.Errorf("two processes have the same random number %s", key)
			} else {
				seen[key] = true
			}
		}
	}
	// A variable that libraries may read when they are imported is there from the start.
	if _, out := start(t, p, r, apphost.ClientApp, []string{"TELL=it"}, "--help"); len(lines(out, "tell: True ['sklearn.datasets'] it ")) != 1 {
		t.Errorf("%s", out)
	}
}

func TestModulesThatDoNotBearAForkAreNotPreloaded(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Log("templates are for Linux only")
		return
	}
	for name, module := range map[string]string{
		"a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n",
		"an end":   "import os\nos._exit(1)\n",
		"a death":  "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var progress []string
			p := pool(t, dir, func(o *apphost.Options) { o.Progress = func(l string) { progress = append(progress, l) } })
			r := prepare(t, p, local(t, module, "app_module.py", "import probe\n"))
			for range 2 {
				if exit, out := start(t, p, r, apphost.ClientApp, nil, "--help"); exit.Code != 0 || !strings.Contains(out, "usage: flwr-clientapp") {
					t.Fatalf("%s: %s", exit, out)
				}
			}
			if got := strings.Count(strings.Join(progress, "\n"), "without preloaded modules"); got != 1 {
				t.Errorf("%q", progress)
			}
		})
	}
	for name, module := range map[string]string{"an exception": "raise ValueError()\n", "sys.exit": "import sys\nsys.exit(3)\n"} {
		t.Run(name, func(t *testing.T) {
			p := pool(t, t.TempDir(), func(o *apphost.Options) {
				o.Progress = func(l string) {
					if strings.Contains(l, "without") {
						t.Error(l)
					}
				}
			})
			r := prepare(t, p, local(t, module, "app_module.py", "import probe\n"))
			if exit, out := start(t, p, r, apphost.ClientApp, nil, "--help"); exit.Code != 0 {
				t.Errorf("%s: %s", exit, out)
			}
		})
	}
}
