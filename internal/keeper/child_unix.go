//go:build unix

package keeper

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return s.String()
}

// A negative pid is the process group, whose id is its leader's.

func terminate(pid int) { signalGroup(pid, unix.SIGTERM) }
func kill(pid int)      { signalGroup(pid, unix.SIGKILL) }

func signalGroup(pid int, s unix.Signal) {
	if pid > 1 {
		_ = unix.Kill(-pid, s)
	}
}
