"""Every reference that an error or a finding can carry."""

from collections.abc import Iterable
from pathlib import Path

from pages._references import ERRORS, Reference, collect
from pages._table import table

_PACKAGE = Path(__file__).resolve().parents[2] / "src" / "switchboard"
_TEXT = """\
# Errors and findings

An error ends a command: with exit code 2 when input or usage is wrong, with 3 when the machine or the cluster refuses.
A finding is one thing that is wrong with somebody's input; everything else goes on.
`{…}` stands for what differs from case to case.

## Errors

{errors}
## Findings

{findings}"""


def page() -> str:
    """Two tables by reference; one that says several things has them one below the other."""
    found = collect(_PACKAGE)
    errors, findings = ([r for r in found if (r.kind in ERRORS) is wanted] for wanted in (True, False))
    codes = {r.name: str(ERRORS[r.kind]) for r in errors}
    first = table(("reference", "exit code", "what it says", "raised in"), _rows(errors, codes))
    second = table(("reference", "what it says", "found in"), _rows(findings, {}))
    return _TEXT.replace("{errors}", first).replace("{findings}", second)


def _rows(references: list[Reference], codes: dict[str, str]) -> Iterable[list[str]]:
    for name in sorted({r.name for r in references}):
        own = [r for r in references if r.name == name]
        messages = "<br>".join(sorted({_shown(r.message) for r in own if r.message}))
        modules = "<br>".join(f"`{m}`" for m in sorted({r.module for r in own}))
        code = [codes[name]] if name in codes else []
        yield [f"`{name}`", *code, messages, modules]


def _shown(message: str) -> str:
    return message.replace("<", "&lt;").replace("\n", " ")
