package python_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/testflwr"
)

func TestLock(t *testing.T) {
	b := python.Requirements()
	if python.FlwrVersion == "" {
		t.Fatal("the lock pins no flwr")
	}
	if regexp.MustCompile(`(?i)https?:|^-|\n--?(index|extra|find)`).Match(b) {
		t.Error("the lock names an address or an option")
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, " ") || strings.TrimSpace(line) == "" {
			continue
		}
		if !strings.Contains(line, "==") || !strings.HasSuffix(strings.TrimSpace(line), `\`) {
			t.Errorf("%q has no exact version or no hash", line)
		}
	}
}

// TestMain lets the test binary be the process that runs in a network namespace.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PYTHON_TEST_ENSURE"); dir != "" {
		extra, _ := os.ReadFile(os.Getenv("PYTHON_TEST_EXTRA"))
		env, err := python.Ensure(context.Background(), python.Options{Dir: dir, Requirements: extra})
		if err != nil {
			println(err.Error())
			os.Exit(3)
		}
		os.Stdout.WriteString(env.Dir)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// small is a lock of one small package, so that making an environment is quick; it stands beside the real lock's tests.
func ensure(t *testing.T, dir string, extra []byte) python.Env {
	t.Helper()
	var out bytes.Buffer
	env, err := python.Ensure(context.Background(), python.Options{Dir: dir, Requirements: extra, Progress: func(l string) { out.WriteString(l + "\n") }})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return env
}

func TestEnsureRepairsAndStartsWarmWithoutNetwork(t *testing.T) {
	dir := t.TempDir()
	started := time.Now()
	env := ensure(t, dir, nil)
	t.Logf("cold: %s, Python %s, flwr %s", time.Since(started), env.PythonVersion, env.FlwrVersion)
	if env.FlwrVersion != python.FlwrVersion {
		t.Fatalf("flwr is %s", env.FlwrVersion)
	}
	started = time.Now()
	ensure(t, dir, nil)
	if d := time.Since(started); d > time.Second {
		t.Errorf("a warm start took %s", d)
	}

	t.Run("warm without a network", func(t *testing.T) {
		cmd := exec.Command("unshare", "-n", os.Args[0])
		if os.Getuid() != 0 {
			cmd = exec.Command("unshare", "-rn", os.Args[0])
		}
		cmd.Env = append(os.Environ(), "PYTHON_TEST_ENSURE="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != env.Dir {
			t.Fatalf("%v: %s", err, out)
		}
	})

	t.Run("a program of it runs with the environment given", func(t *testing.T) {
		t.Setenv("BLOSSOMTUNE_SMTP_PASSWORD", "hidden")
		cmd := exec.Command(env.Bin("python"), "-c", "import os,flwr;print([k for k in os.environ if k.startswith('BLOSSOMTUNE')],os.environ['FLWR_TELEMETRY_ENABLED'],os.environ['FLWR_DISABLE_UPDATE_CHECK'])")
		cmd.Env = env.Environ(t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "[] 0 1" {
			t.Fatalf("%v: %s", err, out)
		}
	})

	t.Run("python gone", func(t *testing.T) {
		link := env.Bin("python")
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/nonexistent/python3", link); err != nil {
			t.Fatal(err)
		}
		again := ensure(t, dir, nil)
		if out, err := exec.Command(again.Bin("flower-superlink"), "--version").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

func TestHalfMadeIsRemade(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	// Killed in the middle: the first line of the installation ends it.
	_, err := python.Ensure(ctx, python.Options{Dir: dir, Progress: func(l string) {
		if strings.HasPrefix(l, "installing") {
			cancel()
		}
	}})
	if err == nil {
		t.Fatal("it was cancelled and said nothing")
	}
	half, _ := filepath.Glob(filepath.Join(dir, "*", "pyvenv.cfg"))
	if len(half) != 1 {
		t.Fatalf("there is no half-made venv to repair: %v", half)
	}
	removed := false
	env, err := python.Ensure(context.Background(), python.Options{Dir: dir, Progress: func(l string) { removed = removed || strings.Contains(l, "half-made") }})
	if err != nil {
		t.Fatal(err)
	}
	if !removed || env.FlwrVersion != python.FlwrVersion {
		t.Fatalf("removed: %v, flwr %s", removed, env.FlwrVersion)
	}
}

func TestMissingPython(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("BLOSSOMTUNE_PYTHON", "")
	_, err := python.Ensure(context.Background(), python.Options{Dir: t.TempDir()})
	checkUnavailable(t, err, "python3-venv")
}

func TestOldPython(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho 3.9.2\necho /usr/bin/python3\necho 1\n"
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	_, err := python.Ensure(context.Background(), python.Options{Dir: t.TempDir()})
	checkUnavailable(t, err, "3.9.2")
	_, err = python.Ensure(context.Background(), python.Options{Dir: t.TempDir(), Python: filepath.Join(bin, "python3")})
	checkUnavailable(t, err, "3.9.2")
}

func TestMissingVenvModule(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho 3.11.2\necho /usr/bin/python3\necho 0\n"
	if err := os.WriteFile(filepath.Join(bin, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	_, err := python.Ensure(context.Background(), python.Options{Dir: t.TempDir()})
	checkUnavailable(t, err, "python3.11-venv")
}

func checkUnavailable(t *testing.T, err error, word string) {
	t.Helper()
	if domain.CodeOf(err) != domain.Unavailable {
		t.Fatalf("code %q: %v", domain.CodeOf(err), err)
	}
	var e *domain.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v has no remedy", err)
	}
	if !strings.Contains(e.Message+e.Remedy, word) || e.Remedy == "" {
		t.Errorf("%q, %q: no word of %q", e.Message, e.Remedy, word)
	}
}

func TestAnAppLearnsWhereTheModelHubIsAndNoTokenForIt(t *testing.T) {
	t.Setenv("HF_ENDPOINT", "https://hub.example.org")
	t.Setenv("HF_TOKEN", "hidden")
	env := strings.Join(python.Env{Dir: t.TempDir()}.Environ(t.TempDir()), "\n")
	if !strings.Contains(env, "HF_ENDPOINT=https://hub.example.org") || strings.Contains(env, "hidden") {
		t.Errorf("an app's environment is\n%s", env)
	}
}

func TestSharedVenvHasWhatAppsNeed(t *testing.T) {
	env := testflwr.Venv(t)
	out, err := exec.Command(env.Bin("python"), "-c", "import flwr,numpy,sklearn").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
