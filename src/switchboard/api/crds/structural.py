"""Whether a schema is structural, and whether its defaults, lists and rules make sense.

In: the ``openAPIV3Schema`` of a version, and the path at which it is complained about.  Out: causes.
Called by ``definition``.
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from switchboard.api.crds import check, formats, rules
from switchboard.api.crds.check import FORBIDDEN, INVALID, NOT_SUPPORTED, REQUIRED, told
from switchboard.api.crds.shaping import EMBEDDED, INT_OR_STRING, PRESERVE, Schema, drop_nulls, prune_value
from switchboard.api.errors import Cause
from switchboard.k8s.objects import copied

LIST_TYPE, LIST_KEYS, MAP_TYPE = "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"
_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_COMBINED: Final = ("allOf", "anyOf", "oneOf")
_UNSUPPORTED: Final = ("$ref", "$schema", "id", "definitions", "dependencies", "patternProperties", "additionalItems")
# Within allOf, anyOf, oneOf and not a schema only restricts values.
_ONLY_OUTSIDE: Final = ("type", "description", "title", "default", "nullable", "additionalProperties", LIST_TYPE,
                        LIST_KEYS, MAP_TYPE, PRESERVE, EMBEDDED, INT_OR_STRING)  # fmt: skip
_SCALARS: Final = ("boolean", "integer", "number", "string")
_DEPTH: Final = 128


def validate(schema: Any, path: str) -> list[Cause]:
    """Everything that is wrong with a version's schema."""
    if not isinstance(schema, dict):
        return [Cause(REQUIRED, "Required value: schemas are required", path)]
    root = schema.get("type")
    if root != "object":
        if not root:
            return [Cause(REQUIRED, "Required value: must not be empty at the root", f"{path}.type")]
        return [Cause(INVALID, f"Invalid value: {told(root)}: must be object at the root", f"{path}.type")]
    found = list(_metadata(schema, path))
    found += _structure(schema, path, 0)
    if not found:
        # What follows evaluates the schema and needs it whole.
        found += _contents(schema, path, correlatable=True)
    return found


def _metadata(schema: Schema, path: str) -> Iterator[Cause]:
    meta = (schema.get("properties") or {}).get("metadata")
    if not isinstance(meta, dict):
        return
    allowed = set(meta) <= {"type", "properties", "description"} and meta.get("type") in (None, "object")
    if not allowed or set(meta.get("properties") or ()) - {"name", "generateName"}:
        why = (
            "Forbidden: must not specify anything other than name and generateName, "
            "but metadata is implicitly specified"
        )
        yield Cause(FORBIDDEN, why, f"{path}.properties[metadata]")


def _structure(schema: Schema, path: str, depth: int) -> Iterator[Cause]:
    """Types everywhere, and nothing that pruning could not follow."""
    if depth > _DEPTH:
        yield Cause(INVALID, f"Invalid value: schemas may be nested {_DEPTH} levels deep", path)
        return
    type_ = schema.get("type")
    if type_ and type_ not in _TYPES:
        yield Cause(
            NOT_SUPPORTED, f"Unsupported value: {told(type_)}: supported values: {', '.join(_TYPES)}", f"{path}.type"
        )
    if not type_ and not schema.get(INT_OR_STRING) and not schema.get(PRESERVE):
        last = "array items" if path.endswith(".items") else "object fields"
        yield Cause(REQUIRED, f"Required value: must not be empty for specified {last}", f"{path}.type")
    if type_ and schema.get(INT_OR_STRING):
        yield Cause(INVALID, f"Invalid value: {told(type_)}: must be empty if {INT_OR_STRING} is true", f"{path}.type")
    if type_ == "array" and not isinstance(schema.get("items"), dict) and not schema.get(PRESERVE):
        yield Cause(REQUIRED, "Required value: must be specified", f"{path}.items")
    yield from _forbidden(schema, path)
    for name, inner, below in parts(schema, path):
        if isinstance(inner, dict):
            yield from _structure(inner, below, depth + 1)
        elif name != "additionalProperties":
            yield Cause(INVALID, f"Invalid value: {told(inner)}: must be a schema", below)
    for word in (*_COMBINED, "not"):
        inner = schema.get(word) or []
        for number, part in enumerate([inner] if isinstance(inner, dict) else inner):
            below = f"{path}.{word}" if word == "not" else f"{path}.{word}[{number}]"
            yield from _restriction(part, schema, below)


