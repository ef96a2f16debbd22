"""The controllers: what each is for, which kinds it reads and writes."""

import importlib

from pages._table import table

from switchboard.base.discovery import discover
from switchboard.k8s.kinds import KINDS

_TEXT = """\
# Controllers

Each is a function from a snapshot of the kinds it reads to a plan of writes; reading or writing any other kind fails.

{table}"""
_EVERY = frozenset(kind.kind for kind in KINDS)


def page() -> str:
    """One table, by file name."""
    rows = []
    for stem, controller in discover("switchboard.controllers", "CONTROLLER"):
        module = importlib.import_module(f"switchboard.controllers.{stem}")
        summary = (module.__doc__ or "").partition("\n")[0].replace("``", "`")
        row = (f"`controllers/{stem}.py`", f"`{controller.name}`", summary)
        rows.append((*row, _kinds(controller.reads), _kinds(controller.writes)))
    return _TEXT.format(table=table(("file", "name", "what it does", "reads", "writes"), rows))


def _kinds(kinds: frozenset[str]) -> str:
    return "every kind" if kinds == _EVERY else ", ".join(sorted(kinds))
