"""Objects in Kubernetes' binary form, read: kubectl's own commands and Go's typed clients write it.

In: the bytes of a body.  Out: the object as JSON would have it; bytes that are not such a body raise ValueError.
Called by the API server for bodies of the type ``application/vnd.kubernetes.protobuf``; answers are always JSON.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding and the protocol buffers
encoding.  The numbers of the fields are data (``protobuf.json``), made from Kubernetes' types by
``scripts/protobuf_fields.py``.
"""

from __future__ import annotations

import base64
import functools
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Final

import msgspec

from switchboard.k8s.objects import Object

MAGIC: Final = b"k8s\x00"
MAX_DEPTH: Final = 64
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MASK: Final = (1 << 64) - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What is named in the table and is no message of fields; each is read in its own way.
_SPECIAL: dict[str, Callable[[bytes], Any]] = {}


class Field(msgspec.Struct, frozen=True, array_like=True):
    """One field: number, JSON name (empty: its fields belong to the parent), type, flags (p pointer, o omitted)."""

    number: int
    name: str
    type: str
    flags: str


@functools.cache
def _messages() -> dict[str, dict[int, Field]]:
    data = resources.files("switchboard.k8s").joinpath("protobuf.json").read_bytes()
    table = msgspec.json.decode(data, type=dict[str, list[Field]])
    return {name: {field.number: field for field in fields} for name, fields in table.items()}


def decode(data: bytes) -> Object:
    """The object of a body; raises ValueError."""
    if not data.startswith(MAGIC):
        raise ValueError("the body has not the prefix of Kubernetes' binary form")
    api_version, kind, raw = "", "", b""
    for number, _, value in _fields(data[len(MAGIC) :]):
        if number == 1 and isinstance(value, bytes):
            for inner, _, text in _fields(value):
                if inner == 1 and isinstance(text, bytes):
                    api_version = text.decode()
                elif inner == 2 and isinstance(text, bytes):
                    kind = text.decode()
        elif number == 2 and isinstance(value, bytes):
            raw = value
    found = _message(_name(api_version, kind), raw, 0)
    return {"apiVersion": api_version, "kind": kind, **found}


def _name(api_version: str, kind: str) -> str:
    group, slash, version = api_version.partition("/")
    name = f"{group.split('.')[0]}.{version}.{kind}" if slash else f"core.{group}.{kind}"
    for candidate in (name, f"meta.v1.{kind}"):
        if candidate in _messages():
            return candidate
    raise ValueError(f"{kind} of {api_version} is not known in binary form")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & _MASK, at
        shift += 7
    raise ValueError("a number ends too early or is too long")


