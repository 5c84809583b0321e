"""Tries to get out of a sandbox in many ways. Prints JSON: each way, and whether it led out ("out") or what stopped it.

Usage: escapes.py VICTIM, what victim.py printed. The working directory can be written to; READABLE can be read.
"""

import ctypes
import json
import os
import platform
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
V = json.loads(sys.argv[1])
SECRET = b"the-secret-of-the-victim"
FOLDER, PID = Path(V["folder"]), V["pid"]
READABLE = Path(os.environ["READABLE"])
X86 = platform.machine() == "x86_64"
WAYS: dict[str, Callable[[], object]] = {}


class StoppedError(Exception):
    """The way did not lead out."""


def way(f: Callable[[], object]) -> Callable[[], object]:
    """Add a way out."""
    WAYS[f.__name__] = f
    return f


def call(number: int, *args: object) -> int:
    """Make a system call."""
    result = LIBC.syscall(number, *args)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def secret(text: bytes) -> None:
    """Check that this is the victim's."""
    if SECRET not in text:
        raise StoppedError(repr(text[:40]))


def nr(x86: int, arm: int) -> int:
    """Return the number of a system call."""
    return x86 if X86 else arm


@way
def read_a_file() -> None:
    secret((FOLDER / "secret").read_bytes())


@way
def change_a_file() -> None:
    with (FOLDER / "changed").open("ab") as f:
        f.write(b"x")


@way
def make_a_file() -> None:
    (FOLDER / "made").write_bytes(b"x")


@way
def make_a_folder() -> None:
    (FOLDER / "made_folder").mkdir()


@way
def remove_a_file() -> None:
    (FOLDER / "removed").unlink()


@way
def rename_a_file() -> None:
    (FOLDER / "renamed").rename(FOLDER / "renamed_too")


@way
def truncate_a_file() -> None:
    os.truncate(FOLDER / "truncated", 0)


@way
def list_a_folder() -> None:
    os.listdir(FOLDER)


@way
def see_a_file() -> None:
    os.stat(FOLDER / "secret")


@way
def change_a_mode() -> None:
    os.chmod(FOLDER / "moded", 0o666)


@way
def change_a_time() -> None:
    os.utime(FOLDER / "timed", (1, 1))


@way
def follow_a_symbolic_link() -> None:
    Path("link").symlink_to(FOLDER / "secret")
    secret(Path("link").read_bytes())


@way
def make_a_hard_link() -> None:
    os.link(FOLDER / "linked", "hard")
    secret(Path("hard").read_bytes())


@way
def move_a_file_here() -> None:
    Path("mine").write_bytes(b"x")
    os.replace("mine", FOLDER / "moved_in")


@way
def go_up_from_here() -> None:
    up = os.path.join(*[".."] * 30)
    secret(Path(up + str(FOLDER / "secret")).read_bytes())


@way
def write_where_it_reads() -> None:
    (READABLE / "sitecustomize.pth").write_bytes(b"import os")


@way
def write_a_program_of_the_system() -> None:
    probe = Path(os.environ["READABLE"]) / "program"
    with probe.open("ab") as f:
        f.write(b"x")


@way
def environment_of_another() -> None:
    if b"VICTIM_SECRET" not in Path(f"/proc/{PID}/environ").read_bytes():
        raise StoppedError


@way
def memory_of_another_in_proc() -> None:
    with open(f"/proc/{PID}/mem", "rb", buffering=0) as f:
        f.seek(V["address"])
        secret(f.read(len(SECRET)))


@way
def memory_map_of_another() -> None:
    if not Path(f"/proc/{PID}/maps").read_bytes():
        raise StoppedError


@way
def root_of_another() -> None:
    secret(Path(f"/proc/{PID}/root{FOLDER}/secret").read_bytes())


@way
def folder_of_another() -> None:
    secret(Path(f"/proc/{PID}/cwd/secret").read_bytes())


@way
def file_of_another() -> None:
    secret(Path(f"/proc/{PID}/fd/{V['fd']}").read_bytes())


