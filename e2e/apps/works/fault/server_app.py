"""A ServerApp that tells how it was started, writes a file and may take memory."""

import logging
import os
import time
from pathlib import Path

from flwr.app import Context
from flwr.common.logger import log
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    word = str(context.run_config["word"])
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    env = {name: os.environ.get(name, "") for name in ("MODE", "OMP_NUM_THREADS", "UV_DEFAULT_INDEX")}
    print(f"WORD {word} CORES {cores} ENV {env}", flush=True)
    log(logging.DEBUG, "a line for debugging")
    held = bytearray(b"x") * (int(context.run_config["megabytes"]) * 1_000_000)
    time.sleep(float(context.run_config["seconds"]))
    Path("out.txt").write_text(word)
    print(f"DONE {word} {len(held)}", flush=True)
