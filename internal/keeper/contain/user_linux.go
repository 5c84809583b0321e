package contain

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// needed are the capabilities with which root can run programs as another user and still end them and read what they wrote.
var needed = []uint{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID}

// canBecome reports whether this process can run programs as other users.
func canBecome() bool {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var has [2]unix.CapUserData
	if os.Geteuid() != 0 || unix.Capget(&head, &has[0]) != nil {
		return false
	}
	return !slices.ContainsFunc(needed, func(c uint) bool { return has[c/32].Effective&(1<<(c%32)) == 0 })
}

// CanRunAs reports whether programs can run in a sandbox as the user uid and reach the given paths. Its error says what prevents that, as
// a sentence.
func CanRunAs(uid int, paths ...string) error {
	r := Check()
	if !r.Users {
		return errors.New("This process does not run as root, or lacks root's capabilities.") // a sentence for people
	}
	for _, file := range []string{"/proc/self/uid_map", "/proc/self/gid_map"} {
		if text, err := os.ReadFile(file); err == nil && !mapped(string(text), uid) {
			return fmt.Errorf("User ID %d does not exist in this container.", uid) // a sentence for people
		}
	}
	if r.Namespaces { // the program's file system has its own folders on the way
		return nil
	}
	for _, path := range paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			continue // what does not exist is not read
		}
		for _, p := range []string{path, real} {
			if dir := closed(uid, p); dir != "" {
				return fmt.Errorf("Other users cannot enter the directory %s.", dir) // a sentence for people
			}
		}
	}
	return nil
}

// mapped reports whether a user namespace's map has the id.
func mapped(text string, id int) bool {
	for line := range strings.Lines(text) {
		var first, outside, n int
		if _, err := fmt.Sscan(line, &first, &outside, &n); err == nil && id >= first && id < first+n {
			return true
		}
	}
	return false
}

// closed returns the first directory on the way to a path that the user cannot enter.
func closed(uid int, path string) string {
	path = filepath.Clean(path)
	for i := range len(path) {
		if path[i] != '/' || i == 0 {
			continue
		}
		st, err := os.Stat(path[:i])
		if err != nil || st.Mode().Perm()&0o001 != 0 {
			continue
		}
		if s, ok := st.Sys().(*syscall.Stat_t); !ok || int(s.Uid) != uid || st.Mode().Perm()&0o100 == 0 {
			return path[:i]
		}
	}
	return ""
}

// prepareUser gives the policy's user this process's pipes, which programs open again by names like /dev/stdout, sets the usual umask,
// and leaves all groups but those that GPUs belong to.
func (p Policy) prepareUser() error {
	if p.UID == 0 {
		return nil
	}
	for fd := range firstFile {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
			_ = unix.Fchown(fd, p.UID, p.UID)
		}
	}
	unix.Umask(0o022) // this process's may be stricter
	if err := unix.Setgroups(gpuGroups()); err != nil {
		return fmt.Errorf("leaving this user's groups: %w", err)
	}
	return nil
}

// gpuGroups are the groups without which a GPU that the policy shows cannot be used.
func gpuGroups() []int {
	out := []int{}
	for _, path := range gpuDevices() {
		found := []string{path}
		if inside, err := filepath.Glob(path + "/*"); err == nil {
			found = append(found, inside...)
		}
		for _, device := range found {
			var st unix.Stat_t
			if unix.Stat(device, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Gid == 0 || st.Mode&0o066 != 0o060 {
				continue
			}
			if !slices.Contains(out, int(st.Gid)) {
				out = append(out, int(st.Gid))
			}
		}
	}
	return out
}

// becomeUser makes this process, and what it starts, the policy's user. The kernel forgets the parent-death signal then.
func (p Policy) becomeUser() error {
	if p.UID == 0 {
		return nil
	}
	var signal int32
	parent := os.Getppid()
	_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_PDEATHSIG, uintptr(unsafe.Pointer(&signal)), 0)
	if err := unix.Setresgid(p.UID, p.UID, p.UID); err != nil {
		return fmt.Errorf("taking the group %d: %w", p.UID, err)
	}
	if err := unix.Setresuid(p.UID, p.UID, p.UID); err != nil {
		return fmt.Errorf("becoming the user %d: %w", p.UID, err)
	}
	if signal == 0 {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(signal), 0, 0, 0); err != nil {
		return err
	}
	if os.Getppid() != parent {
		return errors.New("the parent process has ended")
	}
	return nil
}
