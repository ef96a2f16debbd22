"""CEL as Kubernetes extends it: the environment of a rule, its functions, and JSON values for it.

In: the type of ``self``; values with their schema.  Out: environments of the CEL library, values that it takes.
Called by ``rules``.
Specification: https://kubernetes.io/docs/reference/using-api/cel/
The library is imported at the first rule: most clusters have no custom resource with one.
Quantities, addresses and URLs are mappings in the evaluator, which knows no types of ours; only their functions
should be used, as with Kubernetes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from switchboard.api.crds import cel_functions, formats
from switchboard.api.crds.shaping import Schema


@functools.cache
def environment(type_: str) -> Any:
    """An environment with ``self`` and ``oldSelf`` of a type in CEL's notation, and ``had`` for optional old ones."""
    from cel_expr_python import cel

    own = _type(type_)
    return cel.NewEnv(variables={"self": own, "oldSelf": own, "had": cel.Type.BOOL}, extensions=_extensions())


def _type(text: str) -> Any:
    from cel_expr_python import cel

    scalars = {
        "string": cel.Type.STRING, "int": cel.Type.INT, "double": cel.Type.DOUBLE, "bool": cel.Type.BOOL,
        "timestamp": cel.Type.TIMESTAMP, "duration": cel.Type.DURATION, "bytes": cel.Type.BYTES, "dyn": cel.Type.DYN,
        "map": cel.Type.Map(cel.Type.STRING, cel.Type.DYN), "list": cel.Type.List(cel.Type.DYN),
    }  # fmt: skip
    if text.startswith("map<"):
        return scalars["map"]
    if text.startswith("list<"):
        return cel.Type.List(_type(text[5:-1]))
    return scalars[text]


@functools.cache
def _extensions() -> list[Any]:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_bindings, ext_encoders, ext_math, ext_optional, ext_strings

    functions = []
    for name, overloads in cel_functions.FUNCTIONS.items():
        made = [
            cel.Overload(
                f"{name}_{number}".replace(".", "_"),
                _type(o.result),
                [_type(p) for p in o.parameters],
                o.member,
                o.call,
            )
            for number, o in enumerate(overloads)
        ]
        functions.append(cel.FunctionDecl(name, made))
    standard = [ext_strings.ExtStrings(), ext_math.ExtMath(), ext_optional.ExtOptional(), ext_bindings.ExtBindings()]
    return [*standard, ext_encoders.ExtEncoders(), cel.CelExtension("kubernetes", functions)]


def value_of(schema: Schema, value: Any, escaped: Callable[[str], str | None]) -> Any:
    """A value as rules see it: names escaped, numbers as their schema says, times at the top as times."""
    if isinstance(value, str) and schema.get("type") == "string":
        return _text(schema.get("format", ""), value)
    return _inner(schema, value, escaped)


def _inner(schema: Schema, value: Any, escaped: Callable[[str], str | None]) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "number":
        return float(value)
    if isinstance(value, list):
        items = schema.get("items")
        known = items if isinstance(items, dict) else {}
        return [_inner(known, v, escaped) for v in value]
    if not isinstance(value, dict):
        return value
    properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
    seen: dict[str, Any] = {}
    for key, inner in value.items():
        # Keys of maps are data and stay as they are; names of properties are written in rules.
        name = key if isinstance(additional, dict) else escaped(key)
        if name is not None:
            property_ = properties.get(key, additional)
            seen[name] = _inner(property_ if isinstance(property_, dict) else {}, inner, escaped)
    return seen


def _text(format_: str, value: str) -> Any:
    if format_ == "date-time" and formats.fits(format_, value):
        return datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    if format_ == "duration":
        return timedelta(seconds=cel_functions.seconds(value))
    if format_ == "byte":
        return value.encode()
    return value
