package contain

import (
	"fmt"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// forbidden are system calls that no app needs and that reach beyond it: other processes' memory, mounts, namespaces, keys, the kernel.
var forbidden = []string{
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp", "pidfd_getfd",
	"keyctl", "add_key", "request_key",
	"mount", "umount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount", "open_tree",
	"open_tree_attr", "mount_setattr",
	"unshare", "setns", "personality",
	"bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"open_by_handle_at", "name_to_handle_at", "fanotify_init", "fanotify_mark",
	"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module", "reboot", "swapon", "swapoff", "acct",
	"quotactl", "quotactl_fd", "syslog", "iopl", "ioperm", "vhangup", "nfsservctl", "lookup_dcookie", "uselib", "_sysctl", "sysfs", "ustat",
	"settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "vm86", "vm86old", "modify_ldt",
	"mknod", "move_pages", "migrate_pages",
}

// shared are the calls for memory and queues that all processes of a user have in common. Programs with an IPC namespace may use them.
var shared = []string{"shmget", "shmat", "shmctl", "semget", "semop", "semctl", "semtimedop", "msgget", "msgsnd", "msgrcv", "msgctl",
	"mq_open", "mq_unlink"}

// test is a condition on the low 32 bits of an argument: what the kernel takes of an int, whatever stands in the upper half.
type test struct {
	arg  int
	mask uint32 // 0: all bits
	vals []uint32
	not  bool // none of vals; else one of them
	high bool // of the upper half, for pointers
}

func is(arg int, vals ...uint32) test    { return test{arg: arg, vals: vals} }
func isNot(arg int, vals ...uint32) test { return test{arg: arg, vals: vals, not: true} }

// has is true when any of the bits is set.
func has(arg int, bits uint32) test { return test{arg: arg, mask: bits, vals: []uint32{0}, not: true} }

// rule refuses a system call when all tests are true.
type rule struct {
	call  string
	errno unix.Errno
	tests []test
}

const (
	newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER | unix.CLONE_NEWPID |
		unix.CLONE_NEWNET
	socketFlags = unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK
	msgFastOpen = 0x20000000
	prioUser    = 2 // PRIO_USER of setpriority
	ioprioUser  = 3 // IOPRIO_WHO_USER of ioprio_set
)

// rules returns the filter of a policy.
func rules(udp, ownIPC bool) []rule {
	var out []rule
	for _, call := range forbidden {
		out = append(out, rule{call: call})
	}
	if !ownIPC {
		for _, call := range shared {
			out = append(out, rule{call: call})
		}
	}
	inet := is(0, unix.AF_INET, unix.AF_INET6)
	kind := func(not bool, kinds ...uint32) test {
		return test{arg: 1, mask: ^uint32(socketFlags), vals: kinds, not: not}
	}
	out = append(out,
		// The flags of clone3 are in memory, where a filter cannot read them. Without it the C library uses clone.
		rule{call: "clone3", errno: unix.ENOSYS},
		rule{call: "clone", tests: []test{has(0, newNamespaces)}},
		// Landlock knows TCP only: no other protocol on IP, no other family that carries it, no connection without connect().
		rule{call: "socket", errno: unix.EAFNOSUPPORT, tests: []test{isNot(0, unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK)}},
		rule{call: "socket", errno: unix.EPROTONOSUPPORT, tests: []test{inet, kind(true, unix.SOCK_STREAM, unix.SOCK_DGRAM)}},
		rule{call: "socket", errno: unix.EPROTONOSUPPORT, tests: []test{inet, isNot(2, 0, unix.IPPROTO_TCP, unix.IPPROTO_UDP)}},
		// Other protocols of netlink show all connections of the machine, or change its settings; name resolution needs the first.
		rule{call: "socket", errno: unix.EPROTONOSUPPORT, tests: []test{is(0, unix.AF_NETLINK), isNot(2, unix.NETLINK_ROUTE)}},
		rule{call: "sendto", tests: []test{has(3, msgFastOpen)}},
		rule{call: "sendmsg", tests: []test{has(2, msgFastOpen)}},
		rule{call: "sendmmsg", tests: []test{has(3, msgFastOpen)}},
		rule{call: "setsockopt", tests: []test{is(1, unix.IPPROTO_TCP), is(2, unix.TCP_ULP)}},
		// What reaches other processes of the same user without a signal.
		rule{call: "prlimit64", tests: []test{isNot(0, 0)}},
		rule{call: "prlimit64", tests: []test{is(1, unix.RLIMIT_CORE), has(2, ^uint32(0))}},
		rule{call: "prlimit64", tests: []test{is(1, unix.RLIMIT_CORE), {arg: 2, vals: []uint32{0}, not: true, high: true}}},
		rule{call: "setrlimit", tests: []test{is(0, unix.RLIMIT_CORE)}},
		// The files and the memory of a process that nobody may inspect could not be counted.
		rule{call: "prctl", tests: []test{is(0, unix.PR_SET_DUMPABLE), is(1, 0)}},
		rule{call: "setpriority", tests: []test{is(0, prioUser)}},
		rule{call: "ioprio_set", tests: []test{is(0, ioprioUser)}},
		rule{call: "mknodat", tests: []test{{arg: 2, mask: unix.S_IFMT, vals: []uint32{unix.S_IFCHR, unix.S_IFBLK}}}},
		rule{call: "ioctl", tests: []test{is(1, unix.TIOCSTI, 0x541C /* TIOCLINUX */)}},
	)
	if !udp {
		out = append(out, rule{call: "socket", errno: unix.EACCES, tests: []test{inet, kind(false, unix.SOCK_DGRAM)}})
	}
	return out
}

// Offsets in struct seccomp_data.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// filter assembles the rules. It is not left to the library whose tables it uses: that one lets calls of other architectures through
// where most calls are allowed, and compares all 64 bits of an argument.
func filter(info *arch.Info, rules []rule) ([]bpf.Instruction, error) {
	deny := func(e unix.Errno) bpf.Instruction { return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(e)} }
	prog := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		deny(unix.ENOSYS),
	}
	if info.ID == arch.X86_64.ID { // the x32 ABI
		prog = append(prog, bpf.LoadAbsolute{Off: offNumber, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpLessThan, Val: uint32(arch.X32.SeccompMask), SkipTrue: 1}, deny(unix.ENOSYS))
	}
	for _, r := range rules {
		number, known := info.SyscallNames[r.call]
		if !known {
			continue // not on this architecture
		}
		errno := r.errno
		if errno == 0 {
			errno = unix.EPERM
		}
		block := []bpf.Instruction{deny(errno)}
		for i := len(r.tests) - 1; i >= 0; i-- {
			block = append(r.tests[i].code(len(block)), block...)
		}
		if len(block) > 255 {
			return nil, fmt.Errorf("the rule for %s is too long", r.call)
		}
		prog = append(prog, bpf.LoadAbsolute{Off: offNumber, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(number), SkipFalse: uint8(len(block))})
		prog = append(prog, block...)
	}
	return append(prog, bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}), nil
}

