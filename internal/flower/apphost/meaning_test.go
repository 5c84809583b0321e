package apphost_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"blossomtune/internal/flower/apphost"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/testflwr"
)

func noTemplates(o *apphost.Options) { o.MaxTemplates = -1 }

// The same packages as with `uv sync`, which Flower runs.
func TestWhatUvReadsOfAnAppCounts(t *testing.T) {
	const head = "[project]\nname = \"app\"\nversion = \"1.0.0\"\nrequires-python = \">=3.11\"\n"
	for name, tt := range map[string]struct {
		fab  []byte
		want string // of the program's output
		prog string
	}{
		"constraint": {fab(t, "pyproject.toml", head+"dependencies = [\"flwr\", \"six\"]\n[tool.uv]\nconstraint-dependencies = [\"six<1.17\"]\n"), "1.16.0 ", versions},
		"override": {fab(t, "pyproject.toml", head+"dependencies = [\"flwr\", \"six==1.17.0\", \"python-dateutil==2.9.0\"]\n[tool.uv]\noverride-dependencies = [\"six==1.15.0\"]\n"),
			"1.15.0 ", versions},
		"development group": {fab(t, "pyproject.toml", head+"dependencies = [\"flwr\"]\n[dependency-groups]\ndev = [\"six==1.16.0\"]\n"), "1.16.0 ", versions},
		"default groups":    {fab(t, "pyproject.toml", head+"dependencies = []\n[dependency-groups]\nx = [\"six==1.16.0\"]\n[tool.uv]\ndefault-groups = [\"x\"]\n"), "1.16.0 ", versions},
		"settings of uv pip": {fab(t, "pyproject.toml", head+"dependencies = [\"six==1.16.0\"]\n[tool.uv.pip]\ntarget = \"elsewhere\"\nno-deps = true\n"),
			"1.16.0 ", versions},
		"another version than the base": {fab(t, "pyproject.toml", head+"dependencies = [\"flwr\", \"joblib==1.5.1\"]\n"), "1.5.1 True",
			`import joblib, sklearn; print(joblib.__version__, sklearn.base.joblib.__version__ == "1.5.1" if hasattr(sklearn.base, "joblib") else True)`},
		"a package among the app's files": {local(t, ""), "here", `import probe; print(probe.WHERE)`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := run(t, prepare(t, pool(t, t.TempDir(), noTemplates), tt.fab).Env, tt.prog); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s; want %s", got, tt.want)
			}
		})
	}
}

// local returns a FAB that brings a package of its own, whose module is executed when an app process imports it.
func local(t testing.TB, module string, files ...string) []byte {
	t.Helper()
	const name = "libs/probe-1.0.0-py3-none-any.whl"
	return fab(t, append([]string{
		"pyproject.toml", "[project]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\"flwr\", \"probe\"]\n[tool.uv.sources]\nprobe = { path = \"" + name + "\" }\n",
		name, string(wheel(t, "probe.py", "WHERE = 'here'\n"+module)),
	}, files...)...)
}

// wheel returns one of the package probe 1.0.0, with these files, as pairs of name and content.
func wheel(t testing.TB, files ...string) []byte {
	t.Helper()
	const info = "probe-1.0.0.dist-info/"
	record := info + "METADATA,,\n" + info + "WHEEL,,\n" + info + "RECORD,,\n"
	for i := 0; i < len(files); i += 2 {
		record += files[i] + ",,\n"
	}
	return fab(t, append(files, info+"METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1.0.0\n",
		info+"WHEEL", "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n", info+"RECORD", record)...)
}

func TestTheAppsLockCounts(t *testing.T) {
	dir, base := t.TempDir(), testflwr.Venv(t)
	project := "[project]\nname = \"app\"\nversion = \"1.0.0\"\nrequires-python = \">=3.11\"\ndependencies = [\"flwr<1.30\", \"six\", \"requests\"]\n"
	if err := os.WriteFile(filepath.Join(dir, "pyproject.toml"), []byte(project), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := base.UV(t.Context(), python.UVCommand{Dir: dir}, "lock", "--python", base.Bin("python"), "--upgrade-package", "six==1.16.0", "--upgrade-package", "certifi==2025.1.31"); err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(dir, "uv.lock"))
	if err != nil {
		t.Fatal(err)
	}
	// flwr, and what it needs newer than the lock says, stay those of the base.
	const program = `import six, importlib.metadata as m, certifi; print(six.__version__, m.version("flwr"), m.version("certifi") > "2026")`
	want := "1.16.0 " + base.FlwrVersion + " True"
	p := pool(t, t.TempDir(), noTemplates)
	locked := prepare(t, p, fab(t, "pyproject.toml", project, "uv.lock", string(lock)))
	if got := run(t, locked.Env, program); got != want {
		t.Errorf("with uv.lock: %s; want %s", got, want)
	}
	if got := run(t, prepare(t, p, fab(t, "pyproject.toml", project)).Env, program); strings.HasPrefix(got, "1.16.0 ") {
		t.Errorf("without uv.lock: %s", got)
	}
}
