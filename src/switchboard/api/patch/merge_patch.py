"""JSON Merge Patch: a document laid over another, where null removes.

In: a document and a patch as decoded JSON.  Out: a new document; the given ones stay as they are.
Called by the API server.
Specification: RFC 7386 (its successor 7396 differs in errata only).
"""

from __future__ import annotations

from typing import Any

from switchboard.api.errors import BadRequest
from switchboard.api.patch.bounds import copied


def apply(document: Any, patch: Any) -> Any:
    """The document after the patch; raises ``BadRequest`` for values that are nested too deep."""
    return _merge(copied(document), copied(patch))


def check(patch: Any) -> None:
    """Refuse a patch that kube-apiserver does not take for one of an object, with ``BadRequest``."""
    if not isinstance(patch, dict):
        kind = {list: "array", str: "string", bool: "bool"}.get(type(patch), "number")
        raise BadRequest(
            f"error decoding patch: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
        )


def _merge(document: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    found = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _merge(found.get(key), value)
    return found
