"""The repository as text and syntax trees, so that a rule needs no import; and small ones that break it on purpose.

``repository`` is the real one, ``planted`` makes one from a few texts.  ``ratchet`` compares what a rule found with
what is excused: an excuse that is no longer needed fails as well, so a list of excuses can only shrink.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PURE = ("api", "base", "checks", "compile", "controllers", "doctor", "k8s", "release", "rules", "trace", "view")
_TOP = ("src", "tests", "scripts", "docs", "examples", "changelog.d", ".ci")
_CODE = "src/switchboard/"
# Linked from the package to the directory at the top; everything in it would count twice.
_LINKED = f"{_CODE}examples"


@dataclass(frozen=True)
class Module:
    """One Python file; ``path`` is relative to the root and written with slashes."""

    path: str
    text: str

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.text, self.path)

    @property
    def inside(self) -> str:
        """The path below the package."""
        return self.path.removeprefix(_CODE)

    @property
    def package(self) -> str:
        """The first package below ``switchboard``, empty at its top."""
        return self.inside.partition("/")[0] if "/" in self.inside else ""

    @property
    def pure(self) -> bool:
        return self.package in _PURE


class Repository:
    """Files below a root that people wrote."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def files(self) -> dict[str, str]:
        """Texts by path; recorded cases are data of other programs and are left out, with what is no text."""
        found = {}
        paths = [p for p in self.root.iterdir() if p.is_file()]
        paths += [p for top in _TOP for p in (self.root / top).rglob("*") if p.is_file()]
        for path in sorted(paths):
            name = path.relative_to(self.root).as_posix()
            left_out = name.startswith((_LINKED, "tests/cases/", "tests/golden/")) or "__pycache__" in name
            if left_out or ".egg-info" in name:
                continue
            try:
                found[name] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue
        return found

    @cached_property
    def python(self) -> tuple[Module, ...]:
        """Every Python file."""
        return tuple(Module(path, text) for path, text in self.files.items() if path.endswith(".py"))

    @property
    def modules(self) -> Iterator[Module]:
        """The modules of the package."""
        return (m for m in self.python if m.path.startswith(_CODE))

    @property
    def documents(self) -> dict[str, str]:
        """The pages for people."""
        return {path: text for path, text in self.files.items() if path.endswith(".md")}

    def exists(self, path: str) -> bool:
        return (self.root / path).exists()


@pytest.fixture(scope="session")
def repository() -> Repository:
    return Repository(_ROOT)


@pytest.fixture
def planted(tmp_path: Path):
    def plant(files: Mapping[str, str]) -> Repository:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Repository(tmp_path)

    return plant


@pytest.fixture(scope="session")
def ratchet():
    def compare(found: Iterable[str], excused: Mapping[str, str]) -> None:
        found = set(found)
        broken = sorted(found - set(excused))
        needless = sorted(set(excused) - found)
        assert not broken, "the rule is broken by " + "; ".join(broken)
        assert not needless, "no longer needed, so take the excuse away: " + "; ".join(needless)
        assert all(excused.values()), "an excuse says why"

    return compare
