package keeper

import (
	"fmt"
	"os"
	"os/exec"
)

// Spec is a process of our own binary that shall outlive us.
type Spec struct {
	Path    string   // default: our own binary
	Args    []string // without the program's name
	Dir     string
	Env     []string // all of it
	LogFile string   // standard output and error are appended to it
}

// Process is a spawned process.
type Process struct {
	Identity
	done chan struct{}
}

// Done is closed when the process has ended; it is also waited for, so that it leaves no zombie.
func (p *Process) Done() <-chan struct{} { return p.done }

// Spawn starts the process in a session of its own, with no file of ours, so that it lives on when we are killed.
func Spawn(s Spec) (*Process, error) {
	if s.Path == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding our own binary: %w", err)
		}
		s.Path = self
	}
	log, err := os.OpenFile(s.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log %s: %w", s.LogFile, err)
	}
	defer log.Close()
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = s.Dir, s.Env, log, log
	cmd.SysProcAttr = sessionAttr()
	if err := startOurs(cmd, nil); err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.Path, err)
	}
	p := &Process{done: make(chan struct{})}
	p.Identity, _ = Of(cmd.Process.Pid)
	p.PID = cmd.Process.Pid
	go func() {
		_ = waitOurs(cmd) // how it ended is in its log
		close(p.done)
	}()
	return p, nil
}
