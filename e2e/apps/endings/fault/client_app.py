"""A ClientApp that ends as it is told to, each partition in its own way."""

import os
import signal
import subprocess
import sys
import time

from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


class Odd(Exception):
    """Raised on purpose."""


def stray(context: Context) -> None:
    """Leave a process in a session of its own, without parent and environment, that names the run's marker."""
    program = "import os, sys, time; os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
    subprocess.run([sys.executable, "-c", program, f"stray-{context.run_id}"], env={}, check=True)


def end(how: str, context: Context) -> None:
    """End this process, or do not."""
    if how == "exit-0":
        os._exit(0)
    elif how == "sys-exit-0":
        sys.exit(0)
    elif how == "exit-17":
        os._exit(17)
    elif how == "sigkill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "sigsegv":
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif how == "raise":
        raise Odd("secret-of-the-participant")
    elif how == "hang":
        time.sleep(36000)
    elif how == "import":
        import not_installed_here  # noqa: F401
    elif how == "stray":
        stray(context)
        os._exit(3)


@app.train()
def train(message: Message, context: Context) -> Message | None:
    """Answer, with the arrays that came if the run says so, or end."""
    config = message.content["config"]
    hows, partition = str(context.run_config["how"]).split(","), int(context.node_config["partition-id"])
    how = hows[partition] if partition < len(hows) else "well"
    if int(config["round"]) == int(context.run_config["round"]):
        if how == "none":
            return None
        end(how, context)
    content = RecordDict({"metrics": MetricRecord({"loss": 1.0, "num-examples": 1})})
    if context.run_config["returns"]:
        content["arrays"] = message.content["arrays"]
    return Message(content, reply_to=message)