def _forbidden(schema: Schema, path: str) -> Iterator[Cause]:
    for word in _UNSUPPORTED:
        if schema.get(word):
            yield Cause(FORBIDDEN, f"Forbidden: {word} is not supported", f"{path}.{word}")
    if schema.get("uniqueItems"):
        why = "Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        yield Cause(FORBIDDEN, why, f"{path}.uniqueItems")
    if schema.get("additionalProperties") is False:
        why = "Forbidden: additionalProperties cannot be set to false"
        yield Cause(FORBIDDEN, why, f"{path}.additionalProperties")
    if schema.get("properties") and schema.get("additionalProperties"):
        why = "Forbidden: additionalProperties and properties are mutual exclusive"
        yield Cause(FORBIDDEN, why, f"{path}.additionalProperties")
    if schema.get(EMBEDDED):
        if schema.get("type") != "object":
            why = f"Invalid value: must be object if {EMBEDDED} is true"
            yield Cause(INVALID, why, f"{path}.type")
        if not schema.get("properties") and not schema.get(PRESERVE):
            why = f"Required value: must not be empty if {EMBEDDED} is true without {PRESERVE}"
            yield Cause(REQUIRED, why, f"{path}.properties")
    if schema.get("pattern"):
        fault = formats.pattern_fault(schema["pattern"])
        if fault:
            why = f"Invalid value: {told(schema['pattern'])}: must be a valid regular expression, but isn't: {fault}"
            yield Cause(INVALID, why, f"{path}.pattern")


def _restriction(part: Any, outside: Schema, path: str) -> Iterator[Cause]:
    """A schema within allOf and its like: restricts what is described outside of it."""
    if not isinstance(part, dict):
        yield Cause(INVALID, f"Invalid value: {told(part)}: must be a schema", path)
        return
    of_int_or_string = bool(outside.get(INT_OR_STRING)) and part.get("type") in ("integer", "string")
    for word in _ONLY_OUTSIDE:
        if part.get(word) and not (word == "type" and of_int_or_string):
            yield Cause(FORBIDDEN, "Forbidden: must be empty to be structural", f"{path}.{word}")
    known = outside.get("properties") or {}
    additional = outside.get("additionalProperties")
    for key, inner in (part.get("properties") or {}).items():
        described = known.get(key, additional)
        below = f"{path}.properties[{key}]"
        if isinstance(described, dict):
            yield from _restriction(inner, described, below)
        elif not outside.get(PRESERVE):
            where = path.partition(".allOf")[0].partition(".anyOf")[0].partition(".oneOf")[0].partition(".not")[0]
            yield Cause(REQUIRED, f"Required value: because it is defined in {below}", f"{where}.properties[{key}]")
    items = part.get("items")
    if isinstance(items, dict) and isinstance(outside.get("items"), dict):
        yield from _restriction(items, outside["items"], f"{path}.items")
    for word in _COMBINED:
        for number, inner in enumerate(part.get(word) or ()):
            yield from _restriction(inner, outside, f"{path}.{word}[{number}]")


def parts(schema: Schema, path: str) -> Iterator[tuple[str, Any, str]]:
    """Schemas directly within one: (name, schema, path)."""
    for key, inner in (schema.get("properties") or {}).items():
        yield key, inner, f"{path}.properties[{key}]"
    if isinstance(schema.get("additionalProperties"), dict):
        yield "additionalProperties", schema["additionalProperties"], f"{path}.additionalProperties"
    if "items" in schema:
        yield "items", schema["items"], f"{path}.items"


def _contents(schema: Schema, path: str, *, correlatable: bool) -> Iterator[Cause]:
    """Defaults, lists and rules of a structural schema."""
    yield from _lists(schema, path)
    if "default" in schema:
        yield from _default(schema, f"{path}.default")
    for number, rule in enumerate(schema.get(rules.RULES) or ()):
        yield from _rule(rule, schema, f"{path}.{rules.RULES}[{number}]", path, correlatable)
    for name, inner, below in parts(schema, path):
        if not isinstance(inner, dict):
            continue
        # Which element was which before is known in list maps alone.
        known = correlatable and (name != "items" or schema.get(LIST_TYPE) == "map")
        yield from _contents(inner, below, correlatable=known)


