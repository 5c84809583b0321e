package openfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Bounds of opening up: folders are not nested more deeply by programs that mean well.
const (
	mostNested  = 512
	namesAtOnce = 512
)

// usable is what the owner of a folder needs to list and to empty it.
const usable fs.FileMode = 0o700

// RemoveAll removes a folder and all that is in it, as [os.RemoveAll] does, also where the program that wrote it took the owner's
// permissions from folders there or from the parent. Links are removed and never followed; only the parent may be a path with links. The
// program must have ended.
func RemoveAll(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	openUp(dir)
	return os.RemoveAll(dir)
}

// openUp gives the owner of a folder the permissions to remove it and all folders in it. What cannot be changed is left as it is.
func openUp(dir string) {
	parent := filepath.Dir(dir)
	if info, err := os.Stat(parent); err == nil && info.IsDir() && info.Mode().Perm()&usable != usable {
		_ = os.Chmod(parent, info.Mode().Perm()|usable)
	}
	root, err := os.OpenRoot(parent)
	if err != nil {
		return
	}
	defer root.Close()
	openUpIn(root, filepath.Base(dir), 0)
}

func openUpIn(root *os.Root, name string, depth int) {
	info, err := root.Lstat(name)
	if err != nil || !info.IsDir() || depth > mostNested {
		return
	}
	if perm := info.Mode().Perm(); perm&usable != usable {
		_ = root.Chmod(name, perm|usable)
	}
	sub, err := root.OpenRoot(name)
	if err != nil {
		return
	}
	defer sub.Close()
	dir, err := sub.Open(".")
	if err != nil {
		return
	}
	defer dir.Close()
	for {
		entries, err := dir.ReadDir(namesAtOnce)
		for _, e := range entries {
			if e.IsDir() {
				openUpIn(sub, e.Name(), depth+1)
			}
		}
		if errors.Is(err, io.EOF) || err != nil && len(entries) == 0 {
			return
		}
	}
}