def _fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """(number, wire type, value) of each field of a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = _varint(data, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(data, at)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire} is not used by Kubernetes")
        if size > len(data) - at:
            raise ValueError("a field ends too early")
        yield number, wire, data[at : at + size]
        at += size


def _message(name: str, data: bytes, depth: int) -> Any:
    if name in _SPECIAL:
        return _SPECIAL[name](data)
    if depth > MAX_DEPTH:
        raise ValueError("the nesting is too deep")
    fields = _messages().get(name)
    if fields is None:
        raise ValueError(f"{name} is not known in binary form")
    found: dict[str, Any] = {}
    for number, wire, value in _fields(data):
        field = fields.get(number)
        if field is None or field.type == "?":
            continue
        if not field.name:
            found.update(_message(field.type, _needed(value), depth + 1))
        elif field.type[0] == "[":
            _append(found.setdefault(field.name, []), field.type[1:], wire, value, depth)
        elif field.type[0] == "{":
            key, item = _entry(field.type[1:], _needed(value), depth)
            found.setdefault(field.name, {})[key] = item
        else:
            found[field.name] = _value(field.type, value, depth)
    return {f.name: found[f.name] for f in fields.values() if f.name in found and not _omitted(f, found[f.name])} | {
        key: value for key, value in found.items() if not any(f.name == key for f in fields.values())
    }


def _omitted(field: Field, value: Any) -> bool:
    """Values of fields that are no pointers are always written; JSON leaves them out when they hold nothing."""
    if value is None:
        return True
    return "p" not in field.flags and "o" in field.flags and (value in ("", 0, False) or value == {} or value == [])


def _needed(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")
    return value


def _append(found: list[Any], type_: str, wire: int, value: int | bytes, depth: int) -> None:
    if type_ in ("i", "b") and wire == _BYTES:
        # Numbers may be packed into one field.
        data, at = _needed(value), 0
        while at < len(data):
            number, at = _varint(data, at)
            found.append(_value(type_, number, depth))
        return
    found.append(_value(type_, value, depth))


def _entry(type_: str, data: bytes, depth: int) -> tuple[str, Any]:
    key, item = "", None
    for number, _, value in _fields(data):
        if number == 1:
            key = _needed(value).decode()
        elif number == 2:
            item = _value(type_, value, depth)
    return key, _nothing(type_, depth) if item is None else item


def _nothing(type_: str, depth: int) -> Any:
    if type_ in ("s", "y"):
        return ""
    return 0 if type_ in ("i", "f") else False if type_ == "b" else _message(type_, b"", depth + 1)


def _value(type_: str, value: int | bytes, depth: int) -> Any:
    if type_ in ("i", "b"):
        if not isinstance(value, int):
            raise ValueError("a message stands where a number should")
        if type_ == "b":
            return bool(value)
        return value - (1 << 64) if value >> 63 else value
    data = _needed(value)
    if type_ == "s":
        return data.decode()
    if type_ == "y":
        return base64.b64encode(data).decode()
    if type_ == "f":
        return struct.unpack("<d" if len(data) == 8 else "<f", data)[0]
    if type_[0] == "[":
        raise ValueError("a list of lists is not used by Kubernetes")
    return _message(type_, data, depth + 1)


def _numbers(data: bytes) -> dict[int, int]:
    return {number: value for number, _, value in _fields(data) if isinstance(value, int)}


def _time(data: bytes, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str | None:
    """Seconds and nanoseconds since 1970; the zero of Go's times, or nothing, is no time."""
    found = _numbers(data)
    seconds = found.get(1, 0)
    seconds = seconds - (1 << 64) if seconds >> 63 else seconds
    if not data or seconds <= -62135596800:
        return None
    try:
        return (_EPOCH + timedelta(seconds=seconds, microseconds=found.get(2, 0) // 1000)).strftime(form)
    except OverflowError as error:
        raise ValueError("a time is out of range") from error


def _micro_time(data: bytes) -> str | None:
    return _time(data, "%Y-%m-%dT%H:%M:%S.%fZ")


def _text(data: bytes) -> str:
    return next((_needed(value).decode() for number, _, value in _fields(data) if number == 1), "")


def _int_or_text(data: bytes) -> Any:
    """The first field says which of the two it is."""
    numbers = _numbers(data)
    if numbers.get(1):
        return next((_needed(value).decode() for number, _, value in _fields(data) if number == 3), "")
    value = numbers.get(2, 0)
    return value - (1 << 64) if value >> 63 else value


def _json(data: bytes) -> Any:
    raw = next((_needed(value) for number, _, value in _fields(data) if number == 1), b"")
    try:
        return msgspec.json.decode(raw) if raw else None
    except msgspec.MsgspecError as error:
        raise ValueError(f"JSON within: {error}") from error


def _texts(data: bytes) -> list[str]:
    return [_needed(value).decode() for number, _, value in _fields(data) if number == 1]


_SPECIAL.update(
    {
        "meta.v1.Time": _time,
        "meta.v1.MicroTime": _micro_time,
        "meta.v1.FieldsV1": _json,
        "meta.v1.Verbs": _texts,
        "runtime.RawExtension": _json,
        "resource.Quantity": _text,
        "intstr.IntOrString": _int_or_text,
        "authentication.v1.ExtraValue": _texts,
        "authorization.v1.ExtraValue": _texts,
    }
)
