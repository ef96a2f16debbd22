"""Manifest files from disk and standard input, as ``-f`` and ``-R`` name them.

In: paths.  Out: the texts with their names; unreadable input raises UsageError with a hint.
Called by ``cli`` and ``run``; the texts go to ``k8s.manifests``.
Specification: kubectl's ``-f``: a directory means its *.yaml, *.yml and *.json files, ``-`` standard input.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from switchboard.base.errors import UsageError

ENDINGS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read(paths: Iterable[str], recursive: bool, stdin: Callable[[], bytes]) -> list[tuple[str, str]]:
    """(name, text) of every file in order, directories sorted by name; raises UsageError.

    Args:
        paths: files, directories or ``-``.
        recursive: whether directories are read with all below them.
        stdin: reads standard input to its end; called at most once.
    """
    texts: list[tuple[str, str]] = []
    seen_stdin = False
    for path in paths:
        if path == "-":
            if seen_stdin:
                raise UsageError("stdin-twice", "`-f -` is given twice.", hint="Standard input can be read once.")
            seen_stdin = True
            texts.append(("<stdin>", _decoded(stdin(), "<stdin>")))
            continue
        texts.extend((str(file), _decoded(_content(file), str(file))) for file in _files(Path(path), recursive))
    return texts


def _files(path: Path, recursive: bool) -> Iterator[Path]:
    if not path.exists():
        hint = "Check the path; `-f -` reads standard input."
        raise UsageError("no-such-file", f"There is no file or directory {path}.", hint=hint)
    if not path.is_dir():
        yield path
        return
    try:
        found = sorted(path.rglob("*") if recursive else path.iterdir())
    except OSError as error:
        raise UsageError("unreadable-file", f"{path} cannot be listed: {error.strerror}.") from error
    kustomization = next((p for p in found if p.name in KUSTOMIZATIONS and p.parent == path), None)
    if kustomization is not None:
        hint = f"Make plain manifests of it: kubectl kustomize {path} | switchboard ... -f -"
        raise UsageError("kustomization", f"{path} is a kustomization.", hint=hint)
    files = [p for p in found if p.suffix in ENDINGS and p.is_file()]
    if not files:
        below = not recursive and any(p.is_dir() for p in found)
        hint = "Add -R to read the directories below it." if below else f"Manifests end in {', '.join(ENDINGS)}."
        raise UsageError("no-manifests", f"{path} has no manifests.", hint=hint)
    yield from files


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        hint = "Check that you may read it."
        raise UsageError("unreadable-file", f"{path} cannot be read: {error.strerror}.", hint=hint) from error


def _decoded(content: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        hint = "Save it as UTF-8."
        raise UsageError("not-utf-8", f"{name} is not {encoding} text.", context=f"line {line}", hint=hint) from error
