package apphost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/domain"
	"blossomtune/internal/flower/python"
	"blossomtune/internal/keeper/contain"
)

// build is one that is under way; err is valid when done is closed.
type build struct {
	done chan struct{}
	err  error
}

// take returns the environment of an app, in use, and builds it first where it is missing.
func (p *Pool) take(ctx context.Context, app summary, fab []byte, install []string) (*environment, error) {
	key := app.key(p.base.identity, install)
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, errClosed
		}
		if now := p.o.Clock(); now.Sub(p.swept) > sweepEvery {
			p.swept = now
			p.builds.Go(p.sweep)
		}
		if e := p.envs[key]; e != nil {
			e.uses++
			p.touch(e)
			p.mu.Unlock()
			return e, nil
		}
		if f := p.failures[key]; f != nil && p.o.Clock().Before(f.until) {
			p.mu.Unlock()
			return nil, f.err
		}
		b := p.building[key]
		if b == nil {
			b = &build{done: make(chan struct{})}
			p.building[key] = b
			p.builds.Go(func() { p.run(b, key, fab, install) })
		}
		p.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.done:
		}
		if b.err != nil {
			return nil, b.err
		}
	}
}

// run opens or builds an environment and notes the result. It outlives the caller that asked first, because others may wait too.
func (p *Pool) run(b *build, key string, fab []byte, install []string) {
	ctx, cancel := context.WithTimeout(p.ctx, p.o.Limit)
	defer cancel()
	e, err := p.openOrBuild(ctx, key, fab, install)
	var failed *BuildError
	switch {
	case err == nil:
	case p.ctx.Err() != nil:
		err = errClosed
	case ctx.Err() != nil:
		failed = &BuildError{Cause: fmt.Sprintf("It took longer than %s.", p.o.Limit), Remedy: "Check the network, or choose fewer packages.",
			Err: err}
	case !errors.As(err, &failed):
		failed = buildError("preparing the environment", err)
	}
	p.finish(b, key, e, err, failed)
	p.sweep()
}

// finish notes the result of a build: an environment, a failure to remember, or another error.
func (p *Pool) finish(b *build, key string, e *environment, err error, failed *BuildError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer close(b.done)
	delete(p.building, key)
	switch {
	case failed != nil:
		if len(p.failures) >= maxFailures {
			clear(p.failures)
		}
		p.failures[key] = p.failures[key].next(failed, p.o.Clock())
		b.err = failed
	case err != nil:
		b.err = err
	case p.closed:
		e.unlock()
		b.err = errClosed
	default:
		delete(p.failures, key)
		p.envs[key] = e
		p.touch(e)
	}
}

func (p *Pool) openOrBuild(ctx context.Context, key string, fab []byte, install []string) (*environment, error) {
	for {
		if e, err := p.open(ctx, key); e != nil || err != nil {
			return e, err
		}
		inBase, err := p.buildLocked(ctx, key, fab, install)
		if err != nil {
			return nil, err
		}
		if inBase {
			return &environment{key: key, env: p.base.env}, nil
		}
	}
}

