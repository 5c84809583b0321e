package keeper

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

func signalName(s syscall.Signal) string { return s.String() }

// Windows has no signal that a whole group could catch, so both end the process at once.

func terminate(pid int) { kill(pid) }

func kill(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func killRest(int) {}

// KillStrays does nothing on Windows.
func KillStrays(string, string) int { return 0 }
