"""Cells that many kinds share: names, ages, lists, selectors.

In: an object and the time.  Out: a text or a number.
Called by the columns of each group of kinds.
Specification: pkg/printers/internalversion of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from switchboard.api.server.tables import Column, age, moment_of
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, text

NONE, UNSET, UNKNOWN = "<none>", "<unset>", "<unknown>"


def column(name: str, read: Callable[[Object], Any], *, wide: bool = False, type_: str = "string") -> Column:
    """A column that needs no clock."""
    return Column(name, lambda obj, now: read(obj), type_, "", 1 if wide else 0)


def since(name: str, read: Callable[[Object], Any], *, wide: bool = False) -> Column:
    """A column of the time since a moment."""
    return Column(name, lambda obj, now: age(read(obj), now), "string", "", 1 if wide else 0)


def _created(obj: Object) -> Any:
    return objects.metadata(obj).get("creationTimestamp")


NAME = Column("Name", lambda obj, now: objects.name(obj), "string", "name")
AGE = since("Age", _created)


def at(*path: str, default: Any = "") -> Callable[[Object], Any]:
    """Reads a field by its path."""

    def read(obj: Object) -> Any:
        value: Any = obj
        for part in path:
            value = mapping(value).get(part)
        return default if value is None else value

    return read


def joined(values: Iterable[object], empty: str = NONE) -> str:
    """Texts with commas between."""
    return ",".join(str(v) for v in values) or empty


def labels(found: Mapping[str, Any]) -> str:
    """``a=b,c=d``, sorted."""
    return joined(f"{k}={v}" for k, v in sorted(found.items()))


def selector(obj: object) -> str:
    """A LabelSelector as kubectl prints it."""
    found = mapping(obj)
    terms = [f"{k}={v}" for k, v in sorted(mapping(found.get("matchLabels")).items())]
    for expression in sequence(found.get("matchExpressions")):
        term = mapping(expression)
        key, values = term.get("key"), joined(sorted(map(str, sequence(term.get("values")))), "")
        operator = term.get("operator")
        if operator == "Exists":
            terms.append(f"{key}")
        elif operator == "DoesNotExist":
            terms.append(f"!{key}")
        else:
            terms.append(f"{key} {'in' if operator == 'In' else 'notin'} ({values})")
    return joined(terms)


def containers(template: object) -> list[dict[str, Any]]:
    """The containers of a Pod's or a template's spec."""
    return [c for c in sequence(mapping(mapping(template).get("spec")).get("containers")) if isinstance(c, dict)]


def names_of(template: object) -> str:
    """Names of its containers."""
    return joined((text(c.get("name")) for c in containers(template)), "")


def images_of(template: object) -> str:
    """Images of its containers."""
    return joined((text(c.get("image")) for c in containers(template)), "")


def template(obj: Object) -> dict[str, Any]:
    """The Pod template of a workload."""
    return mapping(objects.spec(obj).get("template"))


def whole(obj: Object, part: str, field: str, default: int = 0) -> int:
    """A number of spec or status."""
    found = mapping(obj.get(part)).get(field)
    return found if isinstance(found, int) else default


def between(start: object, end: object, now: datetime) -> str:
    """The time from one moment to another, or to now; empty without a start."""
    first, last = moment_of(start), moment_of(end)
    return "" if first is None else age(text(start), last or now)
