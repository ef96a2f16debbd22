"""Pure packages reach no file, process, clock, socket or random source: those are arguments (house rule 1)."""

import ast

import pytest

# What must not be imported, and why.
BANNED_IMPORTS = {
    "asyncio": "waiting is the rim's work",
    "click": "people are asked in cli",
    "concurrent": "threads are the rim's",
    "ctypes": "calls of the kernel belong in apply",
    "envoy": "programs are started in apply",
    "fcntl": "locks are in run",
    "h2": "protocols of sockets are in serve",
    "http": "protocols of sockets are in serve",
    "httptools": "protocols of sockets are in serve",
    "io": "values come in and go out whole",
    "logging": "what is worth telling is a finding",
    "multiprocessing": "processes are in run",
    "os": "the machine is an argument",
    "pathlib": "files are read and written in apply",
    "pyroute2": "netlink is in apply",
    "random": "randomness is an argument",
    "rich": "rendering is in cli",
    "secrets": "randomness is an argument",
    "select": "sockets are in serve",
    "selectors": "sockets are in serve",
    "shutil": "files are read and written in apply",
    "signal": "signals are in run",
    "socket": "sockets are in serve",
    "ssl": "sockets are in serve",
    "subprocess": "programs are started in apply",
    "sys": "the process is an argument",
    "tempfile": "files are read and written in apply",
    "threading": "threads are the rim's",
    "time": "the clock is an argument",
    "urllib.request": "sockets are in serve",
    "uuid": "randomness is an argument",
    "uvloop": "waiting is the rim's work",
    "wsproto": "protocols of sockets are in serve",
}
# What must not be called, written as in the source; a leading dot is a method of anything.
BANNED_CALLS = {
    "open": "files are read and written in apply",
    "print": "what is worth telling is a finding",
    "input": "people are asked in cli",
    "breakpoint": "people are asked in cli",
    "datetime.now": "the clock is an argument",
    "datetime.utcnow": "the clock is an argument",
    "datetime.today": "the clock is an argument",
    "date.today": "the clock is an argument",
    "datetime.datetime.now": "the clock is an argument",
    "datetime.datetime.utcnow": "the clock is an argument",
    "datetime.date.today": "the clock is an argument",
    "os.urandom": "randomness is an argument",
    ".read_text": "files are read in apply",
    ".read_bytes": "files are read in apply",
    ".write_text": "files are written in apply",
    ".write_bytes": "files are written in apply",
}
EXCUSED = {
    "k8s/protobuf.py calls .read_bytes": "the numbers of fields are data of this package, read once",
    "k8s/schemas.py imports pathlib": "the schemas are data of an installed package, read once",
    "k8s/schemas.py calls .read_bytes": "the schemas are data of an installed package, read once",
}


def imported(tree: ast.AST) -> set[str]:
    """Full names of everything that is imported anywhere in a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def faults(repository) -> set[str]:
    found = set()
    for module in (m for m in repository.modules if m.pure):
        for name in imported(module.syntax):
            banned = [b for b in BANNED_IMPORTS if name == b or name.startswith(f"{b}.")]
            found |= {f"{module.inside} imports {b}" for b in banned}
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                called = {ast.unparse(node.func)}
                if isinstance(node.func, ast.Attribute):
                    called.add(f".{node.func.attr}")
                found |= {f"{module.inside} calls {name}" for name in called & set(BANNED_CALLS)}
    return found


def test_pure_packages_touch_nothing_outside(repository, ratchet) -> None:
    assert sum(m.pure for m in repository.modules) > 100
    ratchet(faults(repository), EXCUSED)


@pytest.mark.parametrize(
    ("path", "text", "fault"),
    [
        ("base/a.py", "import socket\n", "base/a.py imports socket"),
        ("view/build/a.py", "from os import path\n", "view/build/a.py imports os"),
        ("api/a.py", "def f():\n    from urllib.request import urlopen\n", "api/a.py imports urllib.request"),
        ("rules/a.py", "print(1)\n", "rules/a.py calls print"),
        ("k8s/a.py", "x = datetime.now(UTC)\n", "k8s/a.py calls datetime.now"),
        ("trace/a.py", "x = path().read_text()\n", "trace/a.py calls .read_text"),
    ],
)
def test_the_rule_sees(planted, path: str, text: str, fault: str) -> None:
    assert faults(planted({f"src/switchboard/{path}": text})) == {fault}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("run/a.py", "import socket\nprint(1)\n"),
        ("base/a.py", "from urllib.parse import urlsplit\nimport statistics\nx = datetime.fromisoformat(t)\n"),
    ],
)
def test_the_rule_leaves_alone(planted, path: str, text: str) -> None:
    assert not faults(planted({f"src/switchboard/{path}": text}))
