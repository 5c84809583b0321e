package keeper

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func childAttr(dieWithParent bool) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if dieWithParent {
		attr.Pdeathsig = unix.SIGKILL
	}
	return attr
}

// killRest kills what is left of a group whose leader has ended. The kernel gives the id to no new process while the group
// has members; when it has none, a new group may bear it, which is why the members' session is checked: they are in ours.
func killRest(group int) {
	own, err := unix.Getsid(0)
	if err != nil {
		return
	}
	for _, pid := range pids() {
		if f := statFields(pid); f != nil && f[2] == strconv.Itoa(group) && f[3] == strconv.Itoa(own) && pid != group {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func pids() []int {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	var out []int
	for _, n := range names {
		if pid, err := strconv.Atoi(n); err == nil {
			out = append(out, pid)
		}
	}
	return out
}
