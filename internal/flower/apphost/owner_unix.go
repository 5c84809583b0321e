//go:build unix

package apphost

import (
	"io/fs"
	"os"
	"syscall"
)

// give makes a folder, with all that is in it, the property of a user. It does nothing where the folder is that user's already: whose
// processes may be changing it then. Links are given as such and lead nowhere else.
func give(dir string, uid int) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) == uid {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		return root.Lchown(path, uid, uid)
	})
	if err != nil {
		return err
	}
	return root.Lchown(".", uid, uid)
}

// showToAll lets other users read a folder with all that is in it, and execute what is a program.
func showToAll(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := info.Mode().Perm() | 0o044
		if mode&0o100 != 0 {
			mode |= 0o011
		}
		if mode == info.Mode().Perm() {
			return nil
		}
		return root.Chmod(path, mode)
	})
}

// shownToAll reports whether other users can read a folder.
func shownToAll(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode().Perm()&0o005 == 0o005
}
