package keeper

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"blossomtune/internal/keeper/contain"
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

	// Contain is the sandbox that the command runs in; nil: none. Linux only: elsewhere it is not heeded, see [contain.Check].
	Contain *contain.Policy

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
	root int             // the process that all of the child's processes descend from, itself not one of them; Linux only
	end  func(kill bool) // asks the child's group to end, or kills it with all its descendants
	done chan struct{}
	exit Exit // valid when done is closed
}

// Start starts the command as the leader of its own process group. When the command itself ends, however it ends, all that it started is
// killed: on Linux every descendant, also one in a session of its own; elsewhere what is left of its group. [Child.Done] waits for that.
//
// Its output goes through this process, which masks secrets before anything is stored: when this process is killed, the child
// has nobody to write to. So DieWithParent belongs to whatever is started here; what must outlive us is spawned (see [Spawn]).
func Start(c Command) (*Child, error) {
	out, err := newOutput(c.LogFile, c.Log)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", c.Path, err)
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	ch := &Child{done: make(chan struct{})}
	err = ch.start(cmd, c, out)
	go out.copy()
	_ = out.child.Close() // the child has its own
	if err != nil {
		out.end()
		return nil, fmt.Errorf("starting %s: %w", c.Path, err)
	}
	return ch, nil
}

// began notes which process the child is.
func (c *Child) began(pid int) {
	c.id, _ = Of(pid)
	c.id.PID = pid // also when it has ended already
}

func exitOf(st *os.ProcessState, err error) Exit {
	if st == nil {
		return Exit{Code: -1, Signal: fmt.Sprint(err)}
	}
	if ws, ok := st.Sys().(syscall.WaitStatus); ok {
		return exitOfStatus(ws)
	}
	return Exit{Code: st.ExitCode()}
}

func exitOfStatus(ws syscall.WaitStatus) Exit {
	if ws.Signaled() {
		return Exit{Code: -1, Signal: signalName(ws.Signal())}
	}
	return Exit{Code: ws.ExitStatus()}
}

// Identity returns the child's process; its Start is empty when it had ended before it could be read.
func (c *Child) Identity() Identity { return c.id }

// Done is closed when the child has ended and was waited for, what it had started is gone, and all that it wrote is in its log.
func (c *Child) Done() <-chan struct{} { return c.done }

// Exit waits for the child's end and returns how it ended.
func (c *Child) Exit() Exit {
	<-c.done
	return c.exit
}

// Stop asks the child's group to end, kills it with all its descendants when it has not within the grace, and returns how the child
// ended.
func (c *Child) Stop(grace time.Duration) Exit {
	select {
	case <-c.done:
		return c.exit
	default:
	}
	c.end(false)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
		c.end(true)
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
