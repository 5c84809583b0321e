package testflwr

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"blossomtune/internal/flower/python"
)

// Tools returns the directory of the environment with scripts/requirements-dev.txt, which scripts/test.sh makes; where it was not made
// yet, it is made as there. The test fails when it cannot be. Nobody may change what is in it.
func Tools(t testing.TB) string {
	t.Helper()
	pinned := Venv(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	requirements := filepath.Join(Root(t), "scripts", "requirements-dev.txt")
	text, err := os.ReadFile(requirements)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "blossomtune-test", fmt.Sprintf("pytools-%x", sha256.Sum256(text))[:len("pytools-")+12])
	if _, err := os.Stat(filepath.Join(dir, ".ready")); err == nil {
		return dir
	}
	if err := makeTools(pinned, requirements, dir); err != nil {
		t.Fatalf("preparing the tools of scripts/requirements-dev.txt: %v", err)
	}
	return dir
}

// makeTools makes them under a name of their own, which a link names when they are ready: others may make the same at the same time.
func makeTools(pinned python.Env, requirements, link string) error {
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(link), filepath.Base(link)+"-")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	venv := []string{"venv", "--allow-existing", "--no-project", "--python", pinned.Bin("python"), dir}
	install := []string{"pip", "install", "--python", dir, "-r", requirements}
	for _, args := range [][]string{venv, install} {
		if out, err := exec.CommandContext(ctx, pinned.Bin("uv"), append(args, "--quiet")...).CombinedOutput(); err != nil {
			_ = os.RemoveAll(dir)
			return fmt.Errorf("uv %s: %w: %s", args[0], err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".ready"), nil, 0o600); err != nil {
		return err
	}
	if err := os.Symlink(dir, link); err != nil {
		_ = os.RemoveAll(dir) // somebody was faster
	}
	return nil
}
