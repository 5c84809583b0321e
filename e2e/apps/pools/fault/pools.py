"""What honest apps do with processes and memory."""

import getpass
import multiprocessing
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import iniconfig
import joblib
import numpy as np


def square(n: int) -> int:
    """Work that a process of a pool does."""
    return n * n


def total(a: np.ndarray) -> float:
    """Work on an array that joblib shows its processes in a file."""
    return float(a.sum())


def work() -> str:
    """Use pools of each kind, shared memory, a cache and temporary files. Return what was done."""
    for method in ("fork", "spawn", "forkserver"):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            assert list(pool.map(square, range(4))) == [0, 1, 4, 9], method
    arrays = [np.ones(1_000_000) * n for n in range(4)]  # large enough for joblib's files in memory
    assert joblib.Parallel(n_jobs=2)(joblib.delayed(total)(a) for a in arrays) == [0.0, 1e6, 2e6, 3e6]
    shared = SharedMemory(create=True, size=1 << 20)
    shared.close()
    shared.unlink()
    cache = Path.home() / ".cache" / "pools"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "model").write_bytes(b"x" * 1000)
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    assert iniconfig.__file__ and getpass.getuser()
    return "fork, spawn, forkserver, joblib"
