"""Objects against structural schemas: types, values, formats, uniqueness, with the causes that kube-apiserver names.

In: an object as shaped (pruned, defaulted), its schema, and the object before where it is an update.
Out: causes with Kubernetes' field paths and reasons; what an update left as it was is not complained about.
Called by ``registry`` and ``structural`` (for defaults).
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation,
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-ratcheting
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import msgspec

from switchboard.api.crds import formats
from switchboard.api.crds.shaping import EMBEDDED, INT_OR_STRING, Schema
from switchboard.api.errors import Cause

INVALID, TYPE_INVALID, REQUIRED = "FieldValueInvalid", "FieldValueTypeInvalid", "FieldValueRequired"
DUPLICATE, TOO_LONG, TOO_MANY = "FieldValueDuplicate", "FieldValueTooLong", "FieldValueTooMany"
NOT_SUPPORTED, FORBIDDEN = "FieldValueNotSupported", "FieldValueForbidden"
# What kube-apiserver writes where an error has no field.
NOWHERE: Final = "<nil>"
_MISSING: Final = object()


def told(value: Any) -> str:
    """A value as it stands in messages."""
    return msgspec.json.encode(value).decode()


def check(schema: Schema, value: Any, path: str = "", old: Any = _MISSING) -> list[Cause]:
    """Causes against a value; ``old`` is what was at the same place before, not given on creation."""
    return list(_check(schema, value, path, old))


def _check(schema: Schema, value: Any, path: str, old: Any) -> Iterator[Cause]:
    if old is not _MISSING and same(old, value):
        return
    if value is None:
        if schema.get("nullable") or not (schema.get("type") or schema.get(INT_OR_STRING)):
            return
        yield _wrong_type(schema, value, path)
        return
    if not _fits(schema, value):
        yield _wrong_type(schema, value, path)
        if schema.get("type") == "integer" and isinstance(value, float):
            message = f'Invalid value: "": Checked value must be of type integer (default format) in {path}'
            yield Cause(INVALID, message, NOWHERE)
        return
    yield from _values(schema, value, path)
    if isinstance(value, dict):
        yield from _mapping(schema, value, path, old)
    elif isinstance(value, list):
        yield from _list(schema, value, path, old)
    yield from _combinations(schema, value, path)


def json_type(value: Any) -> str:
    """The JSON type of a value: null, boolean, integer, number, string, array, object."""
    if value is None:
        return "null"
    for type_, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array")):
        if isinstance(value, type_):
            return name
    return "object"


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; 1 and true are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(v, other[k]) for k, v in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _fits(schema: Schema, value: Any) -> bool:
    is_ = json_type(value)
    if schema.get(INT_OR_STRING):
        return is_ in ("integer", "string")
    wanted = schema.get("type")
    return not wanted or is_ == wanted or (wanted == "number" and is_ == "integer")


def _wrong_type(schema: Schema, value: Any, path: str) -> Cause:
    wanted = "integer,string" if schema.get(INT_OR_STRING) else schema.get("type")
    is_ = json_type(value)
    return Cause(TYPE_INVALID, f'Invalid value: "{is_}": {path} in body must be of type {wanted}: "{is_}"', path)


def _values(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    allowed = schema.get("enum")
    if allowed and not any(same(value, one) for one in allowed):
        supported = ", ".join(told(one) for one in allowed)
        yield Cause(NOT_SUPPORTED, f"Unsupported value: {told(value)}: supported values: {supported}", path)
    if isinstance(value, str):
        yield from _text(schema, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(schema, value, path)


def _text(schema: Schema, value: str, path: str) -> Iterator[Cause]:
    low, high, pattern, format_ = (schema.get(k) for k in ("minLength", "maxLength", "pattern", "format"))
    if high is not None and len(value) > high:
        yield Cause(TOO_LONG, f"Too long: may not be more than {high} bytes", path)
    if low is not None and len(value) < low:
        yield Cause(INVALID, f"Invalid value: {told(value)}: {path} in body should be at least {low} chars long", path)
    if pattern and not formats.matches(pattern, value):
        yield Cause(INVALID, f"Invalid value: {told(value)}: {path} in body should match '{pattern}'", path)
    if format_ and not schema.get(INT_OR_STRING) and not formats.fits(format_, value):
        message = f"Invalid value: {told(value)}: {path} in body must be of type {format_}: {told(value)}"
        yield Cause(TYPE_INVALID, message, path)


def _number(schema: Schema, value: float, path: str) -> Iterator[Cause]:
    low, high, step, format_ = (schema.get(k) for k in ("minimum", "maximum", "multipleOf", "format"))

    def fault(should: str) -> Cause:
        return Cause(INVALID, f"Invalid value: {told(value)}: {path} in body should be {should}", path)

    if low is not None and (value <= low if schema.get("exclusiveMinimum") else value < low):
        yield fault(f"greater than {'' if schema.get('exclusiveMinimum') else 'or equal to '}{told(low)}")
    if high is not None and (value >= high if schema.get("exclusiveMaximum") else value > high):
        yield fault(f"less than {'' if schema.get('exclusiveMaximum') else 'or equal to '}{told(high)}")
    if step and math.isfinite(value) and Decimal(str(value)) % Decimal(str(step)) != 0:
        yield fault(f"a multiple of {told(step)}")
    if format_ and not formats.fits_number(format_, value):
        message = (
            f'Invalid value: "": Checked value must be of type {schema.get("type")} with format {format_} in {path}'
        )
        yield Cause(INVALID, message, NOWHERE)


def _number_of(schema: Schema, size: int, path: str, what: str) -> Iterator[Cause]:
    low, high = schema.get(f"min{what}"), schema.get(f"max{what}")
    if high is not None and size > high:
        yield Cause(TOO_MANY, f"Too many: {size}: must have at most {high} items", path)
    if low is not None and size < low:
        noun = what.lower()
        yield Cause(INVALID, f"Invalid value: {size}: {path} in body should have at least {low} {noun}", path)


def _mapping(schema: Schema, value: dict[str, Any], path: str, old: Any) -> Iterator[Cause]:
    yield from _number_of(schema, len(value), path, "Properties")
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    before = old if isinstance(old, dict) else {}
    for key in schema.get("required") or ():
        if key not in value:
            yield Cause(REQUIRED, "Required value", below(path, key))
    for key, inner in value.items():
        known = properties.get(key, additional)
        if isinstance(known, dict):
            yield from _check(known, inner, below(path, key), before.get(key, _MISSING))
    if schema.get(EMBEDDED):
        for key in ("apiVersion", "kind"):
            if not isinstance(value.get(key), str) or not value[key]:
                yield Cause(REQUIRED, "Required value", below(path, key))


def _list(schema: Schema, value: list[Any], path: str, old: Any) -> Iterator[Cause]:
    yield from _number_of(schema, len(value), path, "Items")
    items = schema.get("items")
    if isinstance(items, dict):
        for number, element in enumerate(value):
            yield from _check(items, element, f"{path}[{number}]", counterpart(schema, element, old))
    relation = schema.get("x-kubernetes-list-type")
    if schema.get("uniqueItems") and _repeated(value):
        yield Cause(INVALID, f"Invalid value: {told(value)}: {path} in body shouldn't contain duplicates", path)
    if relation == "set":
        for number in _repeated(value):
            yield Cause(DUPLICATE, f"Duplicate value: {told(value[number])}", f"{path}[{number}]")
    elif relation == "map":
        keys = [list_key(schema, element) for element in value]
        for number in _repeated(keys):
            yield Cause(DUPLICATE, f"Duplicate value: {told(keys[number])}", f"{path}[{number}]")


def list_key(schema: Schema, element: Any) -> Any:
    """What identifies an element of a list map."""
    inside = element if isinstance(element, dict) else {}
    return {key: inside[key] for key in schema.get("x-kubernetes-list-map-keys") or () if key in inside}


def counterpart(schema: Schema, element: Any, old: Any) -> Any:
    """The element of the list before that is the same one; only list maps say which that is."""
    if schema.get("x-kubernetes-list-type") != "map" or not isinstance(old, list):
        return _MISSING
    key = list_key(schema, element)
    return next((other for other in old if same(list_key(schema, other), key)), _MISSING)


def is_missing(value: Any) -> bool:
    """Whether ``counterpart`` found nothing."""
    return value is _MISSING


def _repeated(values: list[Any]) -> list[int]:
    """Positions of values that came before; hashing their JSON keeps this linear."""
    seen, found = set(), []
    for number, value in enumerate(values):
        text = msgspec.json.encode(value, order="sorted")
        if text in seen:
            found.append(number)
        seen.add(text)
    return found


def _combinations(schema: Schema, value: Any, path: str) -> Iterator[Cause]:
    for part in schema.get("allOf") or ():
        faults = check(part, value, path)
        yield from faults
        if faults:
            yield Cause(INVALID, f'Invalid value: "": "{path}" must validate all the schemas (allOf)', NOWHERE)
    for word, least in (("anyOf", "at least one schema (anyOf)"), ("oneOf", "one and only one schema (oneOf)")):
        parts = schema.get(word)
        if not parts:
            continue
        results = [check(part, value, path) for part in parts]
        valid = sum(not result for result in results)
        if valid == 0 or (word == "oneOf" and valid > 1):
            found = f". Found {valid or 'none'} valid{' alternatives' if valid else ''}" if word == "oneOf" else ""
            yield Cause(INVALID, f'Invalid value: "": "{path}" must validate {least}{found}', NOWHERE)
        if valid == 0:
            yield from results[0]
    forbidden = schema.get("not")
    if isinstance(forbidden, dict) and not check(forbidden, value, path):
        yield Cause(INVALID, f'Invalid value: "": "{path}" must not validate the schema (not)', NOWHERE)


def below(path: str, key: str) -> str:
    """The path of a key."""
    return f"{path}.{key}" if path else key
