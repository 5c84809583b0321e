package python

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"blossomtune/internal/domain"
)

// Options say where and from what [Ensure] makes an environment.
type Options struct {
	Dir          string            // holds the environments, one folder per lock
	Python       string            // a Python to use; default: BLOSSOMTUNE_PYTHON, then the first that fits on PATH
	Requirements []byte            // further requirements with hashes, such as a bundled app's
	Progress     func(line string) // told what goes on while an environment is made; may be nil
}

const stampName = ".blossomtune-ready"

// Ensure returns the environment for this lock, and makes it when it is missing or half made. A ready one is found by its
// stamp alone: without a network, in no time, and without starting anything. Two processes never make the same one at once.
//
// An environment of another lock is left alone, because a SuperLink that was started from it may still run.
// Its [domain.Unavailable] errors name what to install.
func Ensure(ctx context.Context, o Options) (Env, error) {
	if o.Python == "" {
		o.Python = os.Getenv("BLOSSOMTUNE_PYTHON")
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	root, err := filepath.Abs(o.Dir)
	if err != nil {
		return Env{}, fmt.Errorf("finding %s: %w", o.Dir, err)
	}
	dir := filepath.Join(root, lockHash(o.Requirements)[:12])
	if env, ok := ready(dir); ok {
		return env, nil
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return Env{}, fmt.Errorf("making %s: %w", root, err)
	}
	unlock, err := lockFile(ctx, filepath.Join(root, ".lock"), func() { o.Progress("waiting for another process that prepares Python") })
	if err != nil {
		return Env{}, fmt.Errorf("locking %s: %w", root, err)
	}
	defer unlock()
	if env, ok := ready(dir); ok {
		return env, nil
	}
	return build(ctx, o, dir)
}

// Made returns the environment that [Ensure] would return, without making one. Where it is missing or half made, found is false; where it
// was made and is broken, the error says why.
func Made(dir string, requirements []byte) (env Env, found bool, err error) {
	dir = filepath.Join(dir, lockHash(requirements)[:12])
	if _, err := os.Stat(filepath.Join(dir, stampName)); err != nil {
		return Env{}, false, nil //nolint:nilerr // it is not made
	}
	env, err = Open(dir)
	return env, true, err
}

// lockHash names an environment by everything that goes into it.
func lockHash(extra []byte) string {
	h := sha256.New()
	h.Write(lock)
	h.Write([]byte{0})
	h.Write(extra)
	return hex.EncodeToString(h.Sum(nil))
}

// ready reports whether dir was made to the end and its Python is still there. (The link of a venv dangles when the Python
// that it was made from has been removed or upgraded.)
func ready(dir string) (Env, bool) {
	if _, err := os.Stat(filepath.Join(dir, stampName)); err != nil {
		return Env{}, false
	}
	env, err := Open(dir)
	return env, err == nil
}

func build(ctx context.Context, o Options, dir string) (Env, error) {
	if _, err := os.Lstat(dir); err == nil {
		o.Progress("removing a half-made Python environment")
		if err := os.RemoveAll(dir); err != nil {
			return Env{}, fmt.Errorf("removing a half-made environment: %w", err)
		}
	}
	py, err := find(ctx, o.Python)
	if err != nil {
		return Env{}, err
	}
	o.Progress("Python " + py.version + " (" + py.path + ")")
	locks, cleanup, err := writeLocks(o.Requirements)
	if err != nil {
		return Env{}, err
	}
	defer cleanup()
	if err := install(ctx, o, py, dir, locks); err != nil {
		return Env{}, err
	}
	env, err := Open(dir)
	if err != nil {
		return Env{}, err
	}
	if env.FlwrVersion != FlwrVersion {
		return Env{}, domain.Errorf(domain.Unavailable, "flwr %s was installed where %s was asked for.", env.FlwrVersion, FlwrVersion)
	}
	if err := os.WriteFile(filepath.Join(dir, stampName), []byte(lockHash(o.Requirements)+"\n"), 0o644); err != nil {
		return Env{}, fmt.Errorf("marking the environment as ready: %w", err)
	}
	o.Progress("flwr " + env.FlwrVersion + " is ready")
	return env, nil
}

// writeLocks puts the requirements into files, as uv and pip want them. They are installed one after the other, so that
// each keeps its own hashes.
func writeLocks(extra []byte) (paths []string, cleanup func(), err error) {
	tmp, err := os.MkdirTemp("", "blossomtune-lock-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a temporary directory: %w", err)
	}
	cleanup = func() { _ = os.RemoveAll(tmp) }
	for i, content := range [][]byte{lock, extra} {
		if len(content) == 0 {
			continue
		}
		path := filepath.Join(tmp, fmt.Sprintf("requirements-%d.txt", i+1))
		if err := os.WriteFile(path, content, 0o600); err != nil {
			cleanup()
			return nil, nil, fmt.Errorf("writing the requirements: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, cleanup, nil
}
