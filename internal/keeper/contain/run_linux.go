package contain

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// self is this very binary, also when its file has been replaced.
const self = "/proc/self/exe"

// Exit codes of a containing process that could not start the program, as a shell has them.
const (
	exitNotContained = 126
	exitNotStarted   = 127
)

func init() {
	if len(os.Args) < 2 || os.Args[0] != Name {
		return
	}
	runtime.LockOSThread() // what is restricted is a thread; and the parent-death signal comes at the end of one
	fd, err := strconv.Atoi(os.Args[1])
	if err != nil {
		os.Exit(exitNotContained)
	}
	var code int
	switch {
	case len(os.Args) > 2 && os.Args[2] == owns:
		waitForEnd()
	case len(os.Args) > 2:
		code = first(fd)
	default:
		code, err = outer(fd)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, Name+":", err)
	}
	os.Exit(code)
}

// news is what the first process of a PID namespace tells the one outside: that it is contained, or why not, then how the program ended.
type news struct {
	Up     bool   `json:"up,omitempty"`
	Failed string `json:"failed,omitempty"`
	Status *int   `json:"status,omitempty"` // the program's, as wait reports it
}

// outer is the process that the reaper starts. It becomes the program, or waits for it outside of its namespaces.
func outer(fd int) (code int, err error) {
	j, err := readJob(fd)
	if err != nil {
		return exitNotContained, err
	}
	if err := j.Policy.prepareUser(); err != nil {
		return exitNotContained, err
	}
	reason := "turned off"
	if !j.Policy.NoNamespaces {
		var status syscall.WaitStatus
		status, reason, err = inside(j, fd)
		if err != nil {
			return exitNotStarted, err
		}
		if reason == "" && !j.Probe {
			return end(status), nil
		}
	}
	if j.Probe {
		return 0, probed(reason)
	}
	closeFrom(firstFile + j.Files)
	if err := j.Policy.apply(false); err != nil {
		return exitNotContained, err
	}
	err = unix.Exec(j.Path, j.Args, j.Env)
	return exitNotStarted, fmt.Errorf("starting %s: %w", j.Path, err)
}

// inside starts the program in namespaces of its own and waits for its end. A reason means that the system does not allow them; nothing has
// been started then.
func inside(j job, fd int) (status syscall.WaitStatus, reason string, err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, "", err
	}
	files := []uintptr{0, 1, 2}
	for n := firstFile; n <= fd; n++ {
		files = append(files, uintptr(n))
	}
	files = append(files, write.Fd())
	lent, err := j.Policy.lend()
	if err != nil {
		return 0, "", err
	}
	for _, fd := range lent {
		files = append(files, uintptr(fd))
	}
	flags, caps := uintptr(unix.CLONE_NEWUSER|unix.CLONE_NEWNS|unix.CLONE_NEWPID|unix.CLONE_NEWIPC),
		[]uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SETPCAP}
	var ports handover
	if j.Policy.Local {
		if ports, err = newHandover(); err != nil {
			return 0, "", err
		}
		defer ports.close()
		files = append(files, uintptr(ports.theirs))
		flags, caps = flags|unix.CLONE_NEWNET, append(caps, unix.CAP_NET_ADMIN)
	}
	signal.Notify(make(chan os.Signal, 1)) // the program gets its group's signals itself
	// Package os would first start a process to try whether the kernel has pidfds.
	pid, err := syscall.ForkExec(self, []string{Name, strconv.Itoa(fd), "first"}, &syscall.ProcAttr{
		Env: []string{}, Files: files,
		Sys: &syscall.SysProcAttr{
			Cloneflags:  flags,
			UidMappings: same(os.Getuid(), j.Policy.UID),
			GidMappings: same(os.Getgid(), j.Policy.UID),
			AmbientCaps: caps, // an ordinary user's would be lost at the exec
		},
	})
	_ = write.Close()
	closeAll(lent)
	if err != nil {
		return 0, "The system refuses namespaces: " + err.Error() + ".", nil // the floor is in force then
	}
	from := json.NewDecoder(read)
	var n news
	if err := from.Decode(&n); err != nil || !n.Up {
		await(pid)
		_ = read.Close()
		if len(j.Policy.lent()) > 0 { // the program would not find its files
			return 0, "", errors.New("lending folders: " + n.Failed)
		}
		return 0, "The system refuses mounts in namespaces: " + n.Failed + ".", nil // the floor is in force then
	}
	for n := range j.Files {
		_ = unix.Close(firstFile + n) // the program has them
	}
	if j.Policy.Local {
		if err := ports.forward(j.Policy.Connect); err != nil {
			return 0, "", err
		}
	}
	n = news{}
	failed := from.Decode(&n)
	await(pid)
	if failed != nil || n.Status == nil {
		if n.Failed != "" {
			return 0, "", errors.New(n.Failed)
		}
		return syscall.WaitStatus(unix.SIGKILL), "", nil // the first process was killed, and all others with it
	}
	return syscall.WaitStatus(*n.Status), "", nil
}

