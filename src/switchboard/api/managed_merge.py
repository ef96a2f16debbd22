"""Merging an applied configuration into a live object, and checking that it fits its type.

In: JSON values with their ``Type``.  Out: a new value, or what is wrong with one.
Called by ``managed``.
Specification: https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
Items of a list keep the applied order among themselves; those that only the live list has stay where they were.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.api.managed_set import paths
from switchboard.api.managed_types import ANY, MAP, SCALAR, Type
from switchboard.api.managed_walk import ABSENT, atomic, element_of, form_of

_MOST_ERRORS: Final = 20


def merge(kind: Type, live: Any, applied: Any) -> Any:
    """The live value with the applied one laid over it; the answer may share parts with both."""
    if applied is ABSENT:
        return live
    if live is ABSENT:
        return applied
    form = form_of(kind, applied)
    if form == SCALAR or atomic(kind, form) or form_of(kind, live) != form:
        return applied
    if form == MAP:
        return _merge_members(kind, live if isinstance(live, dict) else {}, applied)
    return _merge_items(kind, live if isinstance(live, list) else [], applied)


def _merge_members(kind: Type, live: dict[str, Any], applied: Any) -> Any:
    if not applied:
        return live or applied
    found = dict(live)
    for name, value in applied.items():
        member = kind.member(name)
        found[name] = merge(member, live.get(name, ABSENT), value) if member else value
    return found


def _merge_items(kind: Type, live: list[Any], applied: Any) -> Any:
    """Walk both lists: what only the live list has is taken as it comes, what both have in the applied order."""
    if not applied:
        return live or applied
    right = {element_of(kind, value): value for value in applied}
    order = list(right)
    left: dict[str, Any] = {}
    elements = [element_of(kind, value) for value in live]
    for element, value in zip(elements, live, strict=True):
        # Items that occur twice are replaced, not merged: nobody can say which one is meant.
        left[element] = ABSENT if element in left else value
    shared = iter([element for element in order if element in left])
    wanted = next(shared, None)
    found: list[Any] = []
    done: set[str] = set()
    i = j = 0
    while i < len(live) or j < len(order):
        if i < len(live):
            element = elements[i]
            if element not in right:
                found.append(live[i])
                i += 1
                continue
            if element in done or (j < len(order) and wanted is not None and wanted != element):
                i += 1
                continue
        if j >= len(order):
            i += 1
            continue
        element = order[j]
        found.append(merge(kind.items(), left.get(element, ABSENT), right[element]))
        done.add(element)
        j += 1
        if element == wanted:
            wanted = next(shared, None)
    return found


def errors(kind: Type, value: Any, *, duplicates: bool = False, where: str = "") -> list[str]:
    """Why a value does not fit its type, as ``.spec.nope: field not declared in schema``; at most twenty reasons."""
    found: list[str] = []
    _check(kind, value, duplicates, where, found)
    return found[:_MOST_ERRORS]


def _check(kind: Type, value: Any, duplicates: bool, where: str, found: list[str]) -> None:
    if value is None or kind.form == ANY or len(found) > _MOST_ERRORS:
        return
    if kind.form == SCALAR:
        if not _fits(kind.scalar, value):
            found.append(f"{where}: {_expected(kind.scalar)}")
    elif kind.form == MAP:
        _check_members(kind, value, duplicates, where, found)
    elif not isinstance(value, list):
        found.append(f"{where}: expected list, got {_spoken(value)}")
    else:
        _check_items(kind, value, duplicates, where, found)


def _check_members(kind: Type, value: Any, duplicates: bool, where: str, found: list[str]) -> None:
    if not isinstance(value, dict):
        found.append(f"{where}: expected map, got {_spoken(value)}")
        return
    for name, inner in value.items():
        member = kind.member(name)
        if member is None:
            found.append(f"{where}.{name}: field not declared in schema")
            return
        _check(member, inner, duplicates, f"{where}.{name}", found)


def _check_items(kind: Type, value: list[Any], duplicates: bool, where: str, found: list[str]) -> None:
    seen = set()
    for index, inner in enumerate(value):
        place = f"{where}[{index}]"
        if not kind.atomic:
            try:
                element = element_of(kind, inner)
            except ValueError as error:
                found.append(f"{where}: element {index}: {error}")
                return
            spoken = next(paths({element: {".": {}}}))
            if element in seen and not duplicates:
                found.append(f"{where}: duplicate entries for key {spoken}")
            seen.add(element)
            place = where + spoken
        _check(kind.items(), inner, duplicates, place, found)


def _fits(scalar: str, value: Any) -> bool:
    if isinstance(value, dict | list):
        return False
    if scalar == "numeric":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if scalar == "string":
        return isinstance(value, str)
    return isinstance(value, bool) if scalar == "boolean" else True


def _expected(scalar: str) -> str:
    return {
        "numeric": "expected numeric (int or float)",
        "string": "expected string",
        "boolean": "expected boolean",
    }.get(scalar, "expected any scalar")


def _spoken(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "map" if isinstance(value, dict) else "list"
    return f'"{value}"' if isinstance(value, str) else str(value)
