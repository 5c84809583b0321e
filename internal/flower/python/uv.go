package python

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// UVError is a uv command that failed.
type UVError struct {
	Output []string // the last lines that it printed
	Err    error
}

func (e *UVError) Error() string {
	last := "no output"
	if n := len(e.Output); n > 0 {
		last = e.Output[n-1]
	}
	return fmt.Sprintf("uv: %v: %s", e.Err, last)
}

func (e *UVError) Unwrap() error { return e.Err }

// UV runs the environment's own uv in dir, with the machine's package index settings; env is added to those. Each line of output goes
// to progress, which may be nil. A command that fails is a [*UVError]; one that ctx ended is ctx's error.
func (e Env) UV(ctx context.Context, dir string, env []string, progress func(line string), args ...string) error {
	if progress == nil {
		progress = func(string) {}
	}
	if truthy(os.Getenv("PIP_NO_INDEX")) {
		env = append(env, "UV_NO_INDEX=1")
	}
	cmd := exec.CommandContext(ctx, e.Bin("uv"), args...)
	cmd.Dir = dir
	cmd.Env = append(append(append(passed(), uvFromPip()...), "PATH="+os.Getenv("PATH"), "NO_COLOR=1", "UV_NO_PROGRESS=1",
		"UV_PYTHON_DOWNLOADS=never"), env...)
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	pr, pw := io.Pipe()
	cmd.Stdout, cmd.Stderr = pw, pw
	tail := make(chan []string, 1)
	go func() { tail <- relay(pr, 40, progress) }()
	err := cmd.Run()
	_ = pw.Close()
	last := <-tail
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrNotExist):
		return &UVError{Output: []string{"uv is missing in " + e.Dir}, Err: err}
	case err != nil:
		return &UVError{Output: last, Err: err}
	}
	return nil
}
