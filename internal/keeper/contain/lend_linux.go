package contain

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// owns is the argument of a process that does nothing but own a user namespace.
const owns = "owns"

// CanLend reports whether programs that run as the user uid can use the given folders whoever owns them, see [Policy]. Its error says
// what prevents that, as a sentence.
func CanLend(uid int, folders ...string) error {
	if r := Check(); !r.Namespaces || !r.Users {
		return errors.New("Folders can be lent to another user in namespaces only.") // a sentence for people
	}
	fds, err := Policy{UID: uid, Lend: folders}.lend()
	if err != nil {
		return fmt.Errorf("A folder cannot be lent to another user: %w.", err) // a sentence for people
	}
	closeAll(fds)
	return nil
}

// lent are the folders that need a mount of their own.
func (p Policy) lent() []string {
	if p.UID == 0 {
		return nil
	}
	return slices.Concat(p.Lend, p.LendWrite)
}

// lend makes a mount of each lent folder, as yet nowhere, in which its owner is the policy's user. This process must be root.
func (p Policy) lend() (fds []int, err error) {
	for i, path := range p.lent() {
		attr := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV)
		if i < len(p.Lend) {
			attr |= unix.MOUNT_ATTR_RDONLY
		}
		fd, err := lend(path, p.UID, attr)
		if err != nil {
			closeAll(fds)
			return nil, fmt.Errorf("lending %s: %w", path, err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

func lend(path string, uid int, attr uint64) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return 0, err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		err = shift(fd, st, uid, attr)
	}
	if err != nil {
		_ = unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

// shift gives the files of a mount another owner. Where everyone can read a folder, only those of its files are closed to the policy's
// user that root keeps for itself.
func shift(fd int, st unix.Stat_t, uid int, attr uint64) error {
	owner, group := int(st.Uid), int(st.Gid)
	if st.Mode&0o005 == 0o005 {
		owner, group = 0, 0
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	pid, err := syscall.ForkExec(self, []string{Name, strconv.Itoa(firstFile), owns}, &syscall.ProcAttr{
		Env: []string{}, Files: []uintptr{read.Fd(), 1, 2},
		Sys: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: owner, HostID: uid, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: group, HostID: uid, Size: 1}},
		},
	})
	if err != nil {
		_ = write.Close()
		return err
	}
	defer await(pid)
	defer write.Close()
	users, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "ns", "user"))
	if err != nil {
		return err
	}
	defer users.Close()
	return unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{
		Attr_set: attr | unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(users.Fd()),
	})
}

// waitForEnd waits until the process that started this one has seen its namespace.
func waitForEnd() { _, _ = io.Copy(io.Discard, os.Stdin) }

// showLent shows a lent mount at its path in the new root.
func showLent(path string, fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	at, err := locate(path)
	if err != nil {
		return err
	}
	_, err = os.Lstat(at) // in a folder that is shown already
	if errors.Is(err, os.ErrNotExist) {
		err = makePlace(at, st.Mode&unix.S_IFMT == unix.S_IFDIR)
	}
	if err != nil {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("showing %s: %w", path, err)
	}
	return nil
}

// locate returns where a path leads to in the new root. It follows the symbolic links that other parts of the policy have put there, and
// makes missing folders on the way.
func locate(path string) (string, error) {
	at, rest := "", components(path)
	for links := 0; len(rest) > 0; {
		next := at + "/" + rest[0]
		rest = rest[1:]
		st, err := os.Lstat(newRoot + next)
		switch {
		case errors.Is(err, os.ErrNotExist) && len(rest) > 0:
			err = os.Mkdir(newRoot+next, 0o755)
		case errors.Is(err, os.ErrNotExist):
			err = nil
		case err == nil && st.Mode()&os.ModeSymlink != 0:
			if links++; links > mostLinks {
				return "", fmt.Errorf("%s: %w", path, unix.ELOOP)
			}
			target, err := os.Readlink(newRoot + next)
			if err != nil {
				return "", err
			}
			if !filepath.IsAbs(target) {
				target = filepath.Join("/", at, target)
			}
			at, rest = "", append(components(target), rest...)
			continue
		}
		if err != nil {
			return "", err
		}
		at = next
	}
	return newRoot + at, nil
}

func components(path string) []string {
	return strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
}

// makePlace makes what something is mounted on.
func makePlace(at string, dir bool) error {
	if dir {
		return os.Mkdir(at, 0o755)
	}
	f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	return f.Close()
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
