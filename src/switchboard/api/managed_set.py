"""Sets of fields as managed fields keep them: a tree of path elements, its set operations, and its wire form.

In: ``fieldsV1`` of an entry, or sets that ``managed_walk`` made.  Out: sets, ``fieldsV1``, paths for people.
Called by the other modules of managed fields.
Specification: FieldsV1 of https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/

A set is a dictionary from path elements (``f:name``, ``k:{"port":80}``, ``v:"x"``, ``i:0``) to sets; a ``.`` says that
the path up to here is a member itself.
Sets are values: no function changes one, and no node without members is kept, so an empty set is an empty dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

Fields = dict[str, Any]

SELF: Final = "."
MEMBER: Final[Fields] = {SELF: {}}
_ORDER: Final = {"f": 0, "k": 1, "v": 2, "i": 3}
_MAX_DEPTH: Final = 256


def field(name: str) -> str:
    """The path element of a field or of a mapping's key."""
    return f"f:{name}"


def item(value: Any) -> str:
    """The path element of a scalar in a set."""
    return f"v:{msgspec.json.encode(value).decode()}"


def keyed(keys: dict[str, Any]) -> str:
    """The path element of an item that its keys tell apart."""
    return f"k:{msgspec.json.encode(keys, order='sorted').decode()}"


def path(*names: str) -> Fields:
    """The set whose only member is the field of these names."""
    found = MEMBER
    for name in reversed(names):
        found = {field(name): found}
    return found


def union(one: Fields, other: Fields) -> Fields:
    """Members of either."""
    if not one or one is other:
        return other
    if not other:
        return one
    found = dict(one)
    for element, below in other.items():
        found[element] = union(found[element], below) if element in found else below
    return found


def difference(one: Fields, other: Fields) -> Fields:
    """Members of the first that are not members of the second."""
    found = {}
    for element, below in one.items():
        if element not in other:
            found[element] = below
        elif element != SELF and (rest := difference(below, other[element])):
            found[element] = rest
    return found


def without(one: Fields, other: Fields) -> Fields:
    """The first without the members of the second and everything below them."""
    found = {}
    for element, below in one.items():
        above = other.get(element)
        if above is None:
            found[element] = below
        elif element != SELF and SELF not in above and (rest := without(below, above)):
            found[element] = rest
    return found


def intersection(one: Fields, other: Fields) -> Fields:
    """Members of both."""
    found = {}
    for element, below in one.items():
        if element not in other:
            continue
        if element == SELF:
            found[element] = below
        elif rest := intersection(below, other[element]):
            found[element] = rest
    return found


def has(one: Fields, *elements: str) -> bool:
    """Whether the path of these elements is a member."""
    for element in elements:
        one = one.get(element, {})
    return SELF in one


def paths(one: Fields, before: str = "") -> Iterator[str]:
    """Members as text (``.spec.ports[port=80,protocol="TCP"].name``): those of a level before those below it."""
    elements = sorted((e for e in one if e != SELF), key=lambda e: (_ORDER.get(e[:1], 4), e))
    for element in elements:
        if SELF in one[element]:
            yield before + _spoken(element)
    for element in elements:
        yield from paths(one[element], before + _spoken(element))


def encode(one: Fields) -> Fields:
    """``fieldsV1``: a member with nothing below it becomes an empty mapping."""
    return {e: {} if e == SELF or below == MEMBER else encode(below) for e, below in one.items()}


def decode(wire: object, depth: int = 0) -> Fields:
    """The set of a ``fieldsV1``; raises ValueError for what is none."""
    if not isinstance(wire, dict) or depth > _MAX_DEPTH:
        raise ValueError("fieldsV1 is not a tree of mappings")
    found: Fields = {}
    for element, below in wire.items():
        if element == SELF:
            found[SELF] = {}
            continue
        inner = decode(below, depth + 1)
        found[_canonical(element)] = inner or MEMBER
    return found


def _canonical(element: str) -> str:
    mark, content = element[:2], element[2:]
    if mark == "f:":
        return element
    if mark == "i:" and content.lstrip("-").isdecimal():
        return element
    if mark in ("k:", "v:"):
        try:
            value = msgspec.json.decode(content)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(f"the path element {element!r} is not JSON") from error
        if mark == "v:":
            return item(value)
        if isinstance(value, dict):
            return keyed(value)
    raise ValueError(f"{element!r} is not a path element")


def _spoken(element: str) -> str:
    mark, content = element[:1], element[2:]
    if mark == "f":
        return f".{content}"
    if mark == "k":
        pairs = msgspec.json.decode(content)
        return f"[{','.join(f'{k}={msgspec.json.encode(v).decode()}' for k, v in pairs.items())}]"
    return f"[={content}]" if mark == "v" else f"[{content}]"
