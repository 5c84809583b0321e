package contain

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	privateTmp = "/tmp"
	oldRoot    = "/old"
	newRoot    = "/new"
)

// enterRoot gives this process a file system that holds only what the policy names, under the same paths. It must be alone in its mount and
// process namespaces, and have all capabilities in its user namespace. lent are the mounts of the lent folders.
func (p Policy) enterRoot(lent []int) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	// The first pivot shows the old root in a folder of a new file system, also what the new one covers.
	if err := unix.Mount("tmpfs", privateTmp, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=16m"); err != nil {
		return fmt.Errorf("mounting a new root: %w", err)
	}
	if err := os.Mkdir(privateTmp+oldRoot, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(privateTmp, privateTmp+oldRoot); err != nil {
		return fmt.Errorf("changing the root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := p.fill(lent); err != nil {
		return err
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("changing the root again: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leaving the old root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, "")
}

// What the file systems in memory may hold, of the machine's memory. Apps have TMPDIR on a disk; shared memory is what pools of
// processes need.
const (
	tmpSize    = "10%"
	sharedSize = "50%"
)

// fill makes what the new root holds.
func (p Policy) fill(lent []int) error {
	for _, dir := range []string{newRoot, newRoot + "/proc", newRoot + "/dev"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(newRoot, newRoot, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the new root: %w", err)
	}
	if err := unix.Mount("proc", newRoot+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for dir, size := range map[string]string{privateTmp: tmpSize, sharedMemory: sharedSize} {
		if err := os.MkdirAll(newRoot+dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", newRoot+dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=1777,nr_inodes=100k,size="+size); err != nil {
			return fmt.Errorf("mounting %s: %w", dir, err)
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, newRoot+"/dev/"+name); err != nil {
			return err
		}
	}
	if err := p.nameUser(); err != nil {
		return err
	}
	read, write := slices.Concat(systemFiles, p.Read), slices.Concat(plainDevices, oldGPUDevices(), p.Write)
	if p.UID == 0 {
		read, write = append(read, p.Lend...), append(write, p.LendWrite...)
	}
	for _, path := range read {
		if p.UID != 0 && (path == passwdFile || path == groupFile) {
			continue
		}
		if err := place(path, true, 0); err != nil {
			return err
		}
	}
	for _, path := range write {
		if err := place(path, false, 0); err != nil {
			return err
		}
	}
	for i, fd := range lent {
		if err := showLent(p.lent()[i], fd); err != nil {
			return err
		}
	}
	return nil
}

const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
)

// nameUser gives the policy's user a name: some libraries fail where theirs has none.
func (p Policy) nameUser() error {
	if p.UID == 0 {
		return nil
	}
	if err := os.Mkdir(newRoot+"/etc", 0o755); err != nil {
		return err
	}
	for path, line := range map[string]string{passwdFile: fmt.Sprintf("app:x:%d:%d::/tmp:/bin/sh\n", p.UID, p.UID),
		groupFile: fmt.Sprintf("app:x:%d:\n", p.UID)} {
		text, err := os.ReadFile(oldRoot + path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if len(text) > 0 && text[len(text)-1] != '\n' {
			text = append(text, '\n')
		}
		if err := os.WriteFile(newRoot+path, append(text, line...), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// oldGPUDevices lists them while the old root is elsewhere.
func oldGPUDevices() []string {
	var out []string
	for _, path := range gpuDevicesIn(oldRoot) {
		out = append(out, strings.TrimPrefix(path, oldRoot))
	}
	return out
}

// mostLinks is how many symbolic links a path may pass.
const mostLinks = 40

// place shows a file or folder of the old root at the same path of the new one, with the symbolic links on its way. What does not exist is
// left out.
func place(path string, readOnly bool, links int) error {
	if links > mostLinks {
		return fmt.Errorf("%s: %w", path, unix.ELOOP)
	}
	parts := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	at := ""
	for i, part := range parts {
		next := at + "/" + part
		st, err := os.Lstat(oldRoot + next)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
			return nil
		case err != nil:
			return err
		case st.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(oldRoot + next)
			if err != nil {
				return err
			}
			if err := os.Symlink(target, newRoot+next); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join("/", at, target)
			}
			return place(filepath.Join(append([]string{target}, parts[i+1:]...)...), readOnly, links+1)
		case i < len(parts)-1:
			if err := os.Mkdir(newRoot+next, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return err
			}
		default:
			return bind(next, st, readOnly)
		}
		at = next
	}
	return nil
}

// bind shows one file or folder.
func bind(path string, old fs.FileInfo, readOnly bool) error {
	if there, err := os.Lstat(newRoot + path); err == nil && readOnly && os.SameFile(there, old) {
		return nil // it is in a folder that is shown already
	}
	if err := makePlace(newRoot+path, old.IsDir()); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := unix.Mount(oldRoot+path, newRoot+path, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("showing %s: %w", path, err)
	}
	if readOnly { // Landlock forbids writing too, so a kernel that cannot do this takes nothing away
		_ = unix.MountSetattr(unix.AT_FDCWD, newRoot+path, unix.AT_RECURSIVE,
			&unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID})
	}
	return nil
}
