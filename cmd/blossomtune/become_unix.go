//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ownProgram returns the path of this program, with links resolved; "" where it cannot be found. An update replaces that file.
func ownProgram() string {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return ""
	}
	return self
}

// become runs another program in this process, so that a service manager keeps supervising it. It returns only if that fails.
func become(program string, args []string) error {
	return fmt.Errorf("starting %s: %w", program, syscall.Exec(program, append([]string{program}, args...), os.Environ()))
}
