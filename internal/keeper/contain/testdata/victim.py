"""What a contained program must not reach.

Prints one line of JSON that says where everything is, then waits for the end of its input.

Usage: victim.py DIR
"""

import ctypes
import json
import os
import signal
import socket
import sys
from pathlib import Path

SECRET = b"the-secret-of-the-victim"
LIBC = ctypes.CDLL(None, use_errno=True)

folder = Path(sys.argv[1])
for name in ("secret", "changed", "removed", "renamed", "linked", "truncated", "moded", "timed"):
    (folder / name).write_bytes(SECRET)
os.chdir(folder)
buffer = ctypes.create_string_buffer(SECRET)
opened = os.open(folder / "secret", os.O_RDWR)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGUSR2, lambda *_: Path("signalled").touch())

tcp = socket.create_server(("127.0.0.1", 0))
path = socket.socket(socket.AF_UNIX)
path.bind("socket")
abstract = socket.socket(socket.AF_UNIX)
abstract.bind(f"\0victim-{os.getpid()}")
for listening in (path, abstract):
    listening.listen(16)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
shared = Path("/dev/shm") / f"victim-{os.getpid()}"
shared.write_bytes(SECRET)
segment = LIBC.shmget(0, 4096, 0o1600)  # IPC_PRIVATE, IPC_CREAT

print(
    json.dumps(
        {
            "pid": os.getpid(),
            "uid": os.getuid(),
            "folder": str(folder),
            "address": ctypes.addressof(buffer),
            "fd": opened,
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "abstract": f"\0victim-{os.getpid()}",
            "shared": str(shared),
            "segment": segment,
        }
    ),
    flush=True,
)
sys.stdin.read()
shared.unlink()
LIBC.shmctl(segment, 0, None)
