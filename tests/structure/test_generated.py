"""The pages of docs/generated say what the sources say, and are written the same each time (house rule 24)."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / "scripts" / "generate.py"


@pytest.fixture(scope="module")
def generate():
    spec = importlib.util.spec_from_file_location("generate_pages", _SCRIPT)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_those_of_the_sources() -> None:
    done = subprocess.run([sys.executable, _SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_page_names_its_source(repository) -> None:
    pages = {p: t for p, t in repository.files.items() if p.startswith("docs/generated/")}
    assert len(pages) >= 5
    for path, text in pages.items():
        stem = Path(path).stem
        assert text.startswith(f"<!-- Written by scripts/generate.py from scripts/pages/{stem}.py:")


def test_a_page_that_differs_is_stale(generate, tmp_path) -> None:
    (tmp_path / "a.md").write_text("old\n")
    (tmp_path / "gone.md").write_text("text\n")
    (tmp_path / "same.md").write_text("text\n")
    wanted = {"a.md": "new\n", "new.md": "text\n", "same.md": "text\n"}
    assert generate.stale(tmp_path, wanted) == ["a.md", "gone.md", "new.md"]
    assert generate.write(tmp_path, wanted) == ["a.md", "gone.md", "new.md"]
    assert generate.stale(tmp_path, wanted) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.md", "new.md", "same.md"]


def test_what_is_no_page_stays(generate, tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    generate.write(tmp_path, {"a.md": "text\n"})
    assert (tmp_path / "notes.txt").read_text() == "mine"
