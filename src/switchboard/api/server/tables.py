"""Tables: what ``kubectl get`` prints, made by the server.

In: objects, columns of their kind (``columns``) and the current time.  Out: a Table object of meta.k8s.io/v1.
Called by the answers.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from switchboard.k8s import names
from switchboard.k8s.objects import Object, metadata

# What a cell is made of: the object and the time.
Cell = Callable[[Object, datetime], Any]


class Column(msgspec.Struct, frozen=True):
    """One column; those of priority 1 are shown with ``-o wide``."""

    name: str
    cell: Cell
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


Columns = tuple[Column, ...]


def table(columns: Columns, rows: list[Object], *, definitions: bool = True) -> Object:
    """A Table; later events of a watch leave the definitions out."""
    defined = [
        {"name": c.name, "type": c.type, "format": c.format, "description": c.description, "priority": c.priority}
        for c in columns
    ]
    return {
        "kind": "Table",
        "apiVersion": f"{names.META}/v1",
        "metadata": {},
        "columnDefinitions": defined if definitions else [],
        "rows": rows,
    }


def rows_of(columns: Columns, objects: Iterable[Object], now: datetime, include: str = "Metadata") -> list[Object]:
    """One row for each object; ``include`` says what of the object comes with it: Metadata, Object or None."""
    return [{"cells": [c.cell(obj, now) for c in columns], "object": _included(obj, include)} for obj in objects]


def _included(obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {"kind": "PartialObjectMetadata", "apiVersion": f"{names.META}/v1", "metadata": metadata(obj)}


def age(text: object, now: datetime) -> str:
    """The time since a moment in RFC 3339 as kubectl prints it; ``<unknown>`` without one."""
    moment = moment_of(text)
    return "<unknown>" if moment is None else duration(now - moment)


def moment_of(text: object) -> datetime | None:
    """A moment in RFC 3339, None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def duration(span: timedelta) -> str:
    """Two units at most: ``12s``, ``3m20s``, ``45m``, ``5h12m``, ``3d4h``, ``40d``, ``2y30d``."""
    seconds = int(span.total_seconds())
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    years = days // 365
    steps: Sequence[tuple[bool, int, str, int, str]] = (
        (seconds < 120, seconds, "s", 0, ""),
        (minutes < 10, minutes, "m", seconds % 60, "s"),
        (minutes < 180, minutes, "m", 0, ""),
        (hours < 8, hours, "h", minutes % 60, "m"),
        (hours < 48, hours, "h", 0, ""),
        (days < 8, days, "d", hours % 24, "h"),
        (years < 2, days, "d", 0, ""),
        (years < 8, years, "y", days % 365, "d"),
        (True, years, "y", 0, ""),
    )
    return next(f"{a}{x}{b}{y}" if b else f"{a}{x}" for fits, a, x, b, y in steps if fits)
