"""Print what the sources of a FAB need, as JSON: see facts.go.

The FAB comes on standard input.
"""

import json
import sys

from imports import Imports, component
from runconfig import Config
from sources import App


def main() -> None:
    """Read the FAB and print what was found."""
    app = App(sys.stdin.buffer.read(10 << 20))
    found = Imports(app)
    for part in ("serverapp", "clientapp"):
        component(found, part, app.project["tool"]["flwr"]["app"]["components"][part])
    found.requirements(app.project["project"].get("dependencies", []))
    config = Config(list(app.modules.values()))
    config.collect()
    reached = {module.file for module in found.reached}
    for read in config.reads:
        read["reached"] = read["file"] in reached
    out = {"facts": found.facts, "reads": config.reads, "computed": config.computed, "lacking": found.lacking}
    json.dump(out, sys.stdout)


if __name__ == "__main__":
    sys.setrecursionlimit(5000)
    main()
