package apphost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"blossomtune/internal/keeper/contain"
)

// Inspect runs a program of ours, the __main__.py of a folder, with the base's Python and returns what it prints, at most limit bytes.
// It gets the FAB on its standard input. It runs in a sandbox without network and, where that is possible, can read nothing but Python and
// its own folder.
func (p *Pool) Inspect(ctx context.Context, folder string, fab []byte, limit int64, args ...string) ([]byte, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return nil, err
	}
	return p.host(ctx, p.takeBase(), []string{folder}, append([]string{folder}, args...), fab, limit)
}

// host runs `python -I args...` in an environment, in a sandbox that can read the environment and the given folders.
func (p *Pool) host(ctx context.Context, e *environment, read, args []string, fab []byte, limit int64) ([]byte, error) {
	cmd := exec.CommandContext(ctx, e.env.Bin("python"), append([]string{"-I"}, args...)...)
	cmd.Stdin = bytes.NewReader(fab)
	cmd.Env = e.env.Environ(p.o.Home)
	cmd.WaitDelay = time.Second
	said := &head{left: 16 << 10}
	cmd.Stderr = said
	if !p.o.Uncontained { // starting the environment's Python runs the .pth files of its packages
		policy, err := contain.Command(cmd, contain.Policy{Read: slices.Concat(p.pythons(e), read)})
		if err != nil {
			return nil, err
		}
		defer policy.Close()
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	text, _ := io.ReadAll(io.LimitReader(out, limit))
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, lastLine(said.text.String()))
	}
	return text, nil
}

// Resolve finds versions of all packages that an app needs, as [Pool.Prepare] does before it installs them, and returns those that the base
// lacks, as name==version. Nothing is installed. What cannot be resolved is a [*BuildError].
func (p *Pool) Resolve(ctx context.Context, fab []byte, env ...string) ([]string, error) {
	project, err := readProject(fab)
	if err != nil {
		return nil, &BuildError{Cause: sentence(err), Remedy: "Build the FAB again with `flwr build`.", Err: err}
	}
	if project.none {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.Limit)
	defer cancel()
	work, err := os.MkdirTemp(p.o.Dir, "resolve.work-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	s := &steps{p: p, ctx: ctx, app: project, env: installSettings(env), work: work, venv: filepath.Join(work, "venv")}
	if err := s.enclose(); err != nil {
		return nil, err
	}
	inBase, err := s.resolve(fab) //nolint:contextcheck // the steps hold the context
	switch {
	case ctx.Err() != nil:
		return nil, errors.Join(ctx.Err(), err)
	case err != nil || inBase:
		return nil, err
	}
	return s.lacking()
}

// lacking returns what would be installed, once it is resolved.
func (s *steps) lacking() ([]string, error) {
	pinned, err := os.ReadFile(s.file("constraints.txt"))
	if err != nil {
		return nil, err
	}
	excluded, err := os.ReadFile(s.file("excluded.txt"))
	if err != nil {
		return nil, err
	}
	present := strings.Fields(string(excluded))
	var out []string
	for _, one := range parsePins(string(pinned)) {
		if !slices.Contains(present, one.name) {
			out = append(out, one.name+one.spec)
		}
	}
	return out, nil
}

// head keeps the beginning of what is written to it.
type head struct {
	text bytes.Buffer
	left int
}

func (h *head) Write(b []byte) (int, error) {
	keep := b[:min(len(b), h.left)]
	h.left -= len(keep)
	h.text.Write(keep)
	return len(b), nil
}

// lastLine returns the last line of a program's error output; of a traceback that is the exception.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndex(s, "\n")+1:]
}
