"""What honest apps do, in a sandbox."""

import multiprocessing
import multiprocessing.shared_memory
import os
import socket
import subprocess
import tempfile
import threading
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def square(n: int) -> int:
    return n * n


def main() -> None:
    for method in ("fork", "spawn", "forkserver"):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            assert list(pool.map(square, range(4))) == [0, 1, 4, 9], method
    with multiprocessing.Manager() as manager:
        assert manager.dict(a=1)["a"] == 1
    shared = multiprocessing.shared_memory.SharedMemory(create=True, size=1 << 20)
    shared.buf[0] = 1
    shared.close()
    shared.unlink()
    thread = threading.Thread(target=print, args=("a thread",))
    thread.start()
    thread.join()
    with tempfile.TemporaryDirectory() as dir:
        (Path(dir) / "a").write_text("x")
        (Path(dir) / "a").rename(Path(dir) / "b")
        os.chmod(Path(dir) / "b", 0o600)
        os.utime(Path(dir) / "b", (1, 1))
    Path("cache").mkdir()
    tempfile.mkdtemp(dir=Path.home())
    assert subprocess.run(["sh", "-c", "echo $((6*7))"], capture_output=True, text=True, check=True).stdout == "42\n"
    assert "MemTotal" in Path("/proc/meminfo").read_text()
    assert "processor" in Path("/proc/cpuinfo").read_text()
    assert Path("/proc/self/status").read_text()
    assert os.cpu_count() and os.sched_getaffinity(0)
    assert os.listdir("/proc/self/task")
    assert os.urandom(4)
    Path("/dev/null").write_text("x")
    left, right = socket.socketpair()
    left.send(b"x")
    assert right.recv(1) == b"x"
    import pwd

    assert "NAMELESS" in os.environ or pwd.getpwuid(os.getuid())
    print("all is well")


if __name__ == "__main__":
    main()
