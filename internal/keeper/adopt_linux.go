package keeper

import (
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"blossomtune/internal/keeper/proc"

	"golang.org/x/sys/unix"
)

// own are the children of this process that lead a session and were started here.
var own = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

var adopting atomic.Bool

// Adopt makes this process the parent of what a killed reaper leaves, and has it killed whenever a child ends: without that, a child
// that kills its own reaper could leave processes behind. It is for processes whose children are all started by this package or stay
// in this process's session: a daemon that another library starts would be killed too. It does nothing where the system has no
// subreapers.
func Adopt() {
	if unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == nil {
		adopting.Store(true)
	}
}

// startOurs starts a command that leads a session, so that no sweep takes it for an orphan.
func startOurs(cmd *exec.Cmd, cpus []int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own.Lock()
	defer own.Unlock()
	err := onCPUs(cpus, cmd.Start)
	if err == nil {
		own.pids[cmd.Process.Pid] = true
	}
	return err
}

// waitOurs waits for a command of startOurs.
func waitOurs(cmd *exec.Cmd) Exit {
	err := cmd.Wait()
	own.Lock()
	defer own.Unlock()
	delete(own.pids, cmd.Process.Pid)
	return exitOf(cmd.ProcessState, err)
}

// sweep kills and waits for the orphans that have become children of this process, until there are none: each may leave its own
// children to this process.
func sweep() {
	if !adopting.Load() {
		return
	}
	limit := time.NewTimer(reaperLimit)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sweepOnce() {
		select {
		case <-limit.C:
			return // the next child's end tries again
		case <-tick.C:
		}
	}
}

// sweepOnce reports whether there are orphans. Every process that a reaper started is in the reaper's session or a later one, never in
// this process's.
func sweepOnce() (left bool) {
	own.Lock()
	defer own.Unlock()
	session, err := unix.Getsid(0)
	if err != nil {
		return false
	}
	for _, pid := range proc.Children() {
		f := proc.Stat(pid)
		if f == nil || own.pids[pid] || f[proc.Session] == strconv.Itoa(session) {
			continue
		}
		_ = unix.Kill(pid, unix.SIGKILL)
		_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
		left = true // its children, if nothing else
	}
	return left
}
