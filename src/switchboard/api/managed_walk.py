"""Walks over typed values: which fields one has, what differs between two, their merge, and one without some fields.

In: JSON values with their ``Type``.  Out: sets of fields (``managed_set``), or new values; the given ones stay.
Called by ``managed``.
Specification: https://kubernetes.io/docs/reference/using-api/server-side-apply/
Every walk takes time proportional to the values, and recurses as deep as they are nested.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from switchboard.api.managed_set import MEMBER, SELF, Fields, field, item, keyed, union
from switchboard.api.managed_types import ANY, LIST, MAP, SCALAR, Type

ABSENT: Final = msgspec.UNSET


class Comparison(msgspec.Struct, frozen=True):
    """Fields that only the new value has, that differ, and that only the old one had."""

    added: Fields = {}
    modified: Fields = {}
    removed: Fields = {}


def form_of(kind: Type, value: Any) -> str:
    """What a value is treated as: its type's form, and for a type without one its own (null as a mapping)."""
    if kind.form != ANY:
        return kind.form
    if isinstance(value, list):
        return LIST
    return MAP if isinstance(value, dict) or value is None else SCALAR


def atomic(kind: Type, form: str) -> bool:
    """Whether a value of this form has one owner; lists without a type always do."""
    return kind.atomic or (kind.form == ANY and form == LIST)


def element_of(kind: Type, value: Any) -> str:
    """The path element of a list's item; raises ValueError for an item that has none."""
    if not kind.keys:
        if isinstance(value, dict):
            raise ValueError("associative list without keys has an element that's a map type")
        if isinstance(value, list):
            raise ValueError("not supported: associative list with lists as elements")
        if value is None:
            raise ValueError("associative list without keys has an element that's an explicit null")
        return item(value)
    if value is None:
        raise ValueError("associative list with keys may not have a null element")
    if not isinstance(value, dict):
        raise ValueError("associative list with keys may not have non-map elements")
    found = {}
    for key in kind.keys:
        part = value[key] if key in value else kind.key_default(key)
        if part is not None or key in value:
            found[key] = part
    if not found:
        named = " ".join(f'"{key}"' for key in kind.keys)
        raise ValueError(
            f"associative list with keys has an element that omits all key fields [{named}] "
            "(and doesn't have default values for any key fields)"
        )
    return keyed(found)


def fields_of(kind: Type, value: Any) -> Fields:
    """The fields that a configuration sets: its leaves, and the items of sets and keyed lists."""
    form = form_of(kind, value)
    if form == SCALAR or atomic(kind, form):
        return MEMBER
    found: Fields = {}
    if form == LIST and isinstance(value, list):
        for element, items in _grouped(kind, value).items():
            below = fields_of(kind.items(), items[0]) if len(items) == 1 else {}
            found[element] = union(below, MEMBER)
    elif form == MAP and isinstance(value, dict):
        for name, inner in value.items():
            member = kind.member(name)
            below = fields_of(member, inner) if member else {}
            if inner is None or inner == {} or not kind.declared(name):
                below = union(below, MEMBER)
            if below:
                found[field(name)] = below
    return found


def compare(kind: Type, old: Any, new: Any) -> Comparison:
    """What differs between two values of a type; ``ABSENT`` stands for no value at all."""
    added, modified, removed = _compare(kind, old, new)
    return Comparison(*({e: below for e, below in s.items() if e != SELF} for s in (added, modified, removed)))


_Sets = tuple[Fields, Fields, Fields]
_NOTHING: Final[_Sets] = ({}, {}, {})


def _compare(kind: Type, old: Any, new: Any) -> _Sets:
    old_form = form_of(kind, new if old is ABSENT else old)
    new_form = form_of(kind, old if new is ABSENT else new)
    if old_form == new_form:
        return _compare_as(kind, new_form, old, new)
    return _both(_compare_as(kind, old_form, old, new), _compare_as(kind, new_form, old, new))


