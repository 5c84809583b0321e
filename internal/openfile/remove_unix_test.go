//go:build unix

package openfile_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"blossomtune/internal/openfile"
)

const nobody = 65534

// Folders that a program has closed do not keep what is in them, and nothing outside is touched. Root may remove anything, so where this is
// root, the test runs as an ordinary user.
func TestClosedFoldersAreRemoved(t *testing.T) {
	if os.Getuid() == 0 {
		asNobody(t)
		return
	}
	dir := t.TempDir()
	outside, work := filepath.Join(dir, "outside"), filepath.Join(dir, "run", "work")
	closed := filepath.Join(work, "open", "closed")
	for _, path := range []string{outside, closed, filepath.Join(work, "none", "deep")} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(path, "file"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(work, "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{closed, outside, filepath.Join(work, "none", "deep"), work, filepath.Dir(work)} {
		mode := fs.FileMode(0o555)
		if path == work {
			mode = 0
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if path == filepath.Join(work, "none", "deep") {
			if err := os.Chmod(filepath.Dir(path), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() { _ = os.Chmod(outside, 0o700) })
	if err := openfile.RemoveAll(work); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(work); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o555 {
		t.Errorf("the folder that a link led to: %v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(outside, "file")); err != nil {
		t.Error(err)
	}
}

// asNobody runs the test that is running as an ordinary user.
func asNobody(t *testing.T) {
	dir, err := os.MkdirTemp("", "remove-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/self/exe"); err == nil { // it opens where others may not go into the folder of the test
		test = "/proc/self/exe"
	}
	cmd := exec.CommandContext(t.Context(), test, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as an ordinary user: %v\n%s", err, out)
	}
}
