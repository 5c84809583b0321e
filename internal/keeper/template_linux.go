package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Template is a child that has done slow preparations once, and makes a process of itself for each task: such a process begins with
// all of them done. Its methods are safe for concurrent use.
//
// Its program finds a socket of packets at file 3. A packet to it is {"id", "args", "dir"} and carries the file for the new process's
// output; it answers with {"id", "pid"}, and {"id", "pid", "status"} (of wait) when that process has ended. The new process leads a group of
// its own and dies with the template.
type Template struct {
	child *Child
	conn  *net.UnixConn

	mu    sync.Mutex
	last  int
	forks map[int]*fork
}

type fork struct {
	pid  chan int
	exit chan Exit
}

type templateOrder struct {
	ID   int      `json:"id"`
	Args []string `json:"args"`
	Dir  string   `json:"dir"`
}

type templateNews struct {
	ID     int  `json:"id"`
	PID    int  `json:"pid"`
	Status *int `json:"status"`
}

// StartTemplate starts a template; its own output goes to the command's log.
func StartTemplate(c Command) (*Template, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("making a socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "template"), os.NewFile(uintptr(fds[1]), "template")
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	_ = ours.Close() // conn has its own
	if err != nil {
		return nil, err
	}
	c.files = []*os.File{theirs}
	child, err := Start(c)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	t := &Template{child: child, conn: conn.(*net.UnixConn), forks: map[int]*fork{}}
	go t.listen()
	return t, nil
}

// listen takes the template's news until it ends.
func (t *Template) listen() {
	buf := make([]byte, 4096)
	for {
		n, err := t.conn.Read(buf)
		if err != nil || n == 0 {
			return
		}
		var v templateNews
		if json.Unmarshal(buf[:n], &v) != nil {
			continue
		}
		t.mu.Lock()
		f := t.forks[v.ID]
		if v.Status != nil {
			delete(t.forks, v.ID)
		}
		t.mu.Unlock()
		switch {
		case f == nil:
		case v.Status == nil:
			f.pid <- v.PID
		default:
			f.exit <- exitOfStatus(syscall.WaitStatus(*v.Status))
		}
	}
}

func exitOfStatus(ws syscall.WaitStatus) Exit {
	if ws.Signaled() {
		return Exit{Code: -1, Signal: signalName(ws.Signal())}
	}
	return Exit{Code: ws.ExitStatus()}
}

// forkLimit is how long a template may take to make a process, its own preparations included.
const forkLimit = time.Minute

// Start makes a process of the template. When that fails the template is ended, so that no process comes late.
func (t *Template) Start(f Fork) (*Child, error) {
	out, err := newOutput(f.LogFile, f.Log)
	if err != nil {
		return nil, err
	}
	fk := &fork{pid: make(chan int, 1), exit: make(chan Exit, 1)}
	t.mu.Lock()
	t.last++
	order := templateOrder{ID: t.last, Args: f.Args, Dir: f.Dir}
	t.forks[order.ID] = fk
	t.mu.Unlock()
	pid, err := t.order(order, out.child, fk)
	go out.copy()
	_ = out.child.Close() // the process has its own
	if err != nil {
		out.end()
		t.Stop(0)
		return nil, err
	}
	c := &Child{done: make(chan struct{})}
	c.id, _ = Of(pid)
	c.id.PID = pid // also when it has ended already
	go t.await(c, fk, out)
	return c, nil
}

func (t *Template) order(o templateOrder, out *os.File, fk *fork) (pid int, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return 0, err
	}
	if _, _, err := t.conn.WriteMsgUnix(text, unix.UnixRights(int(out.Fd())), nil); err != nil {
		return 0, fmt.Errorf("writing to the template: %w", err)
	}
	limit := time.NewTimer(forkLimit)
	defer limit.Stop()
	select {
	case pid := <-fk.pid:
		return pid, nil
	case <-t.child.Done():
		return 0, errors.New("the template has ended")
	case <-limit.C:
		return 0, fmt.Errorf("the template made no process within %s", forkLimit)
	}
}

// await waits for the process's end as a child's is waited for.
func (t *Template) await(c *Child, fk *fork, out *output) {
	select {
	case c.exit = <-fk.exit:
	case <-t.child.Done():
		c.exit = Exit{Code: -1, Signal: "SIGKILL"} // it died with the template
		kill(c.id.PID)
		waitGone(c.id, 5*time.Second)
	}
	killRest(c.id.PID)
	out.end()
	close(c.done)
}

// Ended reports whether the template makes no processes any more.
func (t *Template) Ended() bool {
	select {
	case <-t.child.Done():
		return true
	default:
		return false
	}
}

// Stop ends the template and all that was made of it.
func (t *Template) Stop(grace time.Duration) {
	_ = t.conn.Close()
	t.child.Stop(grace)
}
