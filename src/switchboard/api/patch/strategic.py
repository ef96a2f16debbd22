"""Strategic merge patch: a merge patch that knows which lists merge by key, and directives for what it cannot say.

In: a document, a patch as decoded JSON, and the schema of the document's kind.  Out: a new document.
Called by the API server.
Specification: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/ and
``x-kubernetes-patch-strategy`` and ``x-kubernetes-patch-merge-key`` of the schemas; refusals are kube-apiserver's.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.api.errors import BadRequest, ServerFault, UnsupportedMediaType
from switchboard.api.patch import ordering
from switchboard.api.patch.bounds import bounded, copied
from switchboard.k8s.schemas import Schema, resolve

PATCH: Final = "$patch"
RETAIN_KEYS: Final = "$retainKeys"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"
SET_ORDER: Final = "$setElementOrder/"
_MARKED: Final = (RETAIN_KEYS, DELETE_FROM, SET_ORDER)
_NONE: Final = object()

Mapping = dict[str, Any]


def apply(document: Mapping, patch: Any, schema: Schema | None) -> Mapping:
    """The document after the patch.

    ``schema`` is that of the document's kind; custom resources have none (``UnsupportedMediaType``).
    Raises ``BadRequest`` for malformed directives, ``ServerFault`` for a patch that does not fit the schema.
    """
    if schema is None:
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )
    if not isinstance(patch, dict):
        raise BadRequest("error decoding patch: the patch is not a mapping")
    found: Mapping = bounded(_merge(copied(document), copied(patch), schema))
    return found


def _merge(original: Mapping, patch: Mapping, schema: Schema | None) -> Mapping:
    """Both may be changed: they are copies."""
    if PATCH in patch:
        return _directed(patch)
    _retain(original, patch)
    _set_orders(original, patch, schema)
    for key, value in patch.items():
        if key.startswith(DELETE_FROM):
            _delete_from(original, key.removeprefix(DELETE_FROM), value)
        elif value is None:
            original.pop(key, None)
        elif isinstance(value, dict) and isinstance(original.get(key), dict):
            below, strategies, _ = _lookup(schema, key)
            original[key] = _plain(value) or {} if "replace" in strategies else _merge(original[key], value, below)
        elif isinstance(value, list) and isinstance(original.get(key), list):
            below, strategies, merge_key = _lookup(schema, key)
            merges = "merge" in strategies
            original[key] = _merge_list(original[key], value, below, merge_key) if merges else _plain(value)
        else:
            _take(original, key, value)
    return original


def _take(original: Mapping, key: str, value: Any) -> None:
    """Take over what has no counterpart, without nulls and directives."""
    kept = _plain(value)
    if kept is None:
        original.pop(key, None)
    else:
        original[key] = kept


def _plain(value: Any) -> Any:
    """The value without nulls and directives; None for one that is a directive itself."""
    if isinstance(value, dict):
        if PATCH in value:
            return None
        found = {k: _plain(v) for k, v in value.items() if not (v is None or k.startswith(_MARKED))}
        return {k: v for k, v in found.items() if v is not None}
    if isinstance(value, list):
        found_items = [v if v is None else _plain(v) for v in value]
        return [v for v, was in zip(found_items, value, strict=True) if v is not None or was is None]
    return value


def _directed(patch: Mapping) -> Mapping:
    if patch[PATCH] == "replace":
        return {key: value for key, value in patch.items() if key != PATCH}
    if patch[PATCH] == "delete":
        return {}
    raise _unknown_directive(patch)


def _unknown_directive(patch: Mapping) -> ServerFault:
    return ServerFault(f"unknown patch type: {ordering.go_text(patch[PATCH])} in map: {ordering.go_text(patch)}")


def _retain(original: Mapping, patch: Mapping) -> None:
    """Drop what ``$retainKeys`` does not name; all that the patch sets must be named."""
    if RETAIN_KEYS not in patch:
        return
    retained = patch.pop(RETAIN_KEYS)
    if not isinstance(retained, list):
        raise BadRequest("invalid patch format of retainKeys")
    kept = {key for key in retained if isinstance(key, str)}
    for key, value in patch.items():
        if value is not None and not key.startswith((DELETE_FROM, SET_ORDER)) and key not in kept:
            raise BadRequest("invalid patch format of retainKeys")
    for key in [key for key in original if key not in kept]:
        del original[key]


def _delete_from(original: Mapping, key: str, values: Any) -> None:
    if not isinstance(original.get(key), list):
        return
    if values is None:
        del original[key]
    elif isinstance(values, list):
        ordering.check_scalars(original[key], values)
        gone = {ordering.identity(value) for value in values}
        original[key] = [value for value in original[key] if ordering.identity(value) not in gone]


def _set_orders(original: Mapping, patch: Mapping, schema: Schema | None) -> None:
    """Merge and order the lists that come with ``$setElementOrder``, and take both out of the patch."""
    for directive in [key for key in patch if key.startswith(SET_ORDER)]:
        order, key = patch.pop(directive), directive.removeprefix(SET_ORDER)
        below, strategies, merge_key = _lookup(schema, key)
        lists = [order] + [part[key] for part in (original, patch) if key in part]
        for part in lists:
            if not isinstance(part, list):
                raise ServerFault(f"expected a []interface {{}}, but received a {_go_kind(part)}")
        ordering.check(patch.get(key) or [], order, merge_key)
        if key not in original and key not in patch:
            continue
        before = original.get(key, [])
        if key not in patch:
            merged = list(before)
        elif key not in original:
            merged = _plain(patch[key])
        elif "merge" in strategies:
            merged = _merge_list(list(before), patch[key], below, merge_key)
        else:
            merged = _plain(patch[key])
        original[key] = ordering.arrange(merged, order, before, merge_key)
        patch.pop(key, None)


def _merge_list(original: list[Any], patch: list[Any], schema: Schema | None, merge_key: str) -> list[Any]:
    if not original and not patch:
        return original
    if ordering.element_kind(original, patch) is not dict:
        merged = list({ordering.identity(value): value for value in [*original, *patch]}.values())
        return ordering.arrange(merged, patch, original, "")
    if not merge_key:
        raise ServerFault("cannot merge lists without merge key")
    before, wanted = _directed_list(original, patch, merge_key)
    places: dict[bytes | None, int] = {}
    merged = []
    for value in before:
        places.setdefault(ordering.identity(value.get(merge_key)) if merge_key in value else None, len(merged))
        merged.append(value)
    for value in wanted:
        key = ordering.identity(ordering.key_of(value, merge_key))
        if key in places:
            merged[places[key]] = _merge(merged[places[key]], value, schema)
        else:
            places[key] = len(merged)
            merged.append(_plain(value))
    return ordering.arrange(merged, wanted, before, merge_key)


def _directed_list(original: list[Any], patch: list[Any], merge_key: str) -> tuple[list[Any], list[Any]]:
    """What remains of the list, and what is to be merged into it, after the directives among its items."""
    wanted, gone, replaced = [], set(), False
    for value in patch:
        directive = value.get(PATCH, _NONE)
        if directive is _NONE:
            wanted.append(value)
        elif directive == "delete":
            gone.add(ordering.identity(ordering.key_of(value, merge_key)))
        elif directive == "replace":
            replaced = True
        elif directive == "merge":
            raise ServerFault("merging lists cannot yet be specified in the patch")
        else:
            raise _unknown_directive(value)
    if replaced:
        return wanted, []
    return [v for v in original if merge_key not in v or ordering.identity(v[merge_key]) not in gone], wanted


def _lookup(schema: Schema | None, key: str) -> tuple[Schema | None, list[str], str]:
    """The schema of a member (of its items for a list), its patch strategies and its merge key."""
    if schema is None:
        return None, [], ""
    resolved = resolve(schema)
    properties = resolved.get("properties") or {}
    if key not in properties:
        additional = resolved.get("additionalProperties")
        if isinstance(additional, dict):
            return _items(additional), [], ""
        if properties:
            raise ServerFault(f'unable to find api field in struct for the json field "{key}"')
        return None, [], ""
    member = properties[key]
    strategies = member.get("x-kubernetes-patch-strategy", "").split(",")
    return _items(member), strategies, member.get("x-kubernetes-patch-merge-key", "")


def _items(schema: Schema) -> Schema:
    resolved = resolve(schema)
    items = resolved.get("items")
    return items if isinstance(items, dict) else resolved


def _go_kind(value: Any) -> str:
    if isinstance(value, dict):
        return "map[string]interface {}"
    return {str: "string", bool: "bool", int: "int64", float: "float64"}.get(type(value), "%!s(<nil>)")
