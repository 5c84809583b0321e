package apphost

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Bounds of counting: an entry takes at least this many bytes of a disk, and folders are not nested more deeply by apps that mean well.
const (
	leastEntry  = 4096
	mostNested  = 256
	namesAtOnce = 512
)

// errFull ends the counting of a room that is over its limit.
var errFull = errors.New("over the limit")

// Size returns how many bytes of disk the room's folders take. It stops counting when that is more than limit. Nothing that the app does
// meanwhile leads it out of the room or keeps it from counting.
func (r *Room) Size(limit int64) int64 {
	c := counter{limit: limit}
	for _, dir := range r.folders() {
		root, err := os.OpenRoot(dir)
		if errors.Is(err, fs.ErrPermission) { // the app has closed it
			_ = os.Chmod(dir, 0o700)
			root, err = os.OpenRoot(dir)
		}
		if errors.Is(err, fs.ErrPermission) {
			return limit + 1
		}
		if err != nil {
			continue // it is not there yet, or no longer
		}
		err = c.count(root, 0)
		_ = root.Close()
		if err != nil {
			return max(c.sum, limit+1)
		}
	}
	return c.sum
}

// Empty removes all that is in the room's folders, which stay: warm processes have them in their file system.
func (r *Room) Empty() {
	for _, dir := range r.folders() {
		_ = os.Chmod(dir, 0o700)
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}

type counter struct{ sum, limit int64 }

func (c *counter) count(root *os.Root, depth int) error {
	if depth > mostNested {
		return errFull
	}
	dir, err := root.Open(".")
	if errors.Is(err, fs.ErrPermission) {
		return errFull
	}
	if err != nil {
		return nil // it was removed
	}
	defer dir.Close()
	if info, err := dir.Stat(); err == nil && info.Mode().Perm()&0o700 != 0o700 {
		_ = dir.Chmod(info.Mode().Perm() | 0o700)
	}
	for {
		entries, err := dir.ReadDir(namesAtOnce)
		for _, e := range entries {
			if err := c.add(root, e, depth); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || err != nil && len(entries) == 0 {
			return nil
		}
	}
}

func (c *counter) add(root *os.Root, e fs.DirEntry, depth int) error {
	info, err := root.Lstat(e.Name())
	if errors.Is(err, fs.ErrPermission) {
		return errFull
	}
	if err != nil {
		return nil // it was removed
	}
	if c.sum += max(diskSize(info), leastEntry); c.sum > c.limit {
		return errFull
	}
	if !info.IsDir() {
		return nil
	}
	sub, err := root.OpenRoot(e.Name())
	if errors.Is(err, fs.ErrPermission) { // the app has closed it
		_ = root.Chmod(e.Name(), 0o700)
		if sub, err = root.OpenRoot(e.Name()); errors.Is(err, fs.ErrPermission) {
			return errFull
		}
	}
	if err != nil {
		return nil // it was removed, or another file is there now
	}
	defer sub.Close()
	return c.count(sub, depth+1)
}