// same keeps this process's id in a namespace, and that of a further user.
func same(own, other int) []syscall.SysProcIDMap {
	out := []syscall.SysProcIDMap{{ContainerID: own, HostID: own, Size: 1}}
	if other != 0 {
		out = append(out, syscall.SysProcIDMap{ContainerID: other, HostID: other, Size: 1})
	}
	return out
}

// await waits for the end of a child of this process.
func await(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// end ends this process as the program ended.
func end(status syscall.WaitStatus) int {
	if !status.Signaled() {
		return status.ExitStatus()
	}
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	var byDefault [32]byte // a struct sigaction that restores the default
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(status.Signal()), uintptr(unsafe.Pointer(&byDefault)), 0, 8, 0, 0)
	_ = unix.Kill(unix.Getpid(), status.Signal())
	return 128 + int(status.Signal())
}

// first is the first process of the namespaces: it contains itself, starts the program, and takes the orphans. When it ends, the kernel
// kills all that is left.
func first(fd int) (code int) {
	status := os.NewFile(uintptr(fd+1), "status")
	unix.CloseOnExec(fd + 1)
	to := json.NewEncoder(status)
	_ = unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
	signal.Notify(make(chan os.Signal, 1))
	j, err := readJob(fd)
	if err == nil {
		var lent []int
		for i := range j.Policy.lent() {
			lent = append(lent, fd+2+i)
			unix.CloseOnExec(fd + 2 + i)
		}
		if err = j.Policy.enterRoot(lent); err == nil && j.Policy.Local {
			err = j.Policy.openPorts(fd + 2 + len(lent))
		}
		closeAll(lent)
	}
	if err == nil {
		err = j.Policy.apply(true)
	}
	if err != nil {
		_ = to.Encode(news{Failed: err.Error()})
		return exitNotContained
	}
	if err := to.Encode(news{Up: true}); err != nil || j.Probe {
		return exitNotContained // whoever started it is gone
	}
	files := []uintptr{0, 1, 2}
	for n := range j.Files {
		files = append(files, uintptr(firstFile+n))
	}
	closeFrom(firstFile) // the program gets its own again
	pid, err := syscall.ForkExec(j.Path, j.Args, &syscall.ProcAttr{Dir: j.Dir, Env: j.Env, Files: files})
	if err != nil {
		_ = to.Encode(news{Failed: fmt.Sprintf("starting %s: %v", j.Path, err)})
		return exitNotStarted
	}
	closeExcept(fd + 1)
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return exitNotStarted
		case got == pid:
			n := int(ws)
			_ = to.Encode(news{Status: &n})
			return 0
		}
	}
}

// closeFrom lets no descriptor from n on reach the program.
func closeFrom(n int) { _ = unix.CloseRange(uint(n), ^uint(0)>>1, unix.CLOSE_RANGE_CLOEXEC) }

// closeExcept gives up the standard files and those of the program, so that their other ends see its end.
func closeExcept(status int) {
	if null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		for n := range firstFile {
			_ = unix.Dup3(null, n, 0)
		}
		_ = unix.Close(null)
	}
	for n := firstFile; n < status; n++ {
		_ = unix.Close(n)
	}
}

// probed prints what the system can put in force.
func probed(reason string) error {
	r := Report{System: runtime.GOOS, Landlock: landlockVersion(), Seccomp: canFilter(), Namespaces: reason == "", Users: canBecome(),
		Reason: reason}
	return json.NewEncoder(os.Stdout).Encode(r)
}