def _compare_as(kind: Type, form: str, old: Any, new: Any) -> _Sets:
    container = dict if form == MAP else list
    before: Any = old if isinstance(old, container) else container()
    after: Any = new if isinstance(new, container) else container()
    if form == SCALAR or atomic(kind, form) or not (before or after):
        return _leaf(old, new)
    if old == new and old is not ABSENT:
        return _NOTHING
    found = _compare_members(kind, before, after, old, new) if form == MAP else _compare_items(kind, before, after)
    if old is ABSENT:
        found[0][SELF] = {}
    elif new is ABSENT:
        found[2][SELF] = {}
    return found


def _leaf(old: Any, new: Any) -> _Sets:
    if old is ABSENT:
        return MEMBER, {}, {}
    if new is ABSENT:
        return {}, {}, MEMBER
    return ({}, {}, {}) if old == new else ({}, MEMBER, {})


def _compare_members(kind: Type, before: Any, after: Any, old: Any, new: Any) -> _Sets:
    found: _Sets = ({}, {}, {})
    for name in {**before, **after}:
        member = kind.member(name)
        if member is None:
            continue
        was, now = before.get(name, ABSENT), after.get(name, ABSENT)
        if member.always and was is ABSENT and old is not ABSENT:
            was = {} if member.form == MAP else []
        if member.always and now is ABSENT and new is not ABSENT:
            now = {} if member.form == MAP else []
        _place(found, field(name), _compare(member, was, now))
    return found


def _compare_items(kind: Type, before: list[Any], after: list[Any]) -> _Sets:
    found: _Sets = ({}, {}, {})
    left, right = _grouped(kind, before), _grouped(kind, after)
    for element in {**left, **right}:
        was, now = left.get(element, []), right.get(element, [])
        if len(was) <= 1 and len(now) <= 1:
            sets = _compare(kind.items(), was[0] if was else ABSENT, now[0] if now else ABSENT)
        elif len(was) > 1 and len(now) > 1:
            sets = ({}, {} if was == now else MEMBER, {})
        elif len(was) > 1:
            sets = _both(_compare(kind.items(), ABSENT, now[0]) if now else _NOTHING, ({}, {}, MEMBER))
        else:
            sets = _both(_compare(kind.items(), was[0], ABSENT) if was else _NOTHING, (MEMBER, {}, {}))
        _place(found, element, sets)
    return found


def _grouped(kind: Type, values: list[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for value in values:
        found.setdefault(element_of(kind, value), []).append(value)
    return found


def _place(found: _Sets, element: str, below: _Sets) -> None:
    for sets, inner in zip(found, below, strict=True):
        if inner:
            sets[element] = inner


def _both(one: _Sets, other: _Sets) -> _Sets:
    return union(one[0], other[0]), union(one[1], other[1]), union(one[2], other[2])


def remove(kind: Type, value: Any, fields: Fields) -> Any:
    """The value without the members of a set; a mapping or list of which nothing is left becomes null."""
    form = form_of(kind, value)
    if form == SCALAR:
        return value
    if not value or atomic(kind, form):
        return None
    if form == LIST and isinstance(value, list):
        kept = []
        for inner in value:
            below = fields.get(element_of(kind, inner), {})
            if SELF not in below:
                kept.append(remove(kind.items(), inner, below) if below else inner)
        return kept or None
    found = {}
    for name, inner in value.items():
        below = fields.get(field(name), {})
        if SELF in below:
            continue
        member = kind.member(name)
        found[name] = remove(member, inner, below) if below and member else inner
    return found or None


def with_named(kind: Type | None, fields: Fields) -> Fields:
    """The set with every declared field on the way to a member as a member too; keys of mappings are none."""
    found: Fields = {}
    for element, below in fields.items():
        if element == SELF:
            found[SELF] = {}
            continue
        name = element[2:]
        named = element.startswith("f:")
        inner = with_named(_below(kind, element), below)
        if named and kind is not None and kind.declared(name) and SELF not in inner:
            inner = {**inner, SELF: {}}
        found[element] = inner
    return found


def _below(kind: Type | None, element: str) -> Type | None:
    if kind is None or kind.form == SCALAR:
        return None
    if element.startswith("f:"):
        return kind.member(element[2:]) if kind.form != LIST else None
    return kind.items() if kind.form != MAP else None
