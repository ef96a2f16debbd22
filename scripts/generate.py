"""Writes docs/generated from the sources, one page for each file of ``scripts/pages``.

``generate.py`` writes what differs, ``generate.py --check`` says what does and exits with 1.
A page is a module with a docstring and ``page() -> str``; its file name is the name of the page.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "docs" / "generated"
_NOTE = "<!-- Written by scripts/generate.py from {source}: change the source, then run `make generate`. -->\n\n"


def pages() -> dict[str, str]:
    """Every page: file name to content."""
    if str(HERE) not in sys.path:
        sys.path.insert(0, str(HERE))
    found = {}
    for path in sorted((HERE / "pages").glob("[a-z]*.py")):
        text = importlib.import_module(f"pages.{path.stem}").page()
        note = _NOTE.format(source=f"scripts/pages/{path.name}")
        found[f"{path.stem}.md"] = note + text.rstrip("\n") + "\n"
    return found


def stale(target: Path, wanted: dict[str, str]) -> list[str]:
    """Names of pages in ``target`` that are missing, differ, or have no source any more."""
    present = {path.name: path.read_text(encoding="utf-8") for path in target.glob("*.md")}
    return sorted(name for name in present.keys() | wanted.keys() if present.get(name) != wanted.get(name))


def write(target: Path, wanted: dict[str, str]) -> list[str]:
    """Makes ``target`` hold these pages and no others; returns the names of those that changed."""
    names = stale(target, wanted)
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        if name in wanted:
            (target / name).write_text(wanted[name], encoding="utf-8")
        else:
            (target / name).unlink()
    return names


def main() -> int:
    """0 when nothing is stale or everything has been written, 1 when ``--check`` finds something."""
    parser = argparse.ArgumentParser(description="Writes docs/generated from the sources.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a page is stale")
    check = parser.parse_args().check
    names = stale(TARGET, pages()) if check else write(TARGET, pages())
    for name in names:
        print(f"docs/generated/{name} {'is stale: run `make generate`' if check else 'written'}")
    return 1 if check and names else 0


if __name__ == "__main__":
    sys.exit(main())
