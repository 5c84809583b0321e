"""Print which third-party modules the sources of a FAB import, as JSON: a sorted list of [module, [names]].

The FAB comes on standard input. Only imports at the top level of a file count. Nothing of the app is executed.
"""

import ast
import io
import json
import sys
import zipfile
from importlib.util import find_spec
from pathlib import PurePosixPath

MAX_FILE, MAX_ALL, MAX_FILES, MAX_MODULES = 512 << 10, 4 << 20, 500, 200
# These start threads or open devices when they are imported, which does not survive a fork.
UNSAFE = {
    "tensorflow",
    "keras",
    "jax",
    "jaxlib",
    "flax",
    "optax",
    "ray",
    "cupy",
    "pyspark",
    "mpi4py",
    "tensorrt",
    "numba",
}


def imports(source: bytes) -> list[tuple[str, list[str]]]:
    """Return the modules that a source imports, and the names that it takes from each."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: list[tuple[str, list[str]]] = []
    for node in body:
        if isinstance(node, ast.Import):
            found += [(alias.name, []) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.module, [alias.name for alias in node.names if alias.name != "*"]))
    return found


def third_party(name: str) -> bool:
    """Tell whether a top-level module comes from a site-packages folder."""
    if name in sys.stdlib_module_names or name in UNSAFE:
        return False
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [spec.origin or "", *(spec.submodule_search_locations or [])]
    return any("site-packages" in place for place in places)


def main() -> None:
    """Read the FAB and print what was found."""
    fab = zipfile.ZipFile(io.BytesIO(sys.stdin.buffer.read(10 << 20)))
    own = {PurePosixPath(name).parts[0].removesuffix(".py") for name in fab.namelist() if name}
    modules: dict[str, set[str]] = {}
    left = MAX_ALL
    for info in fab.infolist()[:MAX_FILES]:
        if not info.filename.endswith(".py") or info.file_size > min(MAX_FILE, left):
            continue
        left -= info.file_size
        for module, names in imports(fab.read(info)):
            top = module.partition(".")[0]
            if top not in own and len(modules) < MAX_MODULES:
                modules.setdefault(module, set()).update(names)
    known: dict[str, bool] = {}
    for module in modules:
        top = module.partition(".")[0]
        known[top] = known[top] if top in known else third_party(top)
    json.dump([[m, sorted(modules[m])] for m in sorted(modules) if known[m.partition(".")[0]]], sys.stdout)


if __name__ == "__main__":
    main()
