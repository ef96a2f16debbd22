"""Printer columns of custom resources: cells of what ``kubectl get`` prints.

In: a version's ``additionalPrinterColumns``, and an object.  Out: column facts and cells.
Called by ``registry`` and by the server's tables.
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#additional-printer-columns
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from switchboard.api.crds import paths
from switchboard.k8s.objects import Object

TYPES: Final = ("boolean", "date", "integer", "number", "string")
FORMATS: Final = ("int32", "int64", "float", "double", "byte", "date", "date-time", "password")


class Column(msgspec.Struct, frozen=True):
    """One column: ``path`` as parsed; ``priority`` above 0 is shown with ``-o wide``."""

    name: str
    path: paths.Path
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


AGE: Final = Column(
    "Age",
    paths.parse(".metadata.creationTimestamp") or (),
    "date",
    description="CreationTimestamp is a timestamp representing the server time when this object was created.",
)


def columns_of(version: dict[str, Any]) -> tuple[Column, ...]:
    """The columns after the name: those of the definition, or the age where it has none."""
    defined = version.get("additionalPrinterColumns") or ()
    found = tuple(
        Column(
            name=c["name"],
            path=paths.parse(c["jsonPath"]) or (),
            type=c["type"],
            format=c.get("format", ""),
            priority=c.get("priority", 0),
            description=c.get("description", ""),
        )
        for c in defined
    )
    return found or (AGE,)


def cell(column: Column, obj: Object) -> Any:
    """The value of a cell, None when there is nothing of its type; a ``date`` is the time as it stands there."""
    found = paths.find(column.path, obj)
    if not found:
        return None
    if column.type == "string":
        return ",".join(_text(v) for v in found) if len(found) > 1 else _text(found[0])
    value = found[0]
    if column.type == "integer":
        return value if isinstance(value, int) and not isinstance(value, bool) else None
    if column.type == "number":
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if column.type == "boolean":
        return value if isinstance(value, bool) else None
    return value if isinstance(value, str) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else msgspec.json.encode(value).decode()
