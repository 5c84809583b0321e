package keeper

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"blossomtune/internal/keeper/contain"
	"blossomtune/internal/keeper/reaper"

	"golang.org/x/sys/unix"
)

// reaperLimit is how long a reaper may take to kill what it has to; a process in an uninterruptible system call can outlast it.
const reaperLimit = 5 * time.Second

// reaperProgram is this very binary, also when its file has been replaced.
const reaperProgram = "/proc/self/exe"

// start starts the command below a reaper of its own, and a goroutine that waits for its end.
func (c *Child) start(cmd *exec.Cmd, o Command, out *output) error {
	if cmd.Err != nil {
		return cmd.Err
	}
	spec := reaper.Spec{Path: cmd.Path, Args: cmd.Args, Dir: cmd.Dir, Env: cmd.Environ(), Files: len(o.files), Bound: o.DieWithParent}
	if o.Contain != nil {
		policy, err := contained(&spec, *o.Contain)
		if err != nil {
			return err
		}
		defer policy.Close()
		o.files = append(slices.Clone(o.files), policy)
	}
	ours, theirs, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	r := &exec.Cmd{
		Path: reaperProgram, Args: []string{reaper.Name}, Env: []string{}, Stdout: out.child, Stderr: out.child,
		ExtraFiles: append([]*os.File{theirs}, o.files...), SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	err = startOurs(r, o.CPUs)
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return fmt.Errorf("starting its reaper: %w", err)
	}
	c.root = r.Process.Pid
	orders, reports := json.NewEncoder(ours), json.NewDecoder(ours)
	var first reaper.Report
	if err = orders.Encode(spec); err == nil {
		err = reports.Decode(&first)
	}
	if err != nil || first.PID == 0 {
		_ = ours.Close()
		_ = r.Process.Kill()
		ended := waitOurs(r)
		sweep()
		if first.Errno != 0 {
			return &fs.PathError{Op: "fork/exec", Path: cmd.Path, Err: syscall.Errno(first.Errno)}
		}
		return fmt.Errorf("its reaper did not start it: %s", ended)
	}
	c.began(first.PID)
	var mu sync.Mutex
	c.end = func(kill bool) {
		mu.Lock()
		defer mu.Unlock()
		order := reaper.Terminate
		if kill {
			order = reaper.Kill
			time.AfterFunc(reaperLimit, func() { _ = r.Process.Kill() })
		}
		_ = orders.Encode(order) // a reaper that has ended has nothing left to do
	}
	go c.live(r, reports, ours, out)
	return nil
}

// contained puts the containing process into the place of the program. It returns the file that it gets after the program's files.
func contained(s *reaper.Spec, p contain.Policy) (*os.File, error) {
	policy, command, err := contain.Wrap(p, s.Path, s.Args, s.Dir, s.Env, s.Files)
	if err != nil {
		return nil, err
	}
	s.Path, s.Args, s.Env, s.Files = reaperProgram, command, []string{}, s.Files+1
	return policy, nil
}

// live waits for the end of the child, and of all that it started.
func (c *Child) live(r *exec.Cmd, reports *json.Decoder, socket *os.File, out *output) {
	var report reaper.Report
	for reports.Decode(&report) == nil {
		time.AfterFunc(reaperLimit, func() { _ = r.Process.Kill() })
	}
	c.exit = waitOurs(r) // of a reaper that was killed, and the child with it
	if report.Status != nil {
		c.exit = exitOfStatus(syscall.WaitStatus(*report.Status))
	}
	_ = socket.Close()
	sweep()
	out.end()
	close(c.done)
}

func socketPair(kind int) (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that a read waits without a thread
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "child"), os.NewFile(uintptr(fds[1]), "keeper"), nil
}
