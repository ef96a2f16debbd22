"""What a structural schema makes of an object before it is checked: numbers, unknown fields, defaults, nulls.

In: an object and its schema.  Out: the same object changed in place, and the paths of what was dropped.
Called by ``registry`` (and ``structural`` for defaults within schemas).
Specification: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import schemas
from switchboard.k8s.objects import copied

Schema = dict[str, Any]
PRESERVE: Final = "x-kubernetes-preserve-unknown-fields"
EMBEDDED: Final = "x-kubernetes-embedded-resource"
INT_OR_STRING: Final = "x-kubernetes-int-or-string"
_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_OWN: Final = ("apiVersion", "kind", "metadata")
# Above this a whole float is not exact, and Go prints it with an exponent.
_EXACT: Final = 2.0**53


def whole_numbers(value: Any) -> Any:
    """The value with 5.0 as 5, as it comes out of kube-apiserver; answers a new value."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, dict):
        return {k: whole_numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [whole_numbers(v) for v in value]
    return value


def prune(schema: Schema, obj: dict[str, Any]) -> list[str]:
    """Drop the fields of a whole object that its schema does not know; answers their paths."""
    return _prune(schema, obj, "", whole_object=True)


def prune_value(schema: Schema, value: Any) -> list[str]:
    """The same for a value within an object, such as a default."""
    return _prune(schema, value, "", whole_object=bool(schema.get(EMBEDDED)))


def _prune(schema: Schema, value: Any, path: str, *, whole_object: bool) -> list[str]:
    if isinstance(value, list):
        items = schema.get("items")
        if not isinstance(items, dict):
            return []
        embedded = bool(items.get(EMBEDDED))
        return [p for i, v in enumerate(value) for p in _prune(items, v, f"{path}[{i}]", whole_object=embedded)]
    if not isinstance(value, dict):
        return []
    dropped: list[str] = []
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    keep = bool(schema.get(PRESERVE)) or additional is True
    prefix = f"{path}." if path else ""
    for key in list(value):
        if whole_object and key in _OWN:
            if key == "metadata":
                dropped += _prune_metadata(value[key], prefix + key)
            continue
        inner = properties.get(key)
        if inner is None and isinstance(additional, dict):
            inner = additional
        if inner is not None:
            dropped += _prune(inner, value[key], prefix + key, whole_object=bool(inner.get(EMBEDDED)))
        elif not keep:
            del value[key]
            dropped.append(prefix + key)
    return dropped


def _prune_metadata(meta: Any, path: str) -> list[str]:
    """Metadata is Kubernetes' own, whatever the schema says."""
    if not isinstance(meta, dict):
        return []
    known = schemas.definitions()[_OBJECT_META]["properties"]
    unknown = [key for key in meta if key not in known]
    for key in unknown:
        del meta[key]
    return [f"{path}.{key}" for key in unknown]


def default(schema: Schema, value: Any) -> None:
    """Fill in defaults in place, from the outside in; a null where none may be counts as not given."""
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for element in value:
                default(items, element)
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    for key, inner in properties.items():
        if "default" in inner and (key not in value or (value[key] is None and not inner.get("nullable"))):
            value[key] = copied(inner["default"])
    additional = schema.get("additionalProperties")
    for key, element in value.items():
        inner = properties.get(key, additional)
        if isinstance(inner, dict):
            if element is None and "default" in inner and not inner.get("nullable"):
                value[key] = copied(inner["default"])
            default(inner, value[key])


def drop_nulls(schema: Schema, value: Any) -> None:
    """Drop nulls in place where the schema admits none; after ``default``."""
    if isinstance(value, list):
        items = schema.get("items")
        if isinstance(items, dict):
            for element in value:
                drop_nulls(items, element)
        return
    if not isinstance(value, dict):
        return
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    for key in list(value):
        inner = properties.get(key, additional)
        if not isinstance(inner, dict):
            continue
        if value[key] is None and not inner.get("nullable") and "default" not in inner:
            del value[key]
        else:
            drop_nulls(inner, value[key])