def _lists(schema: Schema, path: str) -> Iterator[Cause]:
    relation, keys = schema.get(LIST_TYPE), schema.get(LIST_KEYS) or []
    items = schema.get("items") if isinstance(schema.get("items"), dict) else {}
    assert isinstance(items, dict)
    if relation and relation not in ("atomic", "set", "map"):
        yield Cause(
            NOT_SUPPORTED,
            f"Unsupported value: {told(relation)}: supported values: atomic, set, map",
            f"{path}.{LIST_TYPE}",
        )
    if relation and schema.get("type") != "array":
        yield Cause(INVALID, f"Invalid value: must be array if {LIST_TYPE} is specified", f"{path}.type")
    if relation == "set" and items.get("type") in ("array", "object") and not _atomic(items):
        yield Cause(INVALID, "Invalid value: items of a set must be scalars or atomic", f"{path}.items")
    granular = schema.get(MAP_TYPE)
    if granular and granular not in ("atomic", "granular"):
        yield Cause(
            NOT_SUPPORTED,
            f"Unsupported value: {told(granular)}: supported values: atomic, granular",
            f"{path}.{MAP_TYPE}",
        )
    if relation != "map":
        if keys:
            yield Cause(FORBIDDEN, f"Forbidden: must be empty if {LIST_TYPE} is not map", f"{path}.{LIST_KEYS}")
        return
    if not keys:
        why = f"Required value: must not be empty if {LIST_TYPE} is map"
        yield Cause(REQUIRED, why, f"{path}.{LIST_KEYS}")
    if items.get("type") != "object":
        yield Cause(
            INVALID, f"Invalid value: must be object if parent array's {LIST_TYPE} is map", f"{path}.items.type"
        )
    properties = items.get("properties") or {}
    for key in keys:
        known = properties.get(key)
        below = f"{path}.items.properties[{key}]"
        if not isinstance(known, dict):
            yield Cause(INVALID, f"Invalid value: {told(key)}: must be one of the properties", f"{path}.{LIST_KEYS}")
        elif known.get("type") not in _SCALARS and not known.get(INT_OR_STRING):
            yield Cause(INVALID, "Invalid value: must be a scalar type if it is a key", f"{below}.type")
        elif "default" not in known and key not in (items.get("required") or ()):
            why = (
                f"Required value: this property is in {LIST_KEYS}, so it must have a default or be a required property"
            )
            yield Cause(REQUIRED, why, f"{below}.default")


def _atomic(schema: Schema) -> bool:
    return schema.get(LIST_TYPE) == "atomic" or schema.get(MAP_TYPE) == "atomic"


def _default(schema: Schema, path: str) -> Iterator[Cause]:
    value = copied(schema["default"])
    if value is None and schema.get("nullable"):
        return
    if prune_value(schema, value):
        why = f"Invalid value: {told(schema['default'])}: must not have unknown fields"
        yield Cause(INVALID, why, path)
        return
    drop_nulls(schema, value)
    for cause in check.check(schema, value):
        yield Cause(cause.reason, cause.message, path + (f".{cause.field}" if cause.field else ""))


def _rule(rule: Any, schema: Schema, path: str, where: str, correlatable: bool) -> Iterator[Cause]:
    text = rule.get("rule", "") if isinstance(rule, dict) else ""
    if not isinstance(text, str) or not text.strip():
        yield Cause(REQUIRED, "Required value: rule is not specified", f"{path}.rule")
        return
    message, reason, field = rule.get("message"), rule.get("reason"), rule.get("fieldPath")
    if isinstance(message, str) and ("\n" in message or (message and not message.strip())):
        yield Cause(INVALID, f"Invalid value: {told(message)}: message must not contain line breaks", f"{path}.message")
    if "\n" in text and not message:
        why = "Required value: message must be specified if rule contains line breaks"
        yield Cause(REQUIRED, why, f"{path}.message")
    if reason and reason not in rules.REASONS:
        why = f"Unsupported value: {told(reason)}: supported values: {', '.join(rules.REASONS)}"
        yield Cause(NOT_SUPPORTED, why, f"{path}.reason")
    if field and not rules.knows(schema, field):
        yield Cause(INVALID, f"Invalid value: {told(field)}: fieldPath must be a valid path", f"{path}.fieldPath")
    if rules.is_transition(text) and not correlatable:
        why = f"Invalid value: oldSelf cannot be used on the uncorrelatable portion of the schema within {where}"
        yield Cause(INVALID, why, f"{path}.rule")
    for name, wanted, type_ in (("rule", "BOOL", "bool"), ("messageExpression", "STRING", "string")):
        expression = rule.get(name)
        if not expression:
            continue
        fault = rules.fault(expression, schema, wanted, optional_old=bool(rule.get("optionalOldSelf")))
        if fault:
            why = fault if fault.startswith("compilation failed") else f"cel expression must evaluate to a {type_}"
            yield Cause(INVALID, f"Invalid value: {told(rule)}: {why}", f"{path}.{name}")
