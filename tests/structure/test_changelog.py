"""Fragments of the changelog: one file for each visible change, one sentence (house rule 25)."""

import re

import pytest

_KINDS = ("added", "changed", "fixed", "removed", "security")
_NAME = re.compile(rf"changelog\.d/[a-z0-9-]+\.(?:{'|'.join(_KINDS)})\.md")


def faults(repository) -> set[str]:
    found = set()
    for path, text in repository.files.items():
        if not path.startswith("changelog.d/"):
            continue
        if not _NAME.fullmatch(path):
            found.add(f"{path} is not named what.kind.md, where kind is one of {', '.join(_KINDS)}")
        if not re.fullmatch(r"[A-Z`][^\n]*\.\n", text) or re.search(r"[.!?] [A-Z]", text):
            found.add(f"{path} is not one sentence")
    return found


def test_fragments_are_well_formed(repository) -> None:
    assert any(path.startswith("changelog.d/") for path in repository.files)
    assert not faults(repository)


@pytest.mark.parametrize(
    ("name", "text", "well"),
    [
        ("trace.added.md", "The command `trace` shows paths.\n", True),
        ("trace.added.md", "The command. It shows paths.\n", False),
        ("trace.added.md", "the command shows paths\n", False),
        ("trace.added.md", "", False),
        ("trace.md", "The command shows paths.\n", False),
        ("trace.new.md", "The command shows paths.\n", False),
    ],
)
def test_the_rule_sees(planted, name: str, text: str, well: bool) -> None:
    assert (not faults(planted({f"changelog.d/{name}": text}))) is well
