"""Extensions are found by file name: one file, one exported constant, the stem is the id.

Called by every package that is open to extension (proxy modes, annotations, controllers, commands).
Importing an extension has no effect beyond defining it; a missing constant stops the start at once.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any


def stems(package: str) -> tuple[str, ...]:
    """Names of the extension modules of a package, sorted; those that begin with ``_`` are not extensions."""
    paths = importlib.import_module(package).__path__
    return tuple(sorted(m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")))


def load(package: str, stem: str, constant: str) -> Any:
    """The exported constant of one extension; raises AttributeError naming the file when it is missing."""
    module = importlib.import_module(f"{package}.{stem}")
    if not hasattr(module, constant):
        raise AttributeError(f"{module.__name__} must export {constant}")
    return getattr(module, constant)


def discover(package: str, constant: str) -> Iterator[tuple[str, Any]]:
    """Every extension of a package as (stem, constant), in the order of the file names."""
    for stem in stems(package):
        yield stem, load(package, stem, constant)
