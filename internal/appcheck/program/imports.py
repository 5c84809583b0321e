"""What an app imports, and whether this Python has it. Of Flower itself, modules are imported; of the app, none."""

import ast
import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType

from packaging.requirements import InvalidRequirement, Requirement
from sources import UNKNOWN, App, Module, above, absolute

MAX_FACTS = 200


def guarded(node: ast.AST) -> bool:
    """Tell whether an import may fail, or never runs."""
    for parent, child in above(node):
        if isinstance(parent, ast.Try) and child in parent.body:
            for handler in parent.handlers:
                caught = "" if handler.type is None else ast.unparse(handler.type)
                if not caught or any(
                    e in caught for e in ("ImportError", "ModuleNotFoundError", "AttributeError", "Exception")
                ):
                    return True
        if isinstance(parent, ast.If) and "TYPE_CHECKING" in ast.unparse(parent.test):
            return True
    return False


def maybe(node: ast.AST) -> bool:
    """Tell whether a statement runs only under a condition."""
    return any(isinstance(parent, ast.If | ast.ExceptHandler | ast.Try | ast.Match) for parent, _ in above(node))


def attribute(of: object, name: str) -> tuple[bool, object]:
    """Return whether an object of flwr has an attribute or submodule, and it. In doubt, it has."""
    try:
        return True, getattr(of, name)
    except AttributeError:
        pass
    except Exception:
        return True, None
    if not isinstance(of, ModuleType):
        return True, None
    return flower_module(f"{of.__name__}.{name}")


def flower_module(name: str) -> tuple[bool, object]:
    """Import a module of flwr. One that lacks something else, such as ray, counts as there."""
    try:
        return True, importlib.import_module(name)
    except ModuleNotFoundError as err:
        return not (name + ".").startswith((err.name or "?") + "."), None
    except Exception:
        return True, None


def flower(path: str) -> str:
    """Return the part of a dotted name that flwr does not have; empty if it has all of it."""
    parts = path.split(".")
    there, at = flower_module(parts[0])
    for i, part in enumerate(parts[1:], 2):
        if not there or not isinstance(at, ModuleType):
            break
        there, at = attribute(at, part)
        if not there:
            return ".".join(parts[:i])
    return ""


class Imports:
    """Follows the imports from the components on."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.facts: list[dict] = []
        self.reached: list[Module] = []
        self.lacking: list[str] = []  # requirements that the environment does not meet

    def fact(self, kind: str, where: Module, node: ast.AST | None, **more: object) -> None:
        """Note a fact."""
        if len(self.facts) < MAX_FACTS:
            self.facts.append({"kind": kind, "file": where.file, "line": getattr(node, "lineno", 0), **more})

    def follow(self, name: str) -> None:
        """Look at a module of the app, its packages and what they import."""
        parts = name.split(".")
        for i in range(1, len(parts) + 1):
            module = self.app.modules.get(".".join(parts[:i]))
            if module is None or module in self.reached:
                continue
            self.reached.append(module)
            if module.fault:
                self.facts.append(module.fault)
            aliases: dict[str, str] = {}
            for node in ast.walk(module.tree):
                if isinstance(node, ast.Import | ast.ImportFrom) and not guarded(node):
                    self.look(module, node, aliases)
            self.attributes(module, aliases)

    def look(self, module: Module, node: ast.Import | ast.ImportFrom, aliases: dict[str, str]) -> None:
        """Check one import, and follow it."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.one(module, node, alias.name, "")
                if alias.name.partition(".")[0] == "flwr":
                    aliases[alias.asname or "flwr"] = alias.name if alias.asname else "flwr"
            return
        of = absolute(module, node)
        for alias in node.names:
            self.one(module, node, of, "" if alias.name == "*" else alias.name)
            if of.partition(".")[0] == "flwr" and alias.name != "*":
                aliases[alias.asname or alias.name] = f"{of}.{alias.name}"

    def one(self, module: Module, node: ast.AST, of: str, name: str) -> None:
        """Check one imported name."""
        top = of.partition(".")[0]
        whole = f"{of}.{name}" if name else of
        if top == "flwr":
            if missing := flower(whole):
                self.fact("flwr", module, node, name=missing, maybe=maybe(node))
        elif self.app.has(top):
            self.follow(of)
            if not self.app.has(of):
                self.fact("own", module, node, name="", module=of, maybe=maybe(node))
            elif name and self.app.has(whole):
                self.follow(whole)
            elif name and not self.app.names(of) & {name, UNKNOWN}:
                self.fact("own", module, node, name=name, module=of, maybe=maybe(node))
        elif top and top not in sys.stdlib_module_names and not installed(top):
            self.fact("package", module, node, name=top, maybe=maybe(node) or not at_import(node))

    def requirements(self, dependencies: list[str]) -> None:
        """Compare the installed packages with those that the app asks for."""
        for text in dependencies:
            try:
                asked = Requirement(text)
                met = asked.specifier.contains(version(asked.name), prereleases=True)
            except (InvalidRequirement, PackageNotFoundError):
                self.lacking.append(text)
                continue
            if not met and asked.name.lower() == "flwr":
                self.facts.append({"kind": "version", "name": str(asked.specifier)})
            elif not met:
                self.lacking.append(text)

    def attributes(self, module: Module, aliases: dict[str, str]) -> None:
        """Check what is read from names of flwr, such as fl.server.ServerConfig."""
        for node in ast.walk(module.tree):  # a name that is also something else is not followed
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
                aliases.pop(node.id, None)
            elif isinstance(node, ast.arg):
                aliases.pop(node.arg, None)
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Attribute) or isinstance(getattr(node, "parent", None), ast.Attribute):
                continue
            path: list[str] = []
            at: ast.AST = node
            while isinstance(at, ast.Attribute):
                path.insert(0, at.attr)
                at = at.value
            if isinstance(at, ast.Name) and at.id in aliases and not guarded(node):
                of = aliases[at.id]
                if not flower(of) and (missing := flower(".".join([of, *path]))):
                    self.fact("flwr", module, node, name=missing, maybe=maybe(node))


def at_import(node: ast.AST) -> bool:
    """Tell whether a statement runs when its module is imported."""
    return not any(isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) for parent, _ in above(node))


def installed(top: str) -> bool:
    """Tell whether this Python has a package."""
    try:
        return find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def component(found: Imports, part: str, text: str) -> None:
    """Check that a component is defined, and as what."""
    of, _, name = text.partition(":")
    module = found.app.modules.get(of)
    if module is None:
        return  # of another package, or the catalog has refused it
    found.follow(of)
    if module.fault:
        return
    name = name.partition(".")[0]
    if not found.app.names(of) & {name, UNKNOWN}:
        found.fact("component", module, None, name=name, module=of, part=part)
    for node in module.tree.body:
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and any(isinstance(t, ast.Name) and t.id == name for t in node.targets)
        ):
            made = ast.unparse(node.value.func).rpartition(".")[2]
            if made in ("ServerApp", "ClientApp") and made.lower() != part:
                found.fact("component", module, node, name=name, module=of, part=part, made=made)
