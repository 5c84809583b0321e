"""Which keys an app reads from its run config."""

import ast
from collections.abc import Iterator

from sources import Module, above

MAX_READS = 2000


class Config:
    """Finds the keys that are read from a run config, also through names, attributes and parameters."""

    PLAIN = {"print", "len", "str", "repr", "bool", "type", "isinstance", "id"}
    COPY = {"dict", "copy", "deepcopy", "cast"}

    def __init__(self, modules: list[Module]) -> None:
        self.modules = modules
        self.names: set[tuple[int, str]] = set()  # of a scope
        self.attrs: set[tuple[int, str]] = set()  # of a class
        self.mixed: set[tuple[int, str]] = set()  # names and attributes that also stand for something else
        self.returning: set[str] = set()
        self.functions: dict[str, list[ast.FunctionDef]] = {}
        self.scopes: dict[int, list[ast.AST]] = {}
        self.constants: dict[tuple[str, str], str] = {}
        self.reads: list[dict] = []
        self.computed: dict | None = None
        for module in modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    around = getattr(node, "parent", None)
                    name = around.name if node.name == "__init__" and isinstance(around, ast.ClassDef) else node.name
                    self.functions.setdefault(name, []).append(node)
            for node in module.tree.body:
                if (
                    isinstance(node, ast.Assign)
                    and isinstance(node.value, ast.Constant)
                    and isinstance(node.value.value, str)
                ):
                    for target in node.targets:
                        if isinstance(target, ast.Name):
                            self.constants[module.file, target.id] = node.value.value

    def scope(self, node: ast.AST) -> list[ast.AST]:
        """Return the scopes that a name is looked up in, the innermost first."""
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module
        return [parent for parent, _ in above(node) if isinstance(parent, kinds)]

    def named(self, node: ast.Name) -> bool:
        """Tell whether a name stands for the run config where it is used."""
        for scope in self.scope(node):
            if (id(scope), node.id) in self.names:
                return True
            if not isinstance(scope, ast.Module) and node.id in parameters_of(scope):
                return False
        return False

    def is_config(self, node: ast.AST) -> bool:
        """Tell whether an expression is the run config."""
        match node:
            case ast.Attribute(attr="run_config"):
                return True
            case ast.Attribute(attr=attr, value=ast.Name(id="self")):
                return (class_of(node), attr) in self.attrs
            case ast.Name():
                return self.named(node)
            case ast.NamedExpr(value=value):
                return self.is_config(value)
            case ast.BoolOp(values=values):
                return any(self.is_config(v) for v in values)
            case ast.IfExp(body=body, orelse=orelse):
                return self.is_config(body) or self.is_config(orelse)
            case ast.Call(func=func, args=args):
                called = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
                if called == "copy" and isinstance(func, ast.Attribute) and self.is_config(func.value):
                    return True
                return called in self.returning or called in self.COPY and any(self.is_config(a) for a in args)
        return False

    def spread(self) -> None:
        """Find the names that stand for the run config, until there are no more."""
        for _ in range(10):
            before = len(self.names), len(self.attrs), len(self.returning)
            for module in self.modules:
                for node in ast.walk(module.tree):
                    self.bind(node)
            if before == (len(self.names), len(self.attrs), len(self.returning)):
                return

    def bind(self, node: ast.AST) -> None:
        """Note what an assignment, call or return hands the run config to."""
        match node:
            case ast.Assign(targets=targets, value=value) if self.is_config(value):
                for target in targets:
                    self.target(target)
            case ast.AnnAssign(target=target, value=value) if value is not None and self.is_config(value):
                self.target(target)
            case ast.NamedExpr(target=target, value=value) if self.is_config(value):
                self.target(target)
            case ast.Return(value=value) if value is not None and self.is_config(value):
                for parent, _ in above(node):
                    if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
                        self.returning.add(parent.name)
                        break
            case ast.Call():
                for function, name in self.parameters(node):
                    self.names.add((id(function), name))

    def target(self, node: ast.AST) -> None:
        """Note the name or attribute that is assigned."""
        if isinstance(node, ast.Name):
            self.names.add((id(self.scope(node)[0]), node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            self.attrs.add((class_of(node), node.attr))

    def parameters(self, call: ast.Call) -> Iterator[tuple[ast.AST, str]]:
        """Yield the parameters of the app's functions that a call hands the run config to."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for function in self.functions.get(name, []):
            params = parameters_of(function)
            if params[:1] in (["self"], ["cls"]):
                params = params[1:]
            for param, arg in zip(params, call.args, strict=False):
                if self.is_config(arg):
                    yield function, param
            for keyword in call.keywords:
                if keyword.arg and self.is_config(keyword.value):
                    yield function, keyword.arg

    def collect(self) -> None:
        """Note each use of the run config."""
        self.spread()
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(getattr(node, "ctx", None), ast.Store):
                    value = getattr(getattr(node, "parent", None), "value", None)
                    if value is None or not self.is_config(value):
                        self.mixed |= self.owners(node)
        for module in self.modules:
            for node in ast.walk(module.tree):
                if (
                    isinstance(node, ast.expr)
                    and not isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)
                    and self.is_config(node)
                ):
                    self.use(module, node)

    def owners(self, node: ast.AST) -> set[tuple[int, str]]:
        """Return the scope or class that a name or attribute belongs to, with its name."""
        if isinstance(node, ast.Attribute):
            return {(class_of(node), node.attr)}
        if not isinstance(node, ast.Name):
            return set()
        scopes = self.scope(node)
        own = [s for s in scopes if (id(s), node.id) in self.names]
        return {(id(s), node.id) for s in own[:1] or scopes[:1]}

    def use(self, module: Module, node: ast.expr) -> None:
        """Note one use."""
        parent = getattr(node, "parent", None)
        if self.owners(node) & self.mixed and not (isinstance(node, ast.Attribute) and node.attr == "run_config"):
            self.other(module, node)
            return
        match parent:
            case ast.Subscript(value=value, slice=key, ctx=ctx) if value is node:
                if isinstance(ctx, ast.Load):
                    self.key(module, parent, key, soft=False)
            case ast.Attribute(attr="get" | "pop" | "setdefault", parent=ast.Call(args=[key, *_]) as call) if (
                call.func is parent
            ):
                self.key(module, parent, key, soft=True)
            case ast.Attribute(attr="copy"):
                pass
            case ast.Compare(left=key, ops=[ast.In() | ast.NotIn()]) if key is not node:
                self.key(module, parent, key, soft=True)
            case ast.Call():
                known = [name for _, name in self.parameters(parent)]
                called = parent.func.attr if isinstance(parent.func, ast.Attribute) else getattr(parent.func, "id", "")
                if not known and called not in self.PLAIN | self.COPY:
                    self.other(module, node)
            case ast.keyword(arg=str(), parent=ast.Call() as call):
                if not list(self.parameters(call)):
                    self.other(module, node)
            case ast.Assign(targets=targets):
                if not all(isinstance(t, ast.Name | ast.Attribute) for t in targets):
                    self.other(module, node)
            case (
                ast.AnnAssign()
                | ast.NamedExpr()
                | ast.Return()
                | ast.Expr()
                | ast.BoolOp()
                | ast.IfExp()
                | ast.FormattedValue()
            ):
                pass
            case ast.If() | ast.Assert() | ast.UnaryOp():
                pass
            case _:
                self.other(module, node)

    def key(self, module: Module, at: ast.AST, key: ast.AST, soft: bool) -> None:
        """Note a key, if it can be found out."""
        text = key.value if isinstance(key, ast.Constant) else self.constants.get((module.file, getattr(key, "id", "")))
        if not isinstance(text, str):
            self.other(module, at)
        elif len(self.reads) < MAX_READS:
            optional = soft or guarded_key(at)
            self.reads.append(
                {"key": text, "file": module.file, "line": getattr(at, "lineno", 0), "optional": optional}
            )

    def other(self, module: Module, at: ast.AST) -> None:
        """Note a use that may read any key."""
        if self.computed is None:
            self.computed = {"file": module.file, "line": getattr(at, "lineno", 0)}


def class_of(node: ast.AST) -> int:
    """Return the class around a node."""
    return next((id(parent) for parent, _ in above(node) if isinstance(parent, ast.ClassDef)), 0)


def parameters_of(function: ast.AST) -> list[str]:
    """Return the names of a function's parameters that can be given by position."""
    return [a.arg for a in function.args.posonlyargs + function.args.args]


def guarded_key(node: ast.AST) -> bool:
    """Tell whether a missing key is caught."""
    for parent, child in above(node):
        if isinstance(parent, ast.Try) and child in parent.body:
            return any(
                h.type is None or any(e in ast.unparse(h.type) for e in ("KeyError", "LookupError", "Exception"))
                for h in parent.handlers
            )
    return False
