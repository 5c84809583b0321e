// Package python makes and finds the Python environment that Flower runs in: a venv with the pinned flwr and its
// dependencies, from a lock with hashes.
//
// The lock in requirements.txt is the one place where the flwr version is pinned. It is made with
//
//	printf 'flwr==X.Y.Z\n' | uv pip compile --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -
package python

import (
	_ "embed"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"blossomtune/internal/domain"
	"blossomtune/internal/keeper"
)

//go:embed requirements.txt
var lock []byte

// FlwrVersion is the version of flwr that the lock pins.
var FlwrVersion = pinned(lock, "flwr")

// Requirements returns the lock, in pip's requirements form with hashes.
func Requirements() []byte { return append([]byte(nil), lock...) }

func pinned(requirements []byte, name string) string {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `==([^\s;\\]+)`).FindSubmatch(requirements)
	if m == nil {
		return ""
	}
	return string(m[1])
}

// Env is a ready Python environment.
type Env struct {
	Dir           string // of the venv
	PythonVersion string // e.g. 3.12.4
	FlwrVersion   string
	Base          string // the venv that this one adds packages to; empty for most
}

// Bin returns the path of a program in the environment, such as "flower-superlink" or "python".
func (e Env) Bin(name string) string { return binPath(e.Dir, name) }

func binPath(venv, name string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(venv, "Scripts", name+".exe")
	}
	return filepath.Join(venv, "bin", name)
}

// Environ returns the whole environment for a Flower process: what a program needs to find its files, the machine's
// proxies, package index and model hub settings, and Flower's own settings with telemetry and update check off. Nothing else of this
// process's environment gets through, so that no secret of the server reaches an app.
func (e Env) Environ(flwrHome string) []string {
	path := []string{filepath.Dir(e.Bin("python")), os.Getenv("PATH")}
	if e.Base != "" {
		path = slices.Insert(path, 1, filepath.Dir(binPath(e.Base, "python")))
	}
	env := append(passed(), "PATH="+strings.Join(path, string(os.PathListSeparator)), "VIRTUAL_ENV="+e.Dir,
		"FLWR_HOME="+flwrHome, "FLWR_TELEMETRY_ENABLED=0", "FLWR_DISABLE_UPDATE_CHECK=1",
		"PYTHONUNBUFFERED=1", "PYTHONUTF8=1")
	return append(env, noProxy()...)
}

// noProxy keeps Flower's parts from asking an organisation's proxy for one another: they meet on loopback. Both spellings are read.
func noProxy() []string {
	list := "localhost,127.0.0.1,::1"
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if v := os.Getenv(name); v != "" {
			list = v + "," + list
			break
		}
	}
	return []string{"NO_PROXY=" + list, "no_proxy=" + list}
}

var passedNames = []string{"HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE",
	"LOCALAPPDATA", "APPDATA",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
	"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "NETRC", "HF_HOME", "HF_ENDPOINT", "HF_HUB_OFFLINE", keeper.DirEnv}

// passed picks what a child may see of this process's environment.
func passed() []string {
	var out []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		name = strings.ToUpper(name)
		if strings.HasPrefix(name, "PIP_") || strings.HasPrefix(name, "UV_") || slices.Contains(passedNames, name) {
			out = append(out, kv)
		}
	}
	return out
}

// Open returns the environment in an existing venv that somebody else prepared. It returns a [domain.Unavailable] error
// when there is no working Python or no flwr in it.
func Open(dir string) (Env, error) {
	home, version, err := pyvenv(dir)
	if err != nil {
		return Env{}, domain.Errorf(domain.Unavailable, "%s is no Python environment.",
			dir).Fix("Remove it. The next start makes it again.").Because(err)
	}
	if _, err := os.Stat(binPath(dir, "python")); err != nil {
		return Env{}, domain.Errorf(domain.Unavailable, "The Python of the environment %s is gone (it was in %s).", dir, home).Because(err)
	}
	dists, _ := filepath.Glob(filepath.Join(dir, "lib", "python*", "site-packages", "flwr-*.dist-info"))
	if len(dists) == 0 {
		dists, _ = filepath.Glob(filepath.Join(dir, "Lib", "site-packages", "flwr-*.dist-info"))
	}
	if len(dists) == 0 {
		return Env{}, domain.Errorf(domain.Unavailable, "There is no flwr in the Python environment %s.", dir)
	}
	flwr := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(dists[0]), "flwr-"), ".dist-info")
	return Env{Dir: dir, PythonVersion: version, FlwrVersion: flwr}, nil
}

// pyvenv reads what the venv says of its Python.
func pyvenv(dir string) (home, version string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "pyvenv.cfg"))
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, "=")
		switch strings.TrimSpace(key) {
		case "home":
			home = strings.TrimSpace(value)
		case "version", "version_info":
			version = strings.TrimSpace(value)
		}
	}
	if version == "" {
		return home, "", errors.New("pyvenv.cfg names no version")
	}
	return home, version, nil
}
