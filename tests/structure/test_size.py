"""Modules of at most 500 lines, functions of at most 60 (house rule 18); tests may be as long as their tables."""

import ast

import pytest

MODULE, FUNCTION = 500, 60
EXCUSED: dict[str, str] = {}


def faults(repository) -> set[str]:
    found = set()
    for module in repository.python:
        if module.path.startswith("tests/"):
            continue
        if len(module.text.splitlines()) > MODULE:
            found.add(module.path)
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                if node.end_lineno - node.lineno + 1 > FUNCTION:
                    found.add(f"{module.path}:{node.name}")
    return found


def test_nothing_is_too_long(repository, ratchet) -> None:
    ratchet(faults(repository), EXCUSED)


def _function(lines: int) -> str:
    return "def f():\n" + "    pass\n" * (lines - 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\n" * MODULE, set()),
        ("x = 1\n" * (MODULE + 1), {"src/switchboard/run/a.py"}),
        (_function(FUNCTION), set()),
        (_function(FUNCTION + 1), {"src/switchboard/run/a.py:f"}),
        ("class C:\n    async " + _function(FUNCTION + 1).replace("\n", "\n    "), {"src/switchboard/run/a.py:f"}),
    ],
)
def test_the_rule_sees(planted, text: str, fault: set[str]) -> None:
    assert faults(planted({"src/switchboard/run/a.py": text})) == fault
