"""Takes all of the disk or of the memory, until something ends it. It gives up at 4 GB."""

import os
import time
from pathlib import Path

PIECE = 20_000_000
PIECES = 200
OPEN = []


def disk() -> None:
    """Fill the disk, also with files that have no name, and in a folder that cannot be listed."""
    closed = Path("closed")
    closed.mkdir(exist_ok=True)
    for n in range(PIECES):
        path = (closed if n % 2 else Path(os.environ["TMPDIR"])) / f"{n}"
        with path.open("wb") as file:
            file.write(os.urandom(1) * PIECE)
        if n % 3 == 0:
            OPEN.append(path.open("rb"))
            path.unlink()
        closed.chmod(0o300)
        time.sleep(0.05)


def memory() -> None:
    """Fill the memory, in processes that leave this one's session."""
    for _ in range(4):
        if os.fork() == 0:
            os.setsid()
            held = []
            for n in range(PIECES // 4):
                held.append(bytes([n]) * PIECE)
                time.sleep(0.05)
            time.sleep(60)
            os._exit(len(held) % 2)
    time.sleep(60)


def take(attack: str) -> None:
    """Do what the attack says: "server disk", "client memory" and so on."""
    {"disk": disk, "memory": memory}[attack.split()[1]]()
