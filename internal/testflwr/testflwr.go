// Package testflwr gives tests a Python environment with the pinned flwr and what the bundled apps need.
package testflwr

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"blossomtune/internal/flower/python"
)

var once struct {
	sync.Mutex
	env python.Env
}

// Venv returns an environment that all tests share: the one that BLOSSOMTUNE_TEST_VENV names, or one that is made once
// in the user's cache directory. The test fails when there is none. Nobody may change what is in it.
func Venv(t testing.TB) python.Env {
	t.Helper()
	once.Lock()
	defer once.Unlock()
	if once.env.Dir != "" {
		return once.env
	}
	var err error
	if dir := os.Getenv("BLOSSOMTUNE_TEST_VENV"); dir != "" {
		once.env, err = python.Open(dir)
	} else {
		once.env, err = provision(t)
	}
	if err != nil {
		t.Fatalf("preparing Python for tests: %v", err)
	}
	return once.env
}

func provision(t testing.TB) (python.Env, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return python.Env{}, err
	}
	extra, err := os.ReadFile(filepath.Join(Root(t), "apps", "quickstart_digits", "requirements.txt"))
	if err != nil {
		return python.Env{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return python.Ensure(ctx, python.Options{Dir: filepath.Join(cache, "blossomtune-test", "python"), Requirements: extra,
		Progress: func(line string) { t.Log(line) }})
}

// Root returns the repository's root folder.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
