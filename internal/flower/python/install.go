package python

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"blossomtune/internal/domain"
)

// install makes the venv with uv where it is installed, else with the standard library's venv and pip. uv does not read
// pip's files, so on a machine that is configured for pip alone it may fail where pip works: pip is tried then.
func install(ctx context.Context, o Options, py interpreter, dir string, locks []string) error {
	uv, err := exec.LookPath("uv")
	if err != nil {
		return installPip(ctx, o, py, dir, locks)
	}
	err = installUV(ctx, o, uv, py, dir, locks)
	if err == nil || ctx.Err() != nil || !py.venv {
		return err
	}
	o.Progress("uv could not do it; trying pip")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing a half-made environment: %w", err)
	}
	return installPip(ctx, o, py, dir, locks)
}

func installUV(ctx context.Context, o Options, uv string, py interpreter, dir string, locks []string) error {
	env := append(passed(), uvFromPip()...)
	env = append(env, "PATH="+os.Getenv("PATH"), "UV_PYTHON_DOWNLOADS=never", "VIRTUAL_ENV="+dir)
	if err := run(ctx, o, env, uv, "venv", "--quiet", "--no-project", "--python", py.path, dir); err != nil {
		return wrap("making the venv with uv", err)
	}
	for _, lock := range locks {
		o.Progress("installing with uv")
		args := []string{"pip", "install", "--python", binPath(dir, "python"), "--require-hashes", "--compile-bytecode", "--no-progress", "-r",
			lock}
		if truthy(os.Getenv("PIP_NO_INDEX")) {
			args = append(args, "--no-index")
		}
		if err := run(ctx, o, env, uv, args...); err != nil {
			return wrap("installing Flower with uv", err)
		}
	}
	return nil
}

// uvFromPip gives uv what the environment tells pip, where it has no setting of its own.
func uvFromPip() []string {
	var out []string
	for _, m := range []struct{ pip, uv string }{
		{"PIP_INDEX_URL", "UV_DEFAULT_INDEX"}, {"PIP_EXTRA_INDEX_URL", "UV_INDEX"}, {"PIP_CERT", "SSL_CERT_FILE"},
		{"PIP_FIND_LINKS", "UV_FIND_LINKS"},
	} {
		v := os.Getenv(m.pip)
		if v == "" || os.Getenv(m.uv) != "" || m.uv == "UV_DEFAULT_INDEX" && os.Getenv("UV_INDEX_URL") != "" {
			continue
		}
		if m.uv == "UV_FIND_LINKS" {
			v = strings.Join(strings.Fields(v), ",") // pip separates by spaces, uv by commas
		}
		out = append(out, m.uv+"="+v)
	}
	return out
}

func truthy(s string) bool {
	switch strings.ToLower(s) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}

func installPip(ctx context.Context, o Options, py interpreter, dir string, locks []string) error {
	if !py.venv {
		return noVenv(py)
	}
	env := append(passed(), "PATH="+os.Getenv("PATH"), "PIP_DISABLE_PIP_VERSION_CHECK=1", "PIP_NO_INPUT=1")
	if err := run(ctx, o, env, py.path, "-m", "venv", dir); err != nil {
		if strings.Contains(err.Error(), "ensurepip") {
			return noVenv(py).Because(err)
		}
		return wrap("making the venv", err)
	}
	for _, lock := range locks {
		o.Progress("installing with pip")
		if err := run(ctx, o, env, binPath(dir, "python"), "-m", "pip", "install", "--require-hashes", "--compile", "--progress-bar", "off", "-r",
			lock); err != nil {
			return wrap("installing Flower with pip", err)
		}
	}
	return nil
}

func noVenv(py interpreter) *domain.Error {
	minor := strings.Join(strings.SplitN(py.version, ".", 3)[:2], ".")
	return domain.Errorf(domain.Unavailable, "The Python %s (%s) cannot make a venv: its venv or ensurepip module is missing.", py.path,
		py.version).
		Fix("Install it (Debian, Ubuntu: apt install python%s-venv), or install uv.", minor)
}

func wrap(doing string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return domain.Errorf(domain.Unavailable, "Preparing Python failed while %s: %v.", doing, err).
		Fix("Check the network or the package index that uv or pip is configured with; the next start tries again.").Because(err)
}

// run runs a command to its end; while it takes long, progress says so. The error has the last lines of the output.
func run(ctx context.Context, o Options, env []string, path string, args ...string) error {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = env
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	pr, pw := io.Pipe()
	cmd.Stdout, cmd.Stderr = pw, pw
	tail := make(chan []string, 1)
	s := newSteps(o.Progress)
	go func() { tail <- relay(pr, keptLines, s.line) }()
	err := cmd.Run()
	_ = pw.Close()
	last := <-tail
	s.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.Join(last, " | "))
	}
	return nil
}

const (
	keptLines = 6
	maxLine   = 400
)

// relay passes lines on and returns the last ones. It reads to the end whatever comes, so that the child never blocks.
func relay(r io.Reader, keep int, progress func(string)) []string {
	var last []string
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		b, isPrefix, err := br.ReadLine()
		if err != nil {
			return last
		}
		for isPrefix && err == nil {
			_, isPrefix, err = br.ReadLine()
		}
		line := strings.TrimSpace(domain.Cut(string(b), maxLine))
		if line == "" {
			continue
		}
		progress(line)
		if last = append(last, line); len(last) > keep {
			last = last[1:]
		}
	}
}
