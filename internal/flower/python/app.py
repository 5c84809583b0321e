"""flwr-serverapp or flwr-clientapp, by the name of this file, with time for the end.

Flower 1.42 ends such a process five seconds after its app, whatever is left to do. Three of them may go to the log's
last lines, and the rest is not always enough on a busy machine: then nobody is told how it ended, and a run that did
all its rounds fails a minute later, without a heartbeat.
"""

import importlib
import sys
from pathlib import Path

LONGEST_END = 60  # seconds


def main() -> object:
    """Do what Flower's own program of that name does."""
    importlib.import_module("flwr.supercore.exit.exit").FORCE_EXIT_TIMEOUT_SECONDS = LONGEST_END
    name = Path(sys.argv[0]).stem
    part = {"flwr-serverapp": "flwr.superlink.cli", "flwr-clientapp": "flwr.supernode.cli"}[name]
    sys.argv[0] = name
    return getattr(importlib.import_module(part), name.replace("-", "_"))()


if __name__ == "__main__":
    sys.exit(main())