// buildLocked builds an environment, unless another process has done so meanwhile or the base is enough.
func (p *Pool) buildLocked(ctx context.Context, key string, fab []byte, install []string) (inBase bool, err error) {
	l, err := p.openLock(ctx, key, false)
	if err != nil {
		return false, err
	}
	defer func() { _ = l.Close() }()
	dir := p.envDir(key)
	if p.intact(ctx, dir, key) || ctx.Err() != nil {
		return false, ctx.Err()
	}
	for _, old := range []string{dir, dir + ".tmp"} {
		if err := os.RemoveAll(old); err != nil {
			return false, fmt.Errorf("removing an unfinished environment: %w", err)
		}
	}
	work, err := os.MkdirTemp(p.o.Dir, key+".work-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(work)
	project, err := readProject(fab)
	if err != nil {
		return false, err
	}
	s := &steps{p: p, ctx: ctx, app: project, env: install, work: work, venv: dir + ".tmp"}
	defer os.RemoveAll(s.venv)
	if err := s.enclose(); err != nil {
		return false, err
	}
	inBase, err = s.resolve(fab)
	if err != nil || inBase {
		return inBase, err
	}
	if err := s.install(); err != nil {
		return false, err
	}
	if err := showToAll(s.venv); err != nil { // apps may run as other users
		return false, err
	}
	if err := seal(ctx, s.venv, key); err != nil {
		return false, err
	}
	return false, os.Rename(s.venv, dir)
}

// steps are those of one build.
type steps struct {
	p    *Pool
	ctx  context.Context
	app  *project
	env  []string
	work string // holds the app's pyproject.toml and the files below
	venv string
	room *contain.Policy // that uv runs in; nil: none
}

func (s *steps) file(name string) string { return filepath.Join(s.work, name) }

func (s *steps) uv(doing string, progress func(string), args ...string) error {
	err := s.p.base.env.UV(s.ctx, python.UVCommand{Dir: s.file("app"), Env: s.env, Progress: progress, Contain: s.room}, args...)
	if err == nil || s.ctx.Err() != nil {
		return err
	}
	return buildError(doing, err)
}

// requirements completes a command with what the app requires. The base's flwr overrides what the app says of flwr's version.
func (s *steps) requirements(command ...string) []string {
	args := slices.Concat(command, []string{"--override", s.file("flwr.txt")}, s.wheels())
	for _, g := range s.app.groups {
		args = append(args, "--group", "pyproject.toml:"+g)
	}
	files := []string{"pyproject.toml", s.file("flwr.txt")} // flwr also where the app does not name it: it runs the app
	if command[1] == "install" {
		return append(args, "-r", files[0], "-r", files[1])
	}
	return append(args, files...)
}

// resolve finds out what has to be installed, and whether the base has all of it.
func (s *steps) resolve(fab []byte) (inBase bool, err error) {
	if err := os.Mkdir(s.file("app"), 0o700); err != nil {
		return false, err
	}
	if err := s.app.unpack(fab, s.file("app")); err != nil {
		return false, &BuildError{Cause: sentence(err), Remedy: "Build the FAB again with `flwr build`.", Err: err}
	}
	if err := s.check(); err != nil {
		return false, err
	}
	flwr := "flwr"
	if x := s.app.flwrExtras(); len(x) > 0 {
		flwr += "[" + strings.Join(x, ",") + "]"
	}
	if err := os.WriteFile(s.file("flwr.txt"), []byte(flwr+"=="+s.p.base.env.FlwrVersion+"\n"), 0o600); err != nil {
		return false, err
	}
	py := s.p.base.env.Bin("python")
	if s.app.lock == nil && s.satisfied(py) {
		return true, nil
	}
	s.p.o.Progress("Installing the packages of " + s.app.name)
	return s.pin(py)
}

// satisfied reports whether the base has all that the app needs; it needs no network.
func (s *steps) satisfied(py string) bool {
	none := false
	args := s.requirements("pip", "install", "--dry-run", "--offline", "--python", py)
	err := s.uv("", func(line string) { none = none || strings.Contains(line, "Would make no changes") }, args...)
	return err == nil && none
}

// checkProgram compares the running Python with what an app requires, as `uv sync` does, and reads the requirements.
const checkProgram = `import sys
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
try:
    if not SpecifierSet(sys.argv[1]).contains("%d.%d.%d" % sys.version_info[:3], prereleases=True):
        sys.exit(44)
    for text in sys.argv[2:]:
        Requirement(text)
except (InvalidSpecifier, InvalidRequirement) as err:
    print(err)
    sys.exit(45)`

// check finds the mistakes that uv does not explain.
func (s *steps) check() error {
	ctx, cancel := context.WithTimeout(s.ctx, time.Minute)
	defer cancel()
	args := append([]string{"-I", "-c", checkProgram, s.app.python}, s.app.deps...)
	out, err := exec.CommandContext(ctx, s.p.base.env.Bin("python"), args...).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return nil // all is well, or uv shall say what is not
	}
	switch exit.ExitCode() {
	case 44:
		return &BuildError{Cause: fmt.Sprintf("The app needs Python %s; this environment has %s.", s.app.python, s.p.base.env.PythonVersion),
			Remedy: "Use a Python that fits, or change requires-python in the app's pyproject.toml."}
	case 45:
		said, _, _ := strings.Cut(domain.Cut(string(out), 400), "\n")
		return &BuildError{Cause: "The app's dependencies cannot be read: " + said + ".",
			Remedy: "Correct the dependencies in the app's pyproject.toml."}
	}
	return nil
}
