"""JSON Patch: operations on a document, all or none.

In: a document, and the operations as decoded JSON.  Out: a new document; the given one stays as it is.
Called by the API server.
Specification: RFC 6902 and RFC 6901 (pointers); codes and texts are those of kube-apiserver, which also lets
negative positions count from the end of a list.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from switchboard.api.errors import BadRequest, Invalid, RequestEntityTooLarge
from switchboard.api.patch.bounds import bounded, copied

MOST_OPERATIONS: Final = 10_000
MOST_COPIED: Final = 3 * 1024 * 1024
MAX_POSITION_DIGITS: Final = 9
_END: Final = "-"


class Operation(msgspec.Struct, frozen=True):
    """One operation; ``value`` is UNSET where none was given."""

    op: str = ""
    path: str = ""
    origin: str = msgspec.field(default="", name="from")
    value: Any = msgspec.UNSET


class _Refused(Exception):  # noqa: N818 - the reason stays inside: kube-apiserver does not tell it
    pass


class _Document:
    """A document under change, and how much has been copied within it."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self.copied = 0


def apply(document: Any, operations: Any, most_operations: int = MOST_OPERATIONS) -> Any:
    """The document after all operations.

    Raises ``BadRequest`` for what is no list of operations, ``RequestEntityTooLarge`` for too many of them,
    ``Invalid`` for a test that fails, a path that is not there, and for more copying than 3 MiB.
    """
    if isinstance(operations, list) and len(operations) > most_operations:
        raise RequestEntityTooLarge(
            f"The allowed maximum operations in a JSON patch is {most_operations}, got {len(operations)}"
        )
    found = read(copied(operations))
    changed = _Document(copied(document))
    try:
        for operation in found:
            _OPERATIONS.get(operation.op, _unknown)(changed, operation)
        return bounded(changed.root)
    except (_Refused, RecursionError) as error:
        raise Invalid("the server rejected our request due to an error in our request") from error


def read(operations: Any) -> list[Operation]:
    """Operations as facts; raises ``BadRequest`` for anything else."""
    try:
        return msgspec.convert(operations, list[Operation])
    except msgspec.ValidationError as error:
        told = "json: cannot unmarshal"
        if not isinstance(operations, list):
            told = f"json: cannot unmarshal {_go_type(operations)} into Go value of type []handlers.jsonPatchOp"
        raise BadRequest(f"error decoding patch: {told if not isinstance(operations, list) else error}") from error


def pointer(path: str) -> list[str]:
    """The parts of a JSON pointer; raises ValueError for one that does not begin with a slash."""
    if not path:
        return []
    if not path.startswith("/"):
        raise ValueError(f"{path!r} is not a JSON pointer")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values: true is not 1, but 1.0 is."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return bool(one == other)


def _parts(path: str) -> list[str]:
    try:
        return pointer(path)
    except ValueError as error:
        raise _Refused from error


def _parent(document: _Document, parts: list[str]) -> Any:
    found = document.root
    for part in parts[:-1]:
        found = _child(found, part)
    return found


def _child(container: Any, part: str) -> Any:
    if isinstance(container, dict):
        if part not in container:
            raise _Refused
        return container[part]
    if isinstance(container, list):
        return container[_position(container, part)]
    raise _Refused


def _position(container: list[Any], part: str, *, insert: bool = False) -> int:
    """The index that a part means; ``insert`` also allows the place behind the last item."""
    if insert and part == _END:
        return len(container)
    digits = part.removeprefix("-")
    plain = digits.isascii() and digits.isdecimal() and len(digits) <= MAX_POSITION_DIGITS
    if not plain or (digits != "0" and digits.startswith("0")):
        raise _Refused
    most = len(container) if insert else len(container) - 1
    index = int(part)
    if index < 0:
        index += most + 1
    if not 0 <= index <= most:
        raise _Refused
    return index


def _get(document: _Document, parts: list[str]) -> Any:
    return _child(_parent(document, parts), parts[-1]) if parts else document.root


def _put(document: _Document, parts: list[str], value: Any) -> None:
    if not parts:
        document.root = value
        return
    container = _parent(document, parts)
    if isinstance(container, dict):
        container[parts[-1]] = value
    elif isinstance(container, list):
        container.insert(_position(container, parts[-1], insert=True), value)
    else:
        raise _Refused


def _take(document: _Document, parts: list[str]) -> Any:
    if not parts:
        raise _Refused
    container = _parent(document, parts)
    value = _child(container, parts[-1])
    if isinstance(container, dict):
        del container[parts[-1]]
    else:
        del container[_position(container, parts[-1])]
    return value


def _value(operation: Operation) -> Any:
    if operation.value is msgspec.UNSET:
        raise _Refused
    return operation.value


def _add(document: _Document, operation: Operation) -> None:
    _put(document, _parts(operation.path), _value(operation))


def _remove(document: _Document, operation: Operation) -> None:
    _take(document, _parts(operation.path))


def _replace(document: _Document, operation: Operation) -> None:
    parts, value = _parts(operation.path), _value(operation)
    if not parts:
        document.root = value
        return
    container = _parent(document, parts)
    _child(container, parts[-1])
    key: Any = parts[-1] if isinstance(container, dict) else _position(container, parts[-1])
    container[key] = value


def _move(document: _Document, operation: Operation) -> None:
    origin, parts = _parts(operation.origin), _parts(operation.path)
    if parts == origin:
        _get(document, origin)
        return
    if parts[: len(origin)] == origin:
        # A value cannot be moved into itself.
        raise _Refused
    _put(document, parts, _take(document, origin))


def _copy(document: _Document, operation: Operation) -> None:
    value = _get(document, _parts(operation.origin))
    encoded = msgspec.json.encode(value)
    document.copied += len(encoded)
    if document.copied > MOST_COPIED:
        raise _Refused
    _put(document, _parts(operation.path), msgspec.json.decode(encoded))


def _test(document: _Document, operation: Operation) -> None:
    expected = None if operation.value is msgspec.UNSET else operation.value
    if not equal(_get(document, _parts(operation.path)), expected):
        raise _Refused


def _unknown(document: _Document, operation: Operation) -> None:
    raise _Refused


_OPERATIONS: Final[dict[str, Callable[[_Document, Operation], None]]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "move": _move,
    "copy": _copy,
    "test": _test,
}


def _go_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return "object"
    return "string" if isinstance(value, str) else "number"
