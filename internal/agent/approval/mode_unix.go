//go:build unix

package approval

import (
	"os"
	"path/filepath"
	"syscall"
)

// private checks that nobody but the owner, or root, can write a file.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	name := filepath.Base(f.Name())
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return refuse(RuleMode, "%s can be written by others (mode %04o); chmod go-w corrects it", name, mode)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return refuse(RuleMode, "%s belongs to another user", name)
	}
	return nil
}
