//go:build unix

package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// private checks that nobody but the owner can write a file.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	name := filepath.Base(f.Name())
	if info.Mode().Perm()&0o022 != 0 {
		return &Broken{Rule: RuleMode, Why: fmt.Sprintf("%s can be written by others (mode %04o)", name, info.Mode().Perm())}
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		return &Broken{Rule: RuleMode, Why: name + " belongs to another user"}
	}
	return nil
}
