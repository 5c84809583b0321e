package python

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"blossomtune/internal/keeper/contain"
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

// UVCommand says where and how uv runs.
type UVCommand struct {
	Dir      string
	Env      []string          // added to the machine's package index settings
	Progress func(line string) // receives each line of output; may be nil
	Contain  *contain.Policy   // the sandbox that it runs in; nil: none
}

// UV runs the environment's own uv, with the machine's package index settings. A command that fails is a [*UVError]; one that ctx ended is
// ctx's error.
func (e Env) UV(ctx context.Context, c UVCommand, args ...string) error {
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if _, err := os.Stat(e.Bin("uv")); err != nil {
		return &UVError{Output: []string{"uv is missing in " + e.Dir}, Err: err}
	}
	cmd := exec.CommandContext(ctx, e.Bin("uv"), args...)
	cmd.Dir = c.Dir
	cmd.Env = append(append(passed(), uvFromPip()...), "PATH="+os.Getenv("PATH"), "NO_COLOR=1", "UV_NO_PROGRESS=1",
		"UV_PYTHON_DOWNLOADS=never")
	cmd.Env = append(cmd.Env, c.Env...)
	if truthy(os.Getenv("PIP_NO_INDEX")) {
		cmd.Env = append(cmd.Env, "UV_NO_INDEX=1")
	}
	if c.Contain != nil {
		policy, err := contain.Command(cmd, *c.Contain)
		if err != nil {
			return fmt.Errorf("containing uv: %w", err)
		}
		defer policy.Close()
	}
	ownGroup(cmd)
	cmd.WaitDelay = 5 * time.Second
	pr, pw := io.Pipe()
	cmd.Stdout, cmd.Stderr = pw, pw
	tail := make(chan []string, 1)
	go func() { tail <- relay(pr, 40, c.Progress) }()
	err := cmd.Run()
	_ = pw.Close()
	last := <-tail
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &UVError{Output: last, Err: err}
	}
	return nil
}
