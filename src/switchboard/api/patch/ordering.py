"""The order of merged lists: what the patch names comes in its order, the rest stays where it was as far as possible.

In: lists of a document and of a strategic merge patch.  Out: one list; ``ServerFault`` for lists that have no order.
Called by ``patch.strategic``.
Specification: https://git.k8s.io/design-proposals-archive/cli/preserve-order-in-strategic-merge-patch.md
Every function takes time in proportion to its lists, but for the sorting.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from switchboard.api.errors import ServerFault

_LONGEST: Final = 2000


def identity(value: Any) -> bytes:
    """What makes two values the same value: their JSON, so that 1 is neither true nor the text 1."""
    return msgspec.json.encode(value, order="sorted")


def key_of(value: Any, merge_key: str) -> Any:
    """The merge key of an item, or the item itself when there is no merge key; raises ``ServerFault``."""
    if not merge_key:
        return value
    if not isinstance(value, dict):
        raise ServerFault(f"expected a map[string]interface {{}}, but received a {go_text(value)}")
    if merge_key not in value:
        raise ServerFault(f"map: {go_text(value)} does not contain declared merge key: {merge_key}")
    return value[merge_key]


def element_kind(*lists: list[Any]) -> type:
    """The one type of all items; raises ``ServerFault`` when there are several, or lists of lists."""
    kinds = {type(value) for values in lists for value in values}
    if list in kinds:
        raise ServerFault("lists of lists are not supported")
    if len(kinds) > 1:
        raise ServerFault(f"list element types are not identical: {go_text(list(lists))}")
    return kinds.pop() if kinds else type(None)


def check_scalars(original: list[Any], gone: list[Any]) -> None:
    """Refuse to take mappings out of a list as if they were scalars."""
    if element_kind(original, gone) is dict:
        raise ServerFault("cannot merge lists without merge key")


def check(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """Refuse a patch whose items do not occur in the order, or occur in it otherwise."""
    if not patch or not order:
        return
    wanted = [v for v in patch if not (isinstance(v, dict) and "$patch" in v)]
    rest = iter([identity(key_of(value, merge_key)) for value in order])
    for value in wanted:
        key = identity(key_of(value, merge_key))
        if not any(key == other for other in rest):
            raise ServerFault(
                f"The order in patch list:\n{go_text(patch)}\n doesn't match $setElementOrder list:\n{go_text(order)}\n"
            )


def arrange(merged: list[Any], order: list[Any], before: list[Any], merge_key: str) -> list[Any]:
    """The merged items: those that the order names in that order, the others among them as they stood before."""
    element_kind(merged)
    wanted = _places(order, merge_key)
    stood = _places(before, merge_key)
    keyed = [(identity(key_of(value, merge_key)), value) for value in merged]
    named = sorted((pair for pair in keyed if pair[0] in wanted), key=lambda pair: wanted[pair[0]])
    others = sorted((pair for pair in keyed if pair[0] not in wanted), key=lambda pair: stood.get(pair[0], len(stood)))
    found = []
    i = 0
    for key, value in named:
        while i < len(others) and key in stood and others[i][0] in stood and stood[others[i][0]] < stood[key]:
            found.append(others[i][1])
            i += 1
        found.append(value)
    return found + [value for _, value in others[i:]]


def _places(values: list[Any], merge_key: str) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for index, value in enumerate(values):
        found.setdefault(identity(key_of(value, merge_key)), index)
    return found


def go_text(value: Any) -> str:
    """A value as kube-apiserver's messages show it: ``map[image:z name:a]``, ``[1 2]``, ``<nil>``; cut when long."""
    found = _go_text(value)
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]}…"


def _go_text(value: Any) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{_go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(_go_text, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)
