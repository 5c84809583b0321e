//go:build unix

package git

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the command and whatever it starts end together when its context does.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
