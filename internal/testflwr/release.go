package testflwr

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/flower/python"
)

var releases struct {
	sync.Mutex
	made map[string]python.Env
}

// Release returns an environment with another release of flwr, such as "1.40.0", from the package index and with what it then asks
// for: the one that was made once in the user's cache directory. The test fails when there is none. Nobody may change what is in it.
func Release(t testing.TB, version string) python.Env {
	t.Helper()
	pinned := Venv(t)
	releases.Lock()
	defer releases.Unlock()
	if env, ok := releases.made[version]; ok {
		return env
	}
	env, err := release(pinned, version)
	if err != nil {
		t.Fatalf("preparing flwr %s for tests: %v", version, err)
	}
	if releases.made == nil {
		releases.made = map[string]python.Env{}
	}
	releases.made[version] = env
	return env
}

// release makes it under a name of its own, which a link names when it is ready: others may make the same at the same time.
func release(pinned python.Env, version string) (python.Env, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return python.Env{}, err
	}
	root := filepath.Join(cache, "blossomtune-test", "releases")
	link := filepath.Join(root, fmt.Sprintf("flwr-%s-%s", version, runtime.GOARCH))
	if env, err := python.Open(link); err == nil && env.FlwrVersion == version {
		return env, nil
	}
	_ = os.Remove(link) // its Python is gone
	if err := os.MkdirAll(root, 0o755); err != nil {
		return python.Env{}, err
	}
	dir, err := os.MkdirTemp(root, "made-")
	if err != nil {
		return python.Env{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	venv := []string{"venv", "--allow-existing", "--no-project", "--python", pinned.Bin("python"), dir}
	install := []string{"pip", "install", "--python", dir, "flwr==" + version}
	for _, args := range [][]string{venv, install} {
		if out, err := exec.CommandContext(ctx, pinned.Bin("uv"), append(args, "--quiet")...).CombinedOutput(); err != nil {
			_ = os.RemoveAll(dir)
			return python.Env{}, fmt.Errorf("uv %s: %w: %s", args[0], err, out)
		}
	}
	if err := os.Symlink(dir, link); err != nil {
		_ = os.RemoveAll(dir) // somebody was faster
	}
	return python.Open(link)
}
