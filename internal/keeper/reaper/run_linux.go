package reaper

import (
	"encoding/json"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"blossomtune/internal/keeper/proc"

	"golang.org/x/sys/unix"
)

func init() {
	if len(os.Args) == 1 && os.Args[0] == Name {
		os.Exit(run())
	}
}

// reaper is the running process.
type reaper struct {
	mu      sync.Mutex // held while children are waited for or killed, so that no process id is reused between
	program int        // its process id; 0 when it has been waited for
	ending  bool       // no descendant may be left
}

// run is the whole life of the process. It stays on the main thread, because the program gets its parent-death signal when the thread
// that forked it ends.
func run() int {
	_ = os.WriteFile("/proc/self/comm", []byte(Name), 0) // for ps, which would show "exe"
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)     // a program of the same user must not take the socket from this process
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 1
	}
	signal.Notify(make(chan os.Signal, 1)) // not ignored: the program would inherit that
	unix.CloseOnExec(Socket)
	socket := os.NewFile(Socket, "keeper")
	orders, reports := json.NewDecoder(socket), json.NewEncoder(socket)
	var spec Spec
	if err := orders.Decode(&spec); err != nil {
		return 1
	}
	pid, err := start(spec)
	if err != nil {
		errno := unix.EINVAL
		errors.As(err, &errno)
		_ = reports.Encode(Report{Errno: int(errno)})
		return 0
	}
	r := &reaper{program: pid}
	_ = reports.Encode(Report{PID: pid}) // a keeper that is gone is noticed by obey
	go r.obey(orders, spec.Bound)
	r.reap(func(status int) { _ = reports.Encode(Report{Status: &status}) })
	return 0
}

// start starts the program; afterwards only the program has its files.
func start(spec Spec) (int, error) {
	files := []uintptr{0, 1, 2}
	for fd := Socket + 1; fd <= Socket+spec.Files; fd++ {
		unix.CloseOnExec(fd)
		files = append(files, uintptr(fd))
	}
	pid, err := syscall.ForkExec(spec.Path, spec.Args, &syscall.ProcAttr{
		Dir: spec.Dir, Env: spec.Env, Files: files, Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL},
	})
	for fd := Socket + 1; fd <= Socket+spec.Files; fd++ {
		_ = unix.Close(fd)
	}
	_ = unix.Dup3(0, 1, 0)
	_ = unix.Dup3(0, 2, 0)
	return pid, err
}

// obey follows the keeper's orders. When the keeper has ended, a bound program ends too.
func (r *reaper) obey(orders *json.Decoder, bound bool) {
	for {
		var o Order
		switch err := orders.Decode(&o); {
		case err != nil && !bound:
			return
		case err != nil || o == Kill:
			r.kill()
			return
		case o == Terminate:
			r.mu.Lock()
			if r.program != 0 {
				_ = unix.Kill(-r.program, unix.SIGTERM)
			}
			r.mu.Unlock()
		}
	}
}

// kill ends the program and all its descendants; reap continues with those that become children of this process meanwhile.
func (r *reaper) kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ending = true
	if r.program != 0 {
		_ = unix.Kill(-r.program, unix.SIGKILL)
	}
	killChildren()
}

// reap waits for children until there are none. When the program is among them it reports its status; from then on it kills whatever is
// left. A descendant that forks while its parent is killed becomes a child of this process before that parent's death can be waited for,
// so none is missed.
func (r *reaper) reap(ended func(status int)) {
	for {
		err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.ECHILD) {
			return
		}
		r.mu.Lock()
		for {
			var ws unix.WaitStatus
			pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
			if err != nil || pid == 0 {
				break
			}
			if pid == r.program {
				r.program, r.ending = 0, true
				ended(int(ws))
			}
		}
		if r.ending {
			killChildren()
		}
		r.mu.Unlock()
	}
}

// killChildren kills the children that this process has now. Their ids are theirs until they are waited for.
func killChildren() {
	for _, pid := range proc.Children() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
