package keeper

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"blossomtune/internal/logfile"
)

// Command is a child to be started.
type Command struct {
	Path    string
	Args    []string // without the program's name
	Dir     string
	Env     []string // all of it; nothing is inherited
	LogFile string   // standard output and error are appended to it, secrets masked
	Log     logfile.Keep

	// DieWithParent ends the child when this process dies, even by kill -9 (Linux only; elsewhere it is left to the
	// next keeper to end it).
	DieWithParent bool

	// CPUs are the only ones that the child and all that it starts may run on; nil: those of this process. Linux only.
	CPUs []int

	files []*os.File // the child has them as 3, 4 …
}

// Exit is how a child ended.
type Exit struct {
	Code   int    // -1 when a signal ended it
	Signal string // such as "SIGKILL"; empty when it exited by itself
}

// String returns the exit in words, for logs and causes.
func (e Exit) String() string {
	if e.Signal != "" {
		return "ended by " + e.Signal
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Child is a started command. Its methods are safe for concurrent use.
type Child struct {
	id   Identity
	done chan struct{}
	exit Exit // valid when done is closed
}

// Start starts the command as the leader of its own process group. When the command itself ends, what is left of its group is
// killed: a child leaves nothing behind.
//
// Its output goes through this process, which masks secrets before anything is stored: when this process is killed, the child
// has nobody to write to. So DieWithParent belongs to whatever is started here; what must outlive us is spawned (see [Spawn]).
func Start(c Command) (*Child, error) {
	out, err := newOutput(c.LogFile, c.Log)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.Path, err)
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.Dir, c.Env, out.child, out.child
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	cmd.SysProcAttr, cmd.ExtraFiles = childAttr(c.DieWithParent), c.files
	ch := &Child{done: make(chan struct{})}
	started := make(chan error)
	go ch.live(cmd, c.CPUs, out, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Path, err)
	}
	return ch, nil
}

// live starts the command and waits for it on one thread that it keeps: the kernel sends the parent-death signal when the
// thread that started the child ends, not when the process does.
func (c *Child) live(cmd *exec.Cmd, cpus []int, out *output, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := onCPUs(cpus, cmd.Start)
	go out.copy()
	_ = out.child.Close() // the child has its own
	if err != nil {
		out.end()
		started <- err
		return
	}
	c.id, _ = Of(cmd.Process.Pid)
	c.id.PID = cmd.Process.Pid // also when it has ended already
	group := watchGroup(cmd.Process)
	started <- nil
	err = cmd.Wait()
	killRest(group)
	out.end()
	c.exit = exitOf(cmd.ProcessState, err)
	close(c.done)
}

func exitOf(st *os.ProcessState, err error) Exit {
	if st == nil {
		return Exit{Code: -1, Signal: fmt.Sprint(err)}
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Exit{Code: -1, Signal: signalName(ws.Signal())}
	}
	return Exit{Code: st.ExitCode()}
}

// Identity returns the child's process; its Start is empty when it had ended before it could be read.
func (c *Child) Identity() Identity { return c.id }

// Done is closed when the child has ended and was waited for, and all that it wrote is in its log.
func (c *Child) Done() <-chan struct{} { return c.done }

// Exit waits for the child's end and returns how it ended.
func (c *Child) Exit() Exit {
	<-c.done
	return c.exit
}

// Stop asks the child's group to end, kills it when it has not within the grace, and returns how the child ended.
func (c *Child) Stop(grace time.Duration) Exit {
	select {
	case <-c.done:
		return c.exit
	default:
	}
	terminate(c.id.PID)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		kill(c.id.PID)
	}
	return c.Exit()
}

// StopIdentity ends a process that is not our child, with its group: asked first, killed after the grace. It does nothing
// when that very process does not run any more.
func StopIdentity(id Identity, grace time.Duration) error {
	if !id.Alive() {
		return nil
	}
	terminate(id.PID)
	if waitGone(id, grace) {
		return nil
	}
	if id.Alive() {
		kill(id.PID)
	}
	if !waitGone(id, 5*time.Second) {
		return errors.New("process " + id.String() + " does not end")
	}
	return nil
}

// waitGone polls, because only a parent can wait.
func waitGone(id Identity, limit time.Duration) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for id.Alive() {
		select {
		case <-deadline.C:
			return !id.Alive()
		case <-tick.C:
		}
	}
	return true
}
