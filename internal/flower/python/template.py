"""A Python that has imported Flower, and makes a process of itself for each ClientApp or ServerApp.

Usage: template.py [PROGRAM [MODULES]]. PROGRAM is flwr-clientapp (the default) or flwr-serverapp. MODULES is JSON: a
list of [module, [names]], the third-party modules that the app's sources import; they are imported here once.

Importing takes seconds of a core each time. The socket at file 3 brings {"id", "args", "dir"} with the file for the
output, and "cpus" where the process may not use all of them. Each process has a reaper between itself and this one,
which ends all that descends from it when it has ended, also what left its group and session. {"id", "pid", "reaper"}
goes back, {"id", "status"} when the process has ended, and {"id", "ended"} when its reaper has. Arguments of the form
NAME=VALUE before the first option are environment variables of the new process, as for env(1).
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
import tempfile
import threading

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
LONGEST_END = 60  # seconds; Flower's five are not enough, see app.py
LONGEST_PRELOAD = 40  # seconds
UNSAFE = 3  # the exit code of a template whose modules do not survive a fork
LIBC = ctypes.CDLL(None)
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


def send(sock: socket.socket, **news: int) -> None:
    """Tell the keeper. When it has gone, the end of the socket tells so to serve."""
    with contextlib.suppress(OSError):
        sock.send(json.dumps(news).encode())


def kill_children(but: dict[int, int]) -> None:
    """Kill this process's children, but for some. Their ids are theirs until they are waited for."""
    children: list[int] = []
    with contextlib.suppress(OSError), open(f"/proc/self/task/{os.getpid()}/children") as file:
        children = [int(pid) for pid in file.read().split()]
    for pid in children:
        if pid not in but:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def serve(sock: socket.socket, program: str) -> list[str]:
    """Return the arguments in each process that is made; end this one when nobody is at the other end."""
    running: dict[int, int] = {}  # reapers, and what they were made for
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)  # for what a killed reaper leaves

    def wait(*_: object) -> None:
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] in running:
                    send(sock, id=running.pop(ended[0]), ended=ended[1])
            kill_children(running)

    signal.signal(signal.SIGCHLD, wait)
    gc.freeze()
    while True:
        text, files, _, _ = socket.recv_fds(sock, 1 << 20, 1)
        if not text:
            sys.exit(0)
        order = json.loads(text)
        signals = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            reap(order, files[0], sock, me, program)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, signals)
            return with_environment(order["args"])
        running[pid] = order["id"]
        os.close(files[0])
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)


def reap(order: dict, out: int, sock: socket.socket, template: int, program: str) -> None:
    """Return in a new process; be its reaper in this one, to the end. No signal but SIGKILL reaches this one."""
    become("flwr-reaper", template)
    os.setpgid(0, 0)
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    if cpus := order.get("cpus"):
        os.sched_setaffinity(0, cpus)
    me = os.getpid()
    app = os.fork()
    if app == 0:
        become(program, me)
        os.setpgid(0, 0)
        sock.close()
        redirect(out)
        os.chdir(order["dir"])
        reseed()
        return
    os.close(out)
    with contextlib.suppress(OSError):  # it may be faster itself
        os.setpgid(app, app)
    send(sock, id=order["id"], pid=app, reaper=me)
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, 0)
            if pid == app:
                app = 0
                send(sock, id=order["id"], status=status)
            if app == 0:
                kill_children({})
    os._exit(0)


def become(name: str, parent: int) -> None:
    """Give this process its name, and make it die with its parent."""
    LIBC.prctl(PR_SET_NAME, name.encode())
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def redirect(out: int) -> None:
    """Give this process no input, and that file for its output."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for file, place in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(file, place)
    os.close(nothing)
    os.close(out)


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
        tempfile.tempdir = None  # it depends on TMPDIR
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
