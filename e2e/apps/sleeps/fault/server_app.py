"""A ServerApp that waits, and says so."""

import time

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    until = time.monotonic() + float(context.run_config["seconds"])
    n = 0
    while time.monotonic() < until:
        n += 1
        print(f"waiting {n}", flush=True)
        time.sleep(0.2)
