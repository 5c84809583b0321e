"""Ways out of a sandbox. Each returns normally when it led out."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)


def connect(family: int, address: object) -> None:
    """Connect to a socket."""
    with socket.socket(family) as s:
        s.settimeout(5)
        s.connect(address)


def write(path: Path) -> None:
    """Make a file. The test looks whether it is really there: a sandbox may have a folder of the same name."""
    path.write_bytes(b"x")


def listed(path: str, name: str) -> None:
    """List a folder that is known to hold a name."""
    if name not in os.listdir(path):
        raise FileNotFoundError(name)


def append(path: str) -> None:
    """Open a file that exists for writing."""
    os.close(os.open(path, os.O_WRONLY | os.O_APPEND))


def by_link(path: str) -> None:
    """Read through a symbolic link in our own folder."""
    link = Path(f"link-{len(path)}-{os.getpid()}")
    with contextlib.suppress(FileExistsError):
        link.symlink_to(path)
    try:
        link.read_bytes()
    finally:
        link.unlink()


def environment(pid: int) -> None:
    """Read another process's environment."""
    Path(f"/proc/{pid}/environ").read_bytes()


def trace(pid: int) -> None:
    """Attach to another process."""
    if LIBC.ptrace(16, pid, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(pid, 0x40000000)
    LIBC.ptrace(17, pid, None, None)


def by_a_child(path: str) -> None:
    """Read with another program, that has an environment of its own and a session of its own."""
    subprocess.run(["/bin/cat", path], env={"LD_PRELOAD": ""}, check=True, capture_output=True, start_new_session=True)


def of(targets: dict) -> Iterator[tuple[str, Callable[[], object]]]:
    """List the ways to what the test names."""
    for path in targets.get("files", []):
        yield f"read {path}", lambda p=path: Path(p).read_bytes()
        yield f"read {path} by a link", lambda p=path: by_link(p)
        yield f"read {path} by another program", lambda p=path: by_a_child(p)
        yield f"append to {path}", lambda p=path: append(p)
        yield f"change the mode of {path}", lambda p=path: os.chmod(p, 0o600)
    for path, name in targets.get("folders", []):
        yield f"list {path}", lambda p=path, n=name: listed(p, n)
        yield f"write into {path}", lambda p=path: write(Path(p) / "hostile")
    for path in {sys.prefix, os.__file__, socket.__file__, *[p for p in sys.path if "site-packages" in p]}:
        folder = Path(path) if Path(path).is_dir() else Path(path).parent
        yield f"write into {folder}", lambda p=folder: write(p / "hostile.pth")
    for port in targets.get("ports", []):
        yield f"connect to port {port}", lambda p=port: connect(socket.AF_INET, ("127.0.0.1", p))
    for path in targets.get("sockets", []):
        yield f"connect to {path}", lambda p=path: connect(socket.AF_UNIX, p)
    for pid in targets.get("pids", []):
        yield f"signal {pid}", lambda p=pid: os.kill(p, 0)
        yield f"stop {pid}", lambda p=pid: os.kill(p, signal.SIGCONT)
        yield f"read the environment of {pid}", lambda p=pid: environment(p)
        yield f"read the memory of {pid}", lambda p=pid: open(f"/proc/{p}/mem", "rb").close()
        yield f"go through the root of {pid}", lambda p=pid: os.listdir(f"/proc/{p}/root/")
        yield f"trace {pid}", lambda p=pid: trace(p)
    for name in targets.get("variables", []):
        yield f"read {name} in the environment", lambda n=name: os.environ[n]
    yield "listen on a port", lambda: socket.create_server(("127.0.0.1", 0)).close()
    yield "make namespaces", lambda: subprocess.run(["/usr/bin/unshare", "-U", "true"], check=True, capture_output=True)


def tried(targets: dict) -> dict[str, str]:
    """Try them all, and say which led out or what stopped each."""
    told = {}
    for name, go in of(targets):
        try:
            go()
            told[name] = "out"
        except Exception as err:
            told[name] = f"{type(err).__name__}: {err}"
    return told
