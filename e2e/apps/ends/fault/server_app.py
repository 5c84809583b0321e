"""A ServerApp that ends in the way that the run config names."""

import os
import signal
import sys
import time

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


def leave_stray(run: int) -> None:
    """Leave a process in a session of its own, with an empty environment and no parent."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            print("stray", flush=True)
            os.execve("/bin/sleep", [f"stray-{run}", "600"], {})
        os._exit(0)


@app.main()
def main(grid: Grid, context: Context) -> None:
    """End."""
    match context.run_config["how"]:
        case "sys.exit(0)":
            sys.exit(0)
        case "os._exit(0)":
            os._exit(0)
        case "os._exit(17)":
            os._exit(17)
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "SIGSEGV":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "stray, 0":
            leave_stray(context.run_id)
            time.sleep(0.5)
            os._exit(0)
        case "stray":
            leave_stray(context.run_id)
            time.sleep(600)
