// Package openfile opens and removes files that another program made, an app for one. Opening a FIFO or a device would block for ever, and
// a link may lead elsewhere; here only regular files are opened, and never with waiting.
package openfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrNotRegular is in the chain of errors about anything but a regular file.
var ErrNotRegular = errors.New("not a regular file")

// Regular opens the regular file at a path for reading. A link at the path's end is not followed.
func Regular(path string) (*os.File, error) {
	return regular(path, os.Lstat, os.OpenFile)
}

// In opens a regular file below root for reading; no path leads out of root.
func In(root *os.Root, path string) (*os.File, error) {
	return regular(path, root.Lstat, root.OpenFile)
}

func regular(path string, stat func(string) (fs.FileInfo, error), open func(string, int, fs.FileMode) (*os.File, error)) (*os.File, error) {
	before, err := stat(path)
	if err != nil {
		return nil, err
	}
	if !before.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s: %w", path, Kind(before.Mode()), ErrNotRegular)
	}
	f, err := open(path, os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return nil, err
	}
	after, err := f.Stat()
	if err == nil && !os.SameFile(before, after) { // exchanged meanwhile, perhaps by a link to another one
		err = fmt.Errorf("%s was replaced while it was opened: %w", path, ErrNotRegular)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Kind says what a directory entry is, for people: "a file", "a FIFO".
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "a special file"
}
