"""Extensions are found by their file names."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from switchboard.base.discovery import discover, load, stems


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package with two extensions and a part that is none."""
    name = f"extensions_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name
    folder.mkdir()
    files = {"__init__": "", "second": "THING = 2\n", "first": "THING = 1\n", "_part": "", "empty": ""}
    for stem, text in files.items():
        (folder / f"{stem}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield name
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def test_stems_are_sorted_and_leave_parts_out(package: str) -> None:
    assert stems(package) == ("empty", "first", "second")


def test_load_gives_the_constant(package: str) -> None:
    assert load(package, "first", "THING") == 1


def test_a_missing_constant_is_named_with_its_file(package: str) -> None:
    with pytest.raises(AttributeError, match=rf"{package}\.empty must export THING"):
        list(discover(package, "THING"))
