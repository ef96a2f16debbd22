"""Fields that a schema does not know: found for warnings and strict reading, and taken out of what is stored.

In: an object of a built-in kind.  Out: the object without them, and their paths.
Called by the writes before the store.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/#setting-the-field-validation-level
"""

from __future__ import annotations

from typing import Any

from switchboard.k8s import schemas
from switchboard.k8s.objects import Object
from switchboard.k8s.schemas import Schema


def prune(obj: Object, api_version: str, kind: str) -> list[str]:
    """Take out in place what the kind does not have; answers the paths, in order. Unknown kinds keep everything."""
    schema = schemas.schema_of(api_version, kind)
    found: list[str] = []
    if schema is not None:
        _walk(schema, obj, "", found)
    return found


def _walk(schema: Schema, value: Any, path: str, found: list[str]) -> None:
    schema = schemas.resolve(schema)
    if isinstance(value, list):
        items = schema.get("items")
        if items:
            for i, item in enumerate(value):
                _walk(items, item, f"{path}[{i}]", found)
        return
    if not isinstance(value, dict):
        return
    properties: Schema = schema.get("properties", {})
    additional = schema.get("additionalProperties", True)
    for key in list(value):
        inner = f"{path}.{key}" if path else key
        if key in properties:
            _walk(properties[key], value[key], inner, found)
        elif additional is False:
            found.append(inner)
            del value[key]
        elif isinstance(additional, dict):
            _walk(additional, value[key], inner, found)
