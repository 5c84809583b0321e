"""A Python that has imported Flower, and makes a process of itself for each ClientApp or ServerApp.

Usage: template.py [PROGRAM [MODULES]]. PROGRAM is flwr-clientapp (the default) or flwr-serverapp. MODULES is JSON: a list
of [module, [names]], the third-party modules that the app's sources import; they are imported here once.

Importing takes seconds of a core each time. The socket at file 3 brings {"id", "args", "dir"} with the file for the
output; {"id", "pid"} goes back, and {"id", "pid", "status"} at the end. Arguments of the form NAME=VALUE before the first
option are environment variables of the new process, as for env(1).
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import signal
import socket
import sys
import threading

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15
LONGEST_END = 60  # seconds; Flower's five are not enough, see app.py
LONGEST_PRELOAD = 40  # seconds
UNSAFE = 3  # the exit code of a template whose modules do not survive a fork
PROGRAMS = {"flwr-clientapp": "flwr.supernode.cli", "flwr-serverapp": "flwr.superlink.cli"}


def preload(modules: list[tuple[str, list[str]]]) -> None:
    """Import what the app's sources will import.

    A module that fails fails again in the app's process, where the app can see it. SIGALRM ends a template that imports
    for too long; the caller then starts one without modules.
    """
    if not modules:
        return
    signal.alarm(LONGEST_PRELOAD)
    for module, names in modules:
        with contextlib.suppress(Exception, SystemExit):
            __import__(module, fromlist=names)
    signal.alarm(0)
    torch = sys.modules.get("torch")
    if threading.active_count() > 1:
        print("threads:", threading.enumerate(), file=sys.stderr)
        os._exit(UNSAFE)
    if torch is not None and torch.cuda.is_initialized():
        os._exit(UNSAFE)


def serve(sock: socket.socket, program: str) -> list[str]:
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
            become(order, files[0], sock, me, program)
            return with_environment(order["args"])
        running[pid] = order["id"]
        with contextlib.suppress(OSError):  # it may be faster itself
            os.setpgid(pid, pid)
        os.close(files[0])
        sock.send(json.dumps({"id": order["id"], "pid": pid}).encode())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def become(order: dict, out: int, sock: socket.socket, parent: int, program: str) -> None:
    """Make this process one of its own."""
    os.setpgid(0, 0)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NAME, program.encode())
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
    reseed()


def reseed() -> None:
    """Give this process random numbers of its own, as if it had been started."""
    random.seed()
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        numpy.random.seed()
    if torch is not None:
        torch.seed()


def with_environment(args: list[str]) -> list[str]:
    """Set the environment variables that the arguments begin with, and return the others."""
    for i, arg in enumerate(args):
        name, found, value = arg.partition("=")
        if arg.startswith("-") or not found:
            return args[i:]
        os.environ[name] = value
    return []


def main() -> object:
    """Do what Flower's own program does, in each process that is made."""
    program = sys.argv[1] if len(sys.argv) > 1 else "flwr-clientapp"
    importlib.import_module("flwr.supercore.exit.exit").FORCE_EXIT_TIMEOUT_SECONDS = LONGEST_END
    part = importlib.import_module(PROGRAMS[program])
    preload(json.loads(sys.argv[2]) if len(sys.argv) > 2 else [])
    args = serve(socket.socket(fileno=3), program)
    sys.argv = [program, *args]
    return getattr(part, program.replace("-", "_"))()


if __name__ == "__main__":
    sys.exit(main())
