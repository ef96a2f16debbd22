"""References of errors and findings are kebab-case words, and each is in the generated catalogue (house rule 17)."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

_SCRIPTS = Path(__file__).parents[2] / "scripts"
# A word may be left open: ``no-{package}``.
_KEBAB = re.compile(r"(?:[a-z][a-z0-9]*|\{[a-z_]+\})(?:-(?:[a-z0-9]+|\{[a-z_]+\}))*\Z")


@pytest.fixture(scope="module")
def collect():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(_SCRIPTS))
        yield import_module("pages._references").collect
    for name in [n for n in sys.modules if n == "pages" or n.startswith("pages.")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def found(repository, collect) -> set[str]:
    return {reference.name for reference in collect(repository.root / "src/switchboard")}


def test_references_are_kebab_case(found) -> None:
    assert len(found) > 50
    assert not sorted(name for name in found if not _KEBAB.match(name))


def test_references_are_documented(repository, found) -> None:
    page = repository.files["docs/generated/errors.md"]
    assert not sorted(name for name in found if f"| `{name}` |" not in page)


@pytest.mark.parametrize("name", ["noNftables", "no_nftables", "No-nftables", "no-", "-no", "no nftables", ""])
def test_other_spellings_are_refused(name: str) -> None:
    assert not _KEBAB.match(name)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('raise MachineError("a-b", "Text.")\n', ("a-b", "MachineError", "Text.")),
        ('raise UsageError("a-b", message="Text.")\n', ("a-b", "UsageError", "Text.")),
        ('x = Finding(reference="a-b", message=f"No {name} in {y.z}.")\n', ("a-b", "Finding", "No {name} in {…}.")),
        (
            'def f(x, ref, say):\n    return Finding(reference=ref, message=say)\nf(1, "a-b", "Text.")\n',
            ("a-b", "Finding", "Text."),
        ),
        (
            "class C:\n    def warn(self, reference):\n        self._add(reference, 'Text.')\n"
            "    def _add(self, reference, message):\n        Finding(reference=reference, message=message)\n"
            "C().warn('a-b')\n",
            ("a-b", "Finding", ""),
        ),
        (
            'def f():\n    say = "Text."\n    return Finding(reference="a-b", message=say)\n',
            ("a-b", "Finding", "Text."),
        ),
    ],
)
def test_collecting_sees(tmp_path, collect, text: str, found: tuple[str, str, str]) -> None:
    (tmp_path / "a.py").write_text(text)
    assert [(r.name, r.kind, r.message) for r in collect(tmp_path)] == [found]


def test_collecting_leaves_other_calls_alone(tmp_path, collect) -> None:
    (tmp_path / "a.py").write_text('f("a-b")\nKeyError("c-d")\n')
    assert collect(tmp_path) == []
