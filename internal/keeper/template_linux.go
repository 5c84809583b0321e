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

	"blossomtune/internal/keeper/proc"

	"golang.org/x/sys/unix"
)

// Template is a child that has done slow preparations once, and makes a process of itself for each task: such a process begins with
// all of them done. Its methods are safe for concurrent use.
//
// Its program finds a socket of packets at file 3. A packet to it is {"id", "args", "dir", "cpus"} and carries the file for the new
// process's
// output. The template makes a process that is a reaper (see package reaper), which makes the new process, as the leader of a group of its
// own. Both die with the template. Its answers are {"id", "pid", "reaper"} with the ids of the two processes, {"id", "status"} when the
// new one has ended, and {"id", "ended"} when its reaper has: then no descendant of it is left. Both numbers are those of wait.
type Template struct {
	child     *Child
	conn      *net.UnixConn
	contained bool

	mu    sync.Mutex
	last  int
	forks map[int]*fork
}

// fork is a process that was ordered. What comes of it is sent once each; ended is the last.
type fork struct {
	made   chan templateNews
	status chan Exit
	ended  chan Exit
}

type templateOrder struct {
	ID   int      `json:"id"`
	Args []string `json:"args"`
	Dir  string   `json:"dir"`
	CPUs []int    `json:"cpus,omitempty"`
}

type templateNews struct {
	ID     int  `json:"id"`
	PID    int  `json:"pid"`
	Reaper int  `json:"reaper"`
	Status *int `json:"status"`
	Ended  *int `json:"ended"`
}

// StartTemplate starts a template; its own output goes to the command's log.
func StartTemplate(c Command) (*Template, error) {
	ours, theirs, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
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
	t := &Template{child: child, contained: c.Contain != nil, conn: conn.(*net.UnixConn), forks: map[int]*fork{}}
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
		if v.Ended != nil {
			delete(t.forks, v.ID)
		}
		t.mu.Unlock()
		if f != nil {
			f.take(v)
		}
	}
}

func (f *fork) take(v templateNews) {
	switch {
	case v.Ended != nil:
		offer(f.ended, exitOfStatus(syscall.WaitStatus(*v.Ended)))
	case v.Status != nil:
		offer(f.status, exitOfStatus(syscall.WaitStatus(*v.Status)))
	default:
		offer(f.made, v)
	}
}

// offer sends what a channel expects once; what is repeated is dropped.
func offer[T any](c chan T, v T) {
	select {
	case c <- v:
	default:
	}
}

// forkLimit is how long a template may take to make a process, its own preparations included.
const forkLimit = time.Minute

// Start makes a process of the template. When that fails the template is ended, so that no process comes late.
func (t *Template) Start(f Fork) (*Child, error) {
	out, err := newOutput(f.LogFile, f.Log)
	if err != nil {
		return nil, err
	}
	fk := &fork{made: make(chan templateNews, 1), status: make(chan Exit, 1), ended: make(chan Exit, 1)}
	t.mu.Lock()
	t.last++
	order := templateOrder{ID: t.last, Args: f.Args, Dir: f.Dir, CPUs: f.CPUs}
	t.forks[order.ID] = fk
	t.mu.Unlock()
	made, err := t.order(order, out.child, fk)
	go out.copy()
	_ = out.child.Close() // the process has its own
	if err != nil {
		out.end()
		t.Stop(0)
		return nil, err
	}
	if t.contained { // its ids may be those of its own namespace, and it is not to be believed
		made.Reaper, made.PID = proc.Below(t.child.root, made.Reaper), proc.Below(t.child.root, made.PID)
	}
	c := &Child{root: made.Reaper, done: make(chan struct{})}
	c.began(made.PID)
	killReaper := killerOf(made.Reaper)
	c.end = func(hard bool) {
		if hard {
			time.AfterFunc(reaperLimit, killReaper)
		}
		switch { // the id may be another process's when this one has ended
		case !c.id.Alive():
		case hard:
			kill(c.id.PID)
		default:
			terminate(c.id.PID)
		}
	}
	go t.await(c, fk, killReaper, out)
	return c, nil
}

// killerOf returns a function that kills the process that has the id now.
func killerOf(pid int) func() {
	id, _ := Of(pid)
	return func() {
		if id.Alive() {
			_ = unix.Kill(id.PID, unix.SIGKILL)
		}
	}
}

func (t *Template) order(o templateOrder, out *os.File, fk *fork) (made templateNews, err error) {
	text, err := json.Marshal(o)
	if err != nil {
		return made, err
	}
	if _, _, err := t.conn.WriteMsgUnix(text, unix.UnixRights(int(out.Fd())), nil); err != nil {
		return made, fmt.Errorf("writing to the template: %w", err)
	}
	limit := time.NewTimer(forkLimit)
	defer limit.Stop()
	select {
	case made = <-fk.made:
		return made, nil
	case <-t.child.Done():
		return made, errors.New("the template has ended")
	case <-limit.C:
		return made, fmt.Errorf("the template made no process within %s", forkLimit)
	}
}

// await waits for the process's end, and of all that it started, as a child's is waited for.
func (t *Template) await(c *Child, fk *fork, killReaper func(), out *output) {
	c.exit = Exit{Code: -1, Signal: "SIGKILL"} // with the template, or with its reaper
	status := fk.status
	for ended := false; !ended; {
		select {
		case c.exit = <-status:
			status = nil
			time.AfterFunc(reaperLimit, killReaper)
		case <-fk.ended:
			ended = true
		case <-t.child.Done():
			ended = true
		}
	}
	select {
	case c.exit = <-status:
	default:
	}
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
