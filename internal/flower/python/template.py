"""A Python that has imported Flower, and makes a process of itself for each ClientApp.

Importing takes a second of a core each time. The socket at file 3 brings {"id", "args", "dir"} with the file for the
output; {"id", "pid"} goes back, and {"id", "pid", "status"} at the end.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import signal
import socket
import sys

from flwr.supernode.cli import flwr_clientapp

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
LONGEST_END = 60  # seconds; Flower's five are not enough, see app.py


def serve(sock: socket.socket) -> list[str]:
    """Return the arguments in each process that is made; end this one when nobody is at the other end."""
    running: dict[int, int] = {}

    def reap(*_: object) -> None:
        for pid in list(running):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                sock.send(json.dumps({"id": running.pop(pid), "pid": pid, "status": status}).encode())

    signal.signal(signal.SIGCHLD, reap)
    gc.freeze()
    while True:
        text, files, _, _ = socket.recv_fds(sock, 1 << 20, 1)
        if not text:
            sys.exit(0)
        order = json.loads(text)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            become(order, files[0], sock, me)
            return order["args"]
        running[pid] = order["id"]
        with contextlib.suppress(OSError):  # it may be faster itself
            os.setpgid(pid, pid)
        os.close(files[0])
        sock.send(json.dumps({"id": order["id"], "pid": pid}).encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def become(order: dict, out: int, sock: socket.socket, parent: int) -> None:
    """Make this process one of its own."""
    os.setpgid(0, 0)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NAME, b"flwr-clientapp")
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    sock.close()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, place in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(file, place)
    os.close(nothing)
    os.close(out)
    os.chdir(order["dir"])
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()  # each process has random numbers of its own, as if it had been started


if __name__ == "__main__":
    importlib.import_module("flwr.supercore.exit.exit").FORCE_EXIT_TIMEOUT_SECONDS = LONGEST_END
    ARGS = serve(socket.socket(fileno=3))
    sys.argv = ["flwr-clientapp", *ARGS]
    sys.exit(flwr_clientapp())
