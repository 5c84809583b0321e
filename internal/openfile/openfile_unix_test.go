//go:build unix

package openfile

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	t.Chdir(t.TempDir()) // a socket's path is short
	if err := os.WriteFile("file", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo("fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", "socket")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for name, to := range map[string]string{"link": "file", "out": "/etc/passwd", "tty": "/dev/zero", "loop": "loop"} {
		if err := os.Symlink(to, name); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(".")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, words := range map[string]string{"fifo": "a FIFO", "socket": "a socket", "link": "a symbolic link", "out": "a symbolic link", "tty": "a symbolic link", "loop": "a symbolic link", ".": "a directory"} {
		for _, open := range []func(string) (*os.File, error){Regular, func(n string) (*os.File, error) { return In(root, n) }} {
			f, err := open(name) // returns at once
			if f != nil || !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if _, err := Regular("/dev/zero"); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a device: %v", err)
	}
	f, err := In(root, filepath.Join(".", "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); string(text) != "x" || err != nil {
		t.Errorf("the file has %q, %v", text, err)
	}
}
