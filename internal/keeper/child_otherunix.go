//go:build unix && !linux

package keeper

import (
	"syscall"

	"golang.org/x/sys/unix"
)

func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killRest(group int) { _ = unix.Kill(-group, unix.SIGKILL) }