@way
def command_line_of_another() -> None:
    if b"victim" not in Path(f"/proc/{PID}/cmdline").read_bytes():
        raise StoppedError


@way
def signal_another() -> None:
    os.kill(PID, signal.SIGUSR1)


@way
def signal_another_by_a_descriptor() -> None:
    fd = call(434, PID, 0)
    call(424, fd, signal.SIGUSR1, None, 0)


@way
def signal_the_owner_of_a_file() -> None:
    import fcntl

    ours, theirs = socket.socketpair()
    fcntl.fcntl(ours, fcntl.F_SETOWN, PID)
    fcntl.fcntl(ours, 10, signal.SIGUSR2)  # F_SETSIG
    fcntl.fcntl(ours, fcntl.F_SETFL, os.O_ASYNC)
    theirs.send(b"x")
    raise StoppedError("the victim knows")


@way
def take_a_file_of_another() -> None:
    fd = call(434, PID, 0)
    got = call(438, fd, V["fd"], 0)
    secret(os.pread(got, 100, 0))


@way
def trace_another() -> None:
    call(nr(101, 117), 16, PID, None, None)  # PTRACE_ATTACH
    os.waitpid(PID, 0x40000000)
    call(nr(101, 117), 17, PID, None, None)


@way
def read_memory_of_another() -> None:
    class IOVec(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))

    buffer = ctypes.create_string_buffer(len(SECRET))
    ours = IOVec(ctypes.cast(buffer, ctypes.c_void_p), len(SECRET))
    theirs = IOVec(ctypes.c_void_p(V["address"]), len(SECRET))
    call(nr(310, 270), PID, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)
    secret(buffer.raw)


@way
def limit_another() -> None:
    import resource

    resource.prlimit(PID, resource.RLIMIT_CORE, (0, 0))


@way
def place_another() -> None:
    os.sched_setaffinity(PID, os.sched_getaffinity(0))


@way
def connect_to_a_port() -> None:
    socket.create_connection(("127.0.0.1", V["tcp"]), 5).close()


@way
def connect_to_a_port_by_mptcp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as s:
        s.settimeout(5)
        s.connect(("127.0.0.1", V["tcp"]))


@way
def connect_to_a_port_with_the_first_bytes() -> None:
    with socket.socket() as s:
        s.sendto(b"x", 0x20000000, ("127.0.0.1", V["tcp"]))


@way
def connect_to_a_port_in_another_architecture() -> None:
    if not X86:
        return connect_to_a_port()
    # The 32-bit socketcall or connect would not be filtered: a getpid by int 0x80 shows whether such calls pass.
    import mmap

    code = mmap.mmap(-1, 4096, prot=7)
    code.write(b"\xb8\x14\x00\x00\x00\x53\xcd\x80\x5b\xc3")
    entry = ctypes.addressof(ctypes.c_char.from_buffer(code))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, struct.pack("i", ctypes.CFUNCTYPE(ctypes.c_int)(entry)()))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    answer = os.read(read, 4)
    if len(answer) < 4 or struct.unpack("i", answer)[0] < 0:
        raise StoppedError(repr(answer))
    return None


@way
def listen_on_a_port() -> None:
    socket.create_server(("127.0.0.1", 0)).close()


@way
def send_a_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"x", ("127.0.0.1", V["udp"]))


@way
def connections_of_the_machine() -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4).close()  # NETLINK_SOCK_DIAG


@way
def dump_core_into_a_program() -> None:
    import resource

    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    finally:
        if resource.getrlimit(resource.RLIMIT_CORE)[0] == 1:  # noqa: B012
            raise StoppedError


@way
def hide_from_the_counting() -> None:
    child = os.fork()
    if child == 0:
        LIBC.prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
        os._exit(0 if LIBC.prctl(3, 0, 0, 0, 0) == 0 else 1)
    if os.waitpid(child, 0)[1]:
        raise StoppedError


@way
def connect_to_a_socket_with_a_path() -> None:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(FOLDER / "socket"))


@way
def connect_to_a_socket_with_a_name() -> None:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(V["abstract"])


@way
def shared_memory_by_name() -> None:
    secret(Path(V["shared"]).read_bytes())


