package contain

import (
	"fmt"
	"os"
	"slices"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// apply puts the floor in force for this thread and what it starts. The caller holds its thread. own says that the process has namespaces.
func (p Policy) apply(own bool) error {
	if err := p.limit(own || p.UID != 0); err != nil {
		return err
	}
	dropBounding()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("setting no_new_privs: %w", err)
	}
	if err := p.landlock(own); err != nil {
		return fmt.Errorf("applying Landlock: %w", err)
	}
	if err := p.becomeUser(); err != nil { // only now: Landlock's rules are made of paths that this user may not be able to reach
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	if own { // this process stays beside the program, which must not reach it; the filter forbids this call
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
	return filterCalls(p.UDP, own)
}

// mostProcesses bounds the processes and threads of a contained program. It is counted per user and user namespace, so a program that has
// neither of its own would share it with the user's other processes.
const mostProcesses = 8192

// noCore is the limit of core files. With 1 byte there is none, also where the system pipes them into a program of root's, which a limit of
// 0
// permits: that one would handle an app's memory outside of the sandbox. The filter forbids to change it.
const noCore = 1

// firstToEnd is how much more likely the kernel is to end an app; 1000 is the most.
const firstToEnd = "800"

func (p Policy) limit(processes bool) error {
	// When the machine has no memory left, the kernel ends apps before the processes that serve them.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte(firstToEnd), 0)
	if p.FileSize > 0 {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(p.FileSize), Max: uint64(p.FileSize)}); err != nil {
			return fmt.Errorf("limiting the size of files: %w", err)
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: noCore, Max: noCore}); err != nil {
		return fmt.Errorf("limiting core files: %w", err)
	}
	if !processes {
		return nil
	}
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &l); err != nil {
		return err
	}
	l.Cur, l.Max = min(l.Cur, mostProcesses), min(l.Max, mostProcesses)
	return unix.Setrlimit(unix.RLIMIT_NPROC, &l)
}

// dropBounding empties the bounding set, of which processes of root would get all capabilities at the next exec.
func dropBounding() {
	for c := uintptr(0); ; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			break // there are no more; or this is an ordinary user, whose bounding set gives it nothing
		}
	}
}

// dropCapabilities leaves this thread, and what it starts, none.
func dropCapabilities() error {
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&head, &none[0]); err != nil {
		return fmt.Errorf("dropping capabilities: %w", err)
	}
	return nil
}

// landlock restricts files, TCP, signals and abstract sockets, as far as the kernel can.
func (p Policy) landlock(own bool) error {
	abi, err := ll.LandlockGetABIVersion()
	if err != nil || abi == 0 {
		return nil //nolint:nilerr // Check says that it is missing
	}
	writable := append(slices.Concat(p.Write, p.LendWrite), sharedMemory)
	if own {
		writable = append(writable, privateTmp)
	}
	var rules []landlock.Rule
	for _, path := range slices.Concat([]string{"/proc"}, systemFiles, p.Read, p.Lend) {
		switch st, err := os.Stat(path); {
		case err != nil:
		case st.IsDir():
			rules = append(rules, landlock.RODirs(path))
		default:
			rules = append(rules, landlock.ROFiles(path))
		}
	}
	for _, path := range writable {
		rule := landlock.RWDirs(path).IgnoreIfMissing()
		if abi >= 2 {
			rule = rule.WithRefer()
		}
		rules = append(rules, rule)
	}
	rules = append(rules, landlock.RWFiles(plainDevices...).IgnoreIfMissing())
	for _, path := range gpuDevices() {
		rule := landlock.RWFiles(path)
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			rule = landlock.RWDirs(path)
		}
		rules = append(rules, rule.WithIoctlDev().IgnoreIfMissing())
	}
	for _, port := range p.Connect {
		rules = append(rules, landlock.ConnectTCP(uint16(port)))
	}
	return landlock.V9.BestEffort().Restrict(rules...)
}
