"""Reads our own source, without importing it, for what the documents list: log actions and HTTP routes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("adapters", "channels", "console", "conversation", "domain", "gateway", "intake", "lookup", "notifications")
LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
LOGGERS = frozenset({"log", "_log"})
ANY = "*"
ADDRESSES = "paths"
ROUTES = frozenset({"RouteDef", "ConsoleRoute"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedAction:
    """An action some line logs. `name` holds `*` where a line makes it up: `source.*`."""

    name: str
    place: str  # file:line


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRoute:
    """A route some line declares. `needs`: of a ConsoleRoute, as it is written: `Right.AUDIT_SEE`."""

    method: str
    path: str
    summary: str
    package: str
    needs: str = ""


def logged_actions(root: Path) -> list[LoggedAction]:
    """Every action logged by the packages below `root`."""
    return [action for path, tree in _sources(root) for action in _actions(path.relative_to(root), tree)]


def listed_routes(root: Path) -> list[ListedRoute]:
    """Every `RouteDef(method=..., path=..., summary=...)` below `root`, by path.

    Raises:
        ValueError: one of the three cannot be read.
    """
    found = [route for path, tree in _sources(root) for route in _routes(path.relative_to(root), tree)]
    return sorted(found, key=lambda route: (route.path, route.method, route.package))


def _sources(root: Path) -> Iterator[tuple[Path, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            file = _nearest(path, root)
            yield path, _Addresses(file).visit(tree) if file is not None and file != path else tree


def _nearest(path: Path, root: Path) -> Path | None:
    """The module `paths` beside a module, or in a package around it."""
    files = (folder / f"{ADDRESSES}.py" for folder in path.parents if folder != root and root in folder.parents)
    return next((file for file in files if file.exists()), None)


class _Addresses(ast.NodeTransformer):
    """Writes what `paths.NAME` stands for, by the module `paths` that is nearest."""

    def __init__(self, file: Path) -> None:
        self._tree = ast.parse(file.read_text(encoding="utf-8"))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        if not isinstance(node.value, ast.Name) or node.value.id != ADDRESSES:
            self.generic_visit(node)
            return node
        return next(iter(_assigned(node.attr, self._tree)), node)


def _actions(path: Path, tree: ast.Module) -> Iterator[LoggedAction]:
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and _is_logging(call.func):
            arguments = call.args[1:2] if _method(call.func) == "log" else call.args[:1]
            for argument in arguments:
                for name in _texts(argument, tree):
                    yield LoggedAction(name=name, place=f"{path}:{call.lineno}")


def _is_logging(function: ast.expr) -> bool:
    if not isinstance(function, ast.Attribute) or function.attr not in LOG_METHODS | {"log"}:
        return False
    owner = function.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name in LOGGERS


def _method(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else ""


def _texts(node: ast.expr, tree: ast.Module) -> Iterator[str]:
    """The texts an expression can be, as far as the source says; `*` stands for what is made up at run time."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else ANY for part in parts)
        case ast.IfExp(body=body, orelse=otherwise):
            yield from _texts(body, tree)
            yield from _texts(otherwise, tree)
        case ast.Name() | ast.Attribute():
            yield from [text for value in _assigned(ast.unparse(node), tree) for text in _texts(value, tree)] or [ANY]
        case _:
            yield ANY


def _assigned(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    """What is assigned to a name anywhere in the module."""
    for statement in ast.walk(tree):
        if isinstance(statement, ast.Assign) and name in map(ast.unparse, statement.targets):
            yield statement.value


def _routes(path: Path, tree: ast.Module) -> Iterator[ListedRoute]:
    package = ".".join(path.parts[:-1][:2])
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ROUTES:
            given = {keyword.arg: list(_texts(keyword.value, tree)) for keyword in call.keywords}
            told = [given.get(name, [ANY]) for name in ("method", "path", "summary")]
            if any(len(texts) != 1 or texts == [ANY] for texts in told):
                raise ValueError(f"{path}:{call.lineno}: a RouteDef whose method, path or summary cannot be read")
            (method,), (address,), (summary,) = told
            needs = "".join(ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == "needs")
            yield ListedRoute(method=method, path=address, summary=summary, package=package, needs=needs)