@way
def shared_memory_by_number() -> None:
    LIBC.shmat.restype = ctypes.c_void_p
    if LIBC.shmat(V["segment"], None, 0) in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), "shmat")


@way
def secret_in_the_environment() -> None:
    if "PARENT_SECRET" not in os.environ:
        raise StoppedError


@way
def new_namespaces() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0 if LIBC.unshare(0x10000000) == 0 else 1)
    if os.waitpid(child, 0)[1]:
        raise StoppedError


@way
def new_namespaces_by_clone3() -> None:
    args = struct.pack("=11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
    pid = LIBC.syscall(435, args, len(args))
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone3")
    os.waitpid(pid, 0)


@way
def new_namespaces_by_clone() -> None:
    pid = LIBC.syscall(nr(56, 220), 0x10000000 | 17, None, None, None, None)
    if pid == 0:
        os._exit(0)
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    os.waitpid(pid, 0)


@way
def more_privileges_than_before() -> None:
    with open("/proc/self/status") as f:
        if "NoNewPrivs:\t0" not in f.read():
            raise StoppedError


ROOT: set[str] = set()


def of_root(f: Callable[[], object]) -> Callable[[], object]:
    """Add a way that only root has."""
    if os.getuid() == 0:
        ROOT.add(f.__name__)
        return way(f)
    return f


@of_root
def file_of_another_user() -> None:
    secret((FOLDER / "of_nobody").read_bytes())


def refused(*call_of: object) -> Callable[[], object]:
    """Make a system call in a wrong way, which the kernel says unless the call is refused before."""

    def attempt() -> None:
        try:
            call(*call_of)
        except OSError as err:
            if err.errno in (1, 38):  # EPERM, ENOSYS
                raise

    return attempt


for name, x86, arm, *args in (
    ("bpf", 321, 280, -1, 0, 0),
    ("perf_event_open", 298, 241, 0, -1, -1, -1, -1),
    ("userfaultfd", 323, 282, -1),
    ("io_uring_setup", 425, 425, 0, 0),
    ("setns", 308, 268, -1, 0),
    ("mount", 165, 40, 0, 0, 0, 0, 0),
    ("open_tree", 428, 428, -1, 0, 0),
    ("fsopen", 430, 430, 0, 0),
    ("open_by_handle_at", 304, 265, -1, 0, 0),
    ("name_to_handle_at", 303, 264, -1, 0, 0, 0, 0),
    ("fanotify_init", 300, 262, -1, 0),
    ("add_key", 248, 217, 0, 0, 0, 0, 0),
    ("kcmp", 312, 272, -1, -1, 0, 0, 0),
    ("process_madvise", 440, 440, -1, 0, 0, 0, -1),
    ("init_module", 175, 105, 0, 0, 0),
    ("acct", 163, 89, 1),
    ("settimeofday", 164, 170, 1, 0),
    ("kexec_load", 246, 104, 0, -1, 0, 0),
    ("reboot", 169, 142, 0, 0, 0, 0),
    ("syslog", 103, 116, 999, 0, 0),
    ("delete_module", 176, 106, 0, 0),
    ("swapon", 167, 224, 0, 0),
    ("type_into_a_terminal", 16, 29, 0, 0x5412, b"x"),
):
    attempt = refused(nr(x86, arm), *args)
    attempt.__name__ = f"call_{name}"
    of_root(attempt)


@of_root
def passwords_of_the_system() -> None:
    Path("/etc/shadow").read_bytes()


@of_root
def become_another_user() -> None:
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise StoppedError


@of_root
def settings_of_the_kernel() -> None:
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


@of_root
def change_the_root() -> None:
    child = os.fork()
    if child == 0:
        try:
            os.chroot(".")
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise StoppedError


def main() -> None:
    """Try them all."""
    told = {}
    for name, f in WAYS.items():
        try:
            f()
            told[name] = "out"
        except Exception as err:  # noqa: BLE001
            told[name] = f"{type(err).__name__}: {err}"
    json.dump(told, sys.stdout)


main()
