"""References of errors and findings, read from the sources without importing them.

In: the directory of the package.  Out: each place where a reference is written, with its message as a template.
Called by ``pages.errors`` and by the structure tests.
A function that hands its parameter on as somebody's reference counts as such a place's callee, and so on.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

# What people read; everything else that takes a reference hands it on to one of these.
ERRORS = {"UsageError": 2, "MachineError": 3, "SwitchboardError": 3}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, order=True)
class Reference:
    """``name`` may hold a placeholder (``no-{package}``); ``kind`` is an error's class or ``Finding``."""

    name: str
    kind: str
    message: str
    module: str


@dataclass(frozen=True)
class _Taker:
    """A callee: what it makes, and where its reference and message are among the arguments (-1: by keyword only)."""

    kind: str
    reference: int
    message: int
    names: tuple[str, str] = ("reference", "message")


# A finding, and an error on its way from a process of the cluster to the person.
_OTHERS = {
    "Finding": _Taker("Finding", -1, -1),
    "Event": _Taker("MachineError", -1, -1, ("reference", "text")),
}


def collect(package: Path) -> list[Reference]:
    """Every reference below a package, sorted."""
    trees = {p.relative_to(package).as_posix(): ast.parse(p.read_text(encoding="utf-8")) for p in package.rglob("*.py")}
    shared = {name: _Taker(name, 0, 1) for name in ERRORS} | _OTHERS
    local = {path: _takers(tree, shared) for path, tree in trees.items()}
    for path, found in local.items():
        shared |= {n: t for n, t in found.items() if not n.startswith("_") and _is_method(trees[path], n)}
    found = set()
    for path, tree in trees.items():
        found |= set(_references(path, tree, shared | local[path]))
    return sorted(found)


def _callee(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _argument(call: ast.Call, position: int, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    return call.args[position] if 0 <= position < len(call.args) else None


def _is_method(tree: ast.Module, name: str) -> bool:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return any(isinstance(n, _FUNCTIONS) and n.name == name for c in classes for n in c.body)


def _takers(tree: ast.Module, known: dict[str, _Taker]) -> dict[str, _Taker]:
    """Functions and classes of a module that take a reference: those that hand it on, and values that carry it."""
    found: dict[str, _Taker] = {}
    for node in (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name not in known):
        fields = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
        for method in (n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"):
            fields = [a.arg for a in method.args.args[1:]]
        if "reference" in fields and "message" in fields:
            found[node.name] = _Taker("Finding", fields.index("reference"), fields.index("message"))
    methods = {id(n) for c in ast.walk(tree) if isinstance(c, ast.ClassDef) for n in c.body}
    while True:
        more = {}
        for function in (n for n in ast.walk(tree) if isinstance(n, _FUNCTIONS) and n.name not in found):
            taker = _handing_on(function, known | found, int(id(function) in methods))
            if taker:
                more[function.name] = taker
        if not more:
            return found
        found |= more


def _handing_on(function: ast.FunctionDef | ast.AsyncFunctionDef, known: dict[str, _Taker], skip: int) -> _Taker | None:
    parameters = [a.arg for a in function.args.args][skip:]
    every = {*parameters, *(a.arg for a in function.args.kwonlyargs)}
    for call in (n for n in ast.walk(function) if isinstance(n, ast.Call) and _callee(n) in known):
        taker = known[_callee(call)]
        reference = _argument(call, taker.reference, taker.names[0])
        if isinstance(reference, ast.Name) and reference.id in every:
            message = _argument(call, taker.message, taker.names[1])
            text = message.id if isinstance(message, ast.Name) else ""
            places = [parameters.index(n) if n in parameters else -1 for n in (reference.id, text)]
            return _Taker(taker.kind, places[0], places[1], (reference.id, text or "message"))
    return None


def _references(path: str, tree: ast.Module, known: dict[str, _Taker]) -> list[Reference]:
    found = []
    scopes = [tree, *(n for n in ast.walk(tree) if isinstance(n, _FUNCTIONS))]
    innermost: dict[int, ast.AST] = {}
    for scope in scopes:
        innermost |= {id(n): scope for n in ast.walk(scope) if isinstance(n, ast.Call)}
    for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and _callee(n) in known):
        taker = known[_callee(call)]
        names = _texts(_argument(call, taker.reference, taker.names[0]))
        messages = _texts(_resolve(_argument(call, taker.message, taker.names[1]), call, innermost[id(call)]))
        found += [Reference(name, taker.kind, message, path) for name in names for message in messages or [""]]
    return found


def _resolve(node: ast.expr | None, call: ast.Call, scope: ast.AST) -> ast.expr | None:
    """The value last given to a local name before the call."""
    if not isinstance(node, ast.Name):
        return node
    assigned = (n for n in ast.walk(scope) if isinstance(n, ast.Assign) and n.lineno <= call.lineno)
    given = [n for n in assigned if node.id in map(ast.unparse, n.targets)]
    return max(given, key=lambda n: n.lineno).value if given else None


def _texts(node: ast.expr | None) -> list[str]:
    """The texts that an expression can be, placeholders in braces; empty when it is no text written here."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body), *_texts(node.orelse)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(v.value if isinstance(v, ast.Constant) else _placeholder(v) for v in node.values)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [left + right for left in _texts(node.left) or ["{…}"] for right in _texts(node.right) or ["{…}"]]
    return []


def _placeholder(node: ast.expr) -> str:
    """The value that a template leaves open: its name where it has one."""
    value = node.value if isinstance(node, ast.FormattedValue) else node
    return "{" + value.id + "}" if isinstance(value, ast.Name) else "{…}"
