"""Validation rules in CEL (``x-kubernetes-validations``): compiled with types, evaluated with a bounded budget.

In: a structural schema, an object and the one before.  Out: causes; and what does not compile in a schema.
Called by ``registry`` (objects) and ``structural`` (definitions).
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#validation-rules
The evaluator refuses an expression that takes more than ten thousand steps of iteration.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final

from switchboard.api.crds import cel_library, paths
from switchboard.api.crds.check import (
    FORBIDDEN,
    INVALID,
    NOT_SUPPORTED,
    REQUIRED,
    below,
    counterpart,
    is_missing,
    same,
    told,
)
from switchboard.api.crds.shaping import EMBEDDED, INT_OR_STRING, Schema
from switchboard.api.errors import Cause

RULES: Final = "x-kubernetes-validations"
REASONS: Final = ("FieldValueInvalid", "FieldValueForbidden", "FieldValueRequired", "FieldValueDuplicate")
# Objects are matched against rules up to this number of evaluations; beyond it the object is refused.
_EVALUATIONS: Final = 20_000
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_OLD = re.compile(r"\boldSelf\b")
_RESERVED: Final = frozenset(
    ("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
     "let", "loop", "package", "namespace", "return", "var", "void", "while")
)  # fmt: skip
_SYMBOLS: Final = {".": "__dot__", "-": "__dash__", "/": "__slash__"}
_SCALARS: Final = {"string": "string", "integer": "int", "number": "double", "boolean": "bool"}


# What stands for the state before where there is none.
MISSING: Final = counterpart({}, None, None)


class Outcome(Exception):  # noqa: N818 - it carries a text to where a cause is made of it
    """An expression that has no result."""


def escaped(key: str) -> str | None:
    """A property's name as rules write it, None where rules cannot reach it."""
    if key in _RESERVED:
        return f"__{key}__"
    text = key.replace("__", "__underscores__")
    for symbol, word in _SYMBOLS.items():
        text = text.replace(symbol, word)
    return text if _IDENTIFIER.match(text) else None


def is_transition(text: str) -> bool:
    """Whether a rule speaks of the state before; names within strings count too, which only postpones the rule."""
    return bool(_OLD.search(text))


def type_of(schema: Schema) -> str:
    """The type of ``self`` in CEL's notation; what is inside of mappings is checked when a rule is evaluated."""
    if schema.get(INT_OR_STRING):
        return "dyn"
    wanted = schema.get("type")
    if wanted == "string":
        times = {"date-time": "timestamp", "duration": "duration", "byte": "bytes"}
        return times.get(schema.get("format", ""), "string")
    if wanted == "array":
        inner = schema.get("items")
        scalar = _SCALARS.get(inner.get("type", "")) if isinstance(inner, dict) and not inner.get("format") else None
        return f"list<{scalar or 'dyn'}>"
    return _SCALARS.get(wanted or "", "map<string, dyn>" if wanted == "object" else "dyn")


@functools.lru_cache(maxsize=1024)
def compiled(text: str, type_: str, optional_old: bool) -> Any:
    """An expression ready to evaluate; raises ``Outcome`` with what does not compile."""
    env = cel_library.environment(type_)
    try:
        if not optional_old:
            return env.compile(text)
        env.compile(
            text, disable_check=True
        )  # a rule must be an expression by itself before something is put around it
        return env.compile(f"[had ? optional.of(oldSelf) : optional.none()].map(oldSelf, {text}\n)[0]")
    except RuntimeError as error:
        raise Outcome(str(error).removeprefix("INVALID_ARGUMENT: ").removesuffix(" [INVALID_ARGUMENT]")) from error


def fault(text: str, schema: Schema, wanted: str, *, optional_old: bool) -> str:
    """What is wrong with an expression that must be of a type (``BOOL``, ``STRING``); empty when nothing is."""
    try:
        found = compiled(text, type_of(schema), optional_old).return_type().name()
    except Outcome as outcome:
        return f"compilation failed: {outcome}"
    return "" if found in (wanted, "DYN") else f"is of type {found}"


def knows(schema: Schema, field: str) -> bool:
    """Whether a rule's ``fieldPath`` leads to a property."""
    path = paths.simple(field)
    for key in path or ():
        inner = (schema.get("properties") or {}).get(key, schema.get("additionalProperties"))
        if not isinstance(inner, dict):
            return False
        schema = inner
    return path is not None


