"""The sources of a FAB. Nothing of the app is executed."""

import ast
import io
import tomllib
import zipfile
from collections.abc import Iterator

MAX_FILE, MAX_ALL, MAX_FILES = 1 << 20, 16 << 20, 2000
UNKNOWN = "*"  # among the names of a module: it may have any other


class Module:
    """One source file of the app."""

    def __init__(self, file: str, source: bytes) -> None:
        self.file = file
        stem = file.removesuffix(".py")
        self.package = stem.endswith("/__init__") or stem == "__init__"
        self.name = stem.removesuffix("__init__").strip("/").replace("/", ".")
        self.fault: dict | None = None
        try:
            self.tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as err:
            self.tree = ast.Module([], [])
            self.fault = {
                "kind": "syntax",
                "file": file,
                "line": getattr(err, "lineno", 0) or 0,
                "name": getattr(err, "msg", str(err)),
            }
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                child.parent = node  # type: ignore[attr-defined]


class App:
    """The modules of a FAB."""

    def __init__(self, fab: bytes) -> None:
        self.modules: dict[str, Module] = {}
        self.folders: set[str] = set()
        left = MAX_ALL
        self.project: dict = {}
        bundle = zipfile.ZipFile(io.BytesIO(fab))
        for info in bundle.infolist()[:MAX_FILES]:
            if info.filename == "pyproject.toml":
                self.project = tomllib.loads(bundle.read(info).decode())
            parts = info.filename.split("/")
            self.folders.update(".".join(parts[:i]) for i in range(1, len(parts)))
            if info.filename.endswith(".py") and info.file_size <= min(MAX_FILE, left):
                left -= info.file_size
                module = Module(info.filename, bundle.read(info))
                self.modules[module.name] = module

    def has(self, name: str) -> bool:
        """Tell whether the app has a module or package of this name."""
        return name in self.modules or name in self.folders

    def names(self, name: str, seen: frozenset[str] = frozenset()) -> set[str]:
        """Return the names that a module of the app defines at its top level."""
        module = self.modules.get(name)
        if module is None or module.fault or name in seen:
            return {UNKNOWN} if module else set()
        found: set[str] = set()
        for node in top_level(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(UNKNOWN if node.name == "__getattr__" else node.name)
            elif isinstance(node, ast.ImportFrom) and any(a.name == "*" for a in node.names):
                of = absolute(module, node)
                found |= self.names(of, seen | {name}) if of in self.modules else {UNKNOWN}
            elif isinstance(node, ast.Import | ast.ImportFrom):
                found |= {a.asname or a.name.partition(".")[0] for a in node.names}
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("globals", "exec", "setattr")
            ):
                found.add(UNKNOWN)
        return found


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that run when a module is imported."""
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)


def absolute(module: Module, node: ast.ImportFrom) -> str:
    """Return the module that an import names, also where it is relative."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + (1 if module.package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


def above(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield the nodes around a node, with the child that each was reached from."""
    while (parent := getattr(node, "parent", None)) is not None:
        yield parent, node
        node = parent
