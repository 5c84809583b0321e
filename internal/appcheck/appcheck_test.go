package appcheck_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"blossomtune/apps"
	"blossomtune/internal/appcheck"
	"blossomtune/internal/doctor"
	"blossomtune/internal/testflwr"
)

// fabOf is a FAB of the minimal app, with other files in place of its own. It is made here because `flwr build` takes a second.
func fabOf(t *testing.T, change map[string]string) []byte {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(apps.Minimal, "minimal", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(apps.Minimal, path)
		files[strings.TrimPrefix(path, "minimal/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(files, change)
	var content strings.Builder
	for name, text := range files {
		fmt.Fprintf(&content, "%s,%x,%d\n", name, sha256.Sum256([]byte(text)), 8*len(text))
	}
	files[".info/CONTENT"] = content.String()
	return pack(t, files)
}

func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
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

// with is a file of the minimal app in which one text is replaced.
func with(t *testing.T, name, old, text string) map[string]string {
	t.Helper()
	have, err := fs.ReadFile(apps.Minimal, "minimal/"+name)
	if err != nil || !strings.Contains(string(have), old) {
		t.Fatalf("%s has no %q: %v", name, old, err)
	}
	return map[string]string{name: strings.Replace(string(have), old, text, 1)}
}

func check(t *testing.T, app []byte, offline bool) *appcheck.Report {
	t.Helper()
	r, err := appcheck.Check(t.Context(), appcheck.Options{Env: testflwr.Venv(t), App: app, Offline: offline})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// problems are the findings that are not fine, with their remedies.
func problems(r *appcheck.Report) (out []string) {
	for _, f := range r.Findings {
		if f.State == doctor.Warning || f.State == doctor.Failure {
			out = append(out, string(f.State)+" "+f.Part+": "+f.Says+" → "+f.Remedy)
		}
	}
	return out
}

// Each app has one fault, and the check finds it and nothing else.
func TestAnAppWithOneFaultHasOneFinding(t *testing.T) {
	const server, client, task, project = "minimal/server_app.py", "minimal/client_app.py", "minimal/task.py", "pyproject.toml"
	const rounds = `num_rounds=int(context.run_config["num-server-rounds"])`
	for name, c := range map[string]struct {
		change map[string]string
		want   []string // in the one finding
	}{
		"pyproject.toml": {with(t, project, `version = "0.1.0"`, ""), []string{"failure build", "project.version"}},
		"component's module": {with(t, project, "minimal.server_app:app", "minimal.server:app"), []string{"failure build",
			"minimal/server.py is not in the app"}},
		"component's name": {with(t, project, "minimal.server_app:app", "minimal.server_app:application"),
			[]string{"failure components", "minimal/server_app.py does not define application"}},
		"components swapped": {with(t, server, "app = ServerApp()\n",
			"app = ServerApp()\nother = app\n\nfrom flwr.clientapp import ClientApp\n\napp = ClientApp()\n"),
			[]string{"failure components", "is a ClientApp (minimal/server_app.py:"}},
		"syntax": {with(t, task, "return [w]", "return [w"), []string{"failure imports", "minimal/task.py:",
			"is not valid Python"}},
		"flwr's module": {with(t, client, "from flwr.clientapp import ClientApp",
			"import flwr.simulation.nothing\nfrom flwr.clientapp import ClientApp"), []string{"failure imports",
			"client_app.py:4 uses flwr.simulation.nothing", "written for another Flower version"}},
		"flwr's name": {with(t, client, "from flwr.clientapp import ClientApp", "from flwr.client import ClientApp, Nothing"),
			[]string{"failure imports", "flwr.client.Nothing", "written for another Flower version"}},
		"flwr's attribute": {with(t, server, "import numpy as np",
			"import flwr as fl\nimport numpy as np\n\nconfig = fl.server.ServerCfg"), []string{"failure imports", "flwr.server.ServerCfg",
			"written for another Flower version"}},
		"flwr, in a function": {with(t, task, "    w = weights[0]", "    from flwr.common import nothing\n\n    w = weights[0]"),
			[]string{"failure imports", "flwr.common.nothing"}},
		"flwr, on a condition": {with(t, task, "import numpy as np\n", "import numpy as np\n\nif np:\n    import flwr.nothing\n"),
			[]string{"warning imports", "flwr.nothing"}},
		"flwr's version": {with(t, project, "flwr>=1.42,<1.43", "flwr>=1.99"), []string{"warning imports", "asks for flwr>=1.99"}},
		"own module": {with(t, server, "from minimal.task", "from minimal.tasks"), []string{"failure imports",
			"minimal.tasks, which is not in the app"}},
		"own name": {with(t, server, "import initial_weights", "import initial_weights, other_weights"),
			[]string{"failure imports", "other_weights from minimal.task, which does not define it"}},
		"own name, relative": {with(t, client, "from minimal.task import evaluate,", "from .task import evaluated as evaluate,"),
			[]string{"failure imports", "evaluated from minimal.task"}},
		"package": {with(t, task, "import numpy as np", "import numpy as np\nimport surely_missing.part"),
			[]string{"failure imports", "surely_missing, which no dependency brings", "[project] dependencies"}},
		"key that is missing": {with(t, project, "local-epochs = 10\n", ""), []string{"failure run config",
			"client_app.py:23 reads the key local-epochs"}},
		"key with a default": {with(t, server, rounds, rounds+` + int(context.run_config.get("more", 0))`),
			[]string{"warning run config", "reads the key more", "no run can set it"}},
		"key by a name": {with(t, server, "    result = FedAvg()",
			"    cfg = dict(context.run_config)\n    print(cfg[\"momentum\"])\n    result = FedAvg()"), []string{"failure run config",
			"reads the key momentum"}},
		"key in a function": {with(t, server, "    result = FedAvg()", "    log(1, config=context.run_config)\n    result = FedAvg()"),
			[]string{"failure run config", "reads the key momentum"}},
		"key of nobody": {with(t, project, "local-epochs = 10", "local-epochs = 10\nbatch-size = 3"), []string{"warning run config",
			"never reads the key batch-size"}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "key in a function" {
				c.change[server] = strings.Replace(c.change[server], "app = ServerApp()\n",
					"app = ServerApp()\n\n\ndef log(n, config):\n    print(n, config[\"momentum\"])\n", 1)
			}
			got := problems(check(t, fabOf(t, c.change), true))
			if len(got) != 1 || slices.ContainsFunc(c.want, func(w string) bool {
				return !strings.Contains(got[0],
					w)
			}) || strings.HasSuffix(got[0], "→ ") {
				t.Errorf("it finds %q, want one with %q and a remedy", got, c.want)
			}
		})
	}
}

// What only looks like a fault is none.
func TestAnAppWithoutFaultHasNoFinding(t *testing.T) {
	const client = "minimal/client_app.py"
	const imported = "from flwr.clientapp import ClientApp\n"
	for name, change := range map[string]map[string]string{
		"the minimal app": nil,
		"guarded imports": with(t, client, imported,
			imported+"try:\n    import wandb\n    from flwr.nothing import more\nexcept ImportError:\n    wandb = None\n"),
		"imports for types": with(t, client, imported,
			imported+"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas\n    from flwr import nothing\n"),
		"the older names": with(t, client, imported,
			"import flwr as fl\nfrom flwr.client import ClientApp\nfrom flwr.common import *\n"+
				"x = fl.simulation, fl.client.NumPyClient.get_context\n"),
		"names of their own": with(t, client, imported, imported+"import flwr\n\ndef f(flwr):\n    return flwr.nothing\n"),
		"files that are unused": {"minimal/old.py": "import surely_missing, flwr.nothing\n" +
			"def f(context): return context.run_config['old']\n"},
		"a key that is tested": with(t, client, `float(context.run_config["learning-rate"])`,
			`float(context.run_config["learning-rate"]) if "learning-rate" in context.run_config else 0.1`),
		"keys that are computed": with(t, client, `int(context.run_config["local-epochs"])`,
			`[context.run_config[k] for k in ["local-epochs"]][0]`),
		"a config of another kind": with(t, client, "app = ClientApp()\n",
			"app = ClientApp()\n\ndef fit(context):\n    config = context.run_config\n"+
				"    def inner(config):\n        return config['round']\n    return inner\n"),
		"a name that becomes another thing": with(t, client, "app = ClientApp()\n",
			"app = ClientApp()\n\ndef f(context):\n    cfg = context.run_config\n    cfg = nested(cfg)\n    return cfg['model']\n"),
		"attributes of two classes": with(t, client, "app = ClientApp()\n",
			"app = ClientApp()\n\nclass A:\n    def __init__(self, context):\n        self.config = context.run_config\n"+
				"\nclass B:\n    def __init__(self):\n        self.config = {'x': 1}\n        print(self.config['x'])\n"),
		"names made while running": {"minimal/task.py": taskWith(t, "globals()['more'] = 1\n"), client: with(t, client,
			"import evaluate,", "import more, evaluate,")[client]},
	} {
		t.Run(name, func(t *testing.T) {
			if got := problems(check(t, fabOf(t, change), true)); len(got) > 0 {
				t.Errorf("it finds %q", got)
			}
		})
	}
}

func taskWith(t *testing.T, more string) string {
	t.Helper()
	have, err := fs.ReadFile(apps.Minimal, "minimal/minimal/task.py")
	if err != nil {
		t.Fatal(err)
	}
	return string(have) + more
}

// The dependencies are resolved as for a run, and nothing is installed. An index on this machine is enough.
func TestDependenciesAreResolved(t *testing.T) {
	index := t.TempDir() // without any package
	t.Setenv("UV_NO_INDEX", "1")
	t.Setenv("UV_FIND_LINKS", index)
	project := func(dep string) map[string]string { return with(t, "pyproject.toml", `"numpy>=1.26"`, dep) }
	of := func(r *appcheck.Report) doctor.Finding {
		i := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool { return f.Part == "dependencies" })
		return r.Findings[i]
	}
	if f := of(check(t, fabOf(t, nil), false)); f.State != doctor.OK {
		t.Errorf("what is installed with Flower is not enough: %+v", f)
	}
	if f := of(check(t, fabOf(t, project(`"numpy>=1.26", "surely-missing>=2"`)),
		false)); f.State != doctor.Failure || !strings.Contains(f.Says, "surely-missing") {
		t.Errorf("a package that the index lacks: %+v", f)
	}
	if f := of(check(t, fabOf(t, project(`"numpy>=1.26", "surely-missing>=2"`)),
		true)); f.State != doctor.Skipped || !strings.Contains(f.Says, "--offline") {
		t.Errorf("offline: %+v", f)
	}
	wheel := pack(t, map[string]string{"surely_missing/__init__.py": "#",
		"surely_missing-2.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: surely-missing\nVersion: 2.1\n",
		"surely_missing-2.1.dist-info/WHEEL":    "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"surely_missing-2.1.dist-info/RECORD":   "surely_missing/__init__.py,,\n"})
	if err := os.WriteFile(filepath.Join(index, "surely_missing-2.1-py3-none-any.whl"), wheel, 0o600); err != nil {
		t.Fatal(err)
	}
	change := project(`"numpy>=1.26", "surely-missing>=2"`)
	change["minimal/task.py"] = taskWith(t, "import surely_missing, other_missing\n")
	r := check(t, fabOf(t, change), false)
	if f := of(r); f.State != doctor.OK || !strings.Contains(f.Says, "surely-missing==2.1") {
		t.Errorf("a package that the index has: %+v", f)
	}
	if got := problems(r); len(got) != 1 || !strings.Contains(got[0], "warning imports") || !strings.Contains(got[0], "other_missing") {
		t.Errorf("an import beside it: %q", got)
	}
}