def _evaluate(text: str, schema: Schema, value: Any, old: Any, optional_old: bool) -> Any:
    expression = compiled(text, type_of(schema), optional_old)
    had = not is_missing(old)
    data = {"self": cel_library.value_of(schema, value, escaped), "had": had}
    data["oldSelf"] = cel_library.value_of(schema, old, escaped) if had else data["self"]
    try:
        result = expression.eval(data=data)
    except RuntimeError as error:
        raise Outcome(_reason(str(error))) from error
    if result.type().name() == "ERROR":
        raise Outcome(_reason(str(result.plain_value())))
    return result.plain_value()


def _reason(text: str) -> str:
    if "Iteration budget" in text:
        return "call cost exceeds limit: the rule takes too many steps for this object"
    return text.partition(": ")[2] or text


class _Budget:
    left = _EVALUATIONS


def check(schema: Schema, value: Any, old: Any, path: str = "") -> list[Cause]:
    """Causes of all rules of a schema and what is in it; ``old`` as ``check.counterpart`` answers it."""
    if not has_rules(schema):
        return []
    budget = _Budget()
    found = list(_check(schema, value, old, path, budget, whole_object=True))
    if budget.left < 0:
        message = f'Invalid value: "": more than {_EVALUATIONS} validation rules would have to be evaluated'
        return [*found, Cause(INVALID, message, path)]
    return found


def has_rules(schema: Any) -> bool:
    """Whether there are rules anywhere in a schema."""
    if isinstance(schema, dict):
        return RULES in schema or any(has_rules(v) for v in schema.values())
    return isinstance(schema, list) and any(has_rules(v) for v in schema)


def _check(
    schema: Schema, value: Any, old: Any, path: str, budget: _Budget, *, whole_object: bool = False
) -> Iterator[Cause]:
    if value is None or budget.left < 0 or (not is_missing(old) and same(old, value)):
        return
    for rule in schema.get(RULES) or ():
        budget.left -= 1
        seen = _of_rules(schema, value) if whole_object else value
        before = old if is_missing(old) or not whole_object else _of_rules(schema, old)
        yield from _apply(rule, schema, seen, before, path)
    if isinstance(value, dict):
        properties, additional = schema.get("properties") or {}, schema.get("additionalProperties")
        for key, inner in value.items():
            known = properties.get(key, additional)
            if isinstance(known, dict):
                before = old[key] if isinstance(old, dict) and key in old else MISSING
                embedded = bool(known.get(EMBEDDED))
                yield from _check(known, inner, before, below(path, key), budget, whole_object=embedded)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for number, element in enumerate(value):
            before = counterpart(schema, element, old)
            yield from _check(schema["items"], element, before, f"{path}[{number}]", budget)


def _of_rules(schema: Schema, value: Any) -> Any:
    """Of a whole object rules see apiVersion, kind, and of its metadata the names."""
    if not isinstance(value, dict):
        return value
    meta = value.get("metadata")
    seen = {k: v for k, v in meta.items() if k in ("name", "generateName")} if isinstance(meta, dict) else {}
    return {**value, "metadata": seen}


def _apply(rule: dict[str, Any], schema: Schema, value: Any, old: Any, path: str) -> Iterator[Cause]:
    text = rule.get("rule", "")
    optional = bool(rule.get("optionalOldSelf"))
    if is_missing(old) and not optional and is_transition(text):
        return
    field = path + rule.get("fieldPath", "")
    field = field if path else field.removeprefix(".")
    try:
        held = _evaluate(text, schema, value, old, optional)
    except Outcome as outcome:
        yield Cause(INVALID, f"Invalid value: {told(value)}: rule could not be evaluated: {outcome}", field)
        return
    if held is not True:
        message = _message(rule, schema, value, old) or rule.get("message") or f"failed rule: {text.strip()}"
        reason = rule.get("reason") or INVALID
        shown = {FORBIDDEN: "Forbidden", REQUIRED: "Required value", NOT_SUPPORTED: "Unsupported value"}
        prefix = shown.get(reason, "Duplicate value" if reason == "FieldValueDuplicate" else "Invalid value")
        yield Cause(reason, f"{prefix}: {message}", field)


def _message(rule: dict[str, Any], schema: Schema, value: Any, old: Any) -> str:
    """The text of ``messageExpression``; empty when there is none or it fails, breaks lines or is long."""
    expression = rule.get("messageExpression")
    if not expression:
        return ""
    try:
        text = _evaluate(expression, schema, value, old, bool(rule.get("optionalOldSelf")))
    except Outcome:
        return ""
    fine = isinstance(text, str) and text.strip() and "\n" not in text and len(text) <= 5 * 1024
    return text.strip() if fine else ""