// code continues when the test is true, and otherwise skips the rest of its block.
func (t test) code(rest int) []bpf.Instruction {
	off := uint32(offArgs + 8*t.arg)
	if bigEndian != t.high {
		off += 4
	}
	out := []bpf.Instruction{bpf.LoadAbsolute{Off: off, Size: 4}}
	if t.mask != 0 {
		out = append(out, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: t.mask})
	}
	for i, v := range t.vals {
		after := len(t.vals) - 1 - i // further comparisons of this test
		switch {
		case t.not: // equal to one: false
			out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(after + rest)})
		case after > 0: // equal to one: true
			out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(after)})
		default:
			out = append(out, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipFalse: uint8(rest)})
		}
	}
	return out
}

var bigEndian = func() bool {
	one := uint16(1)
	return *(*byte)(unsafe.Pointer(&one)) == 0
}()

// filterCalls puts the filter in force for this thread and what it starts. no_new_privs must be set.
func filterCalls(udp, ownIPC bool) error {
	info, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	prog, err := filter(info, rules(udp, ownIPC))
	if err != nil {
		return err
	}
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return fmt.Errorf("assembling the filter of system calls: %w", err)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, in := range raw {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog))); e != 0 {
		return fmt.Errorf("filtering system calls: %w", e)
	}
	return nil
}
