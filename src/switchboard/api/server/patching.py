"""Patches and field ownership: the border to the patch engines and to managed fields.

In: the stored object and a patch.  Out: the object as it shall be, and who owns its fields.
Called by the writes and the scale subresource.
Specification: RFC 6902, RFC 7386, strategic merge patch, server-side apply.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any

from switchboard.api import managed, managed_scale, managed_types
from switchboard.api.crds.custom import CustomKind
from switchboard.api.errors import BadRequest
from switchboard.api.metadata import timestamp
from switchboard.api.patch import json_patch, merge_patch, strategic
from switchboard.api.server import content
from switchboard.api.server.options import WriteOptions
from switchboard.api.server.request import Request
from switchboard.api.server.versions import as_version
from switchboard.k8s import objects, schemas
from switchboard.k8s.defaults import default
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, copied, metadata

_SCALE = "scale"


def patched(type_: str, obj: Object, patch: Any, kind: Kind) -> Object:
    """The object after a ``json``, ``merge`` or ``strategic`` patch; raises any ``ApiError``.

    ``apply`` is for a Scale, of which the number alone can be set: there it is a merge of that.
    """
    if type_ == "json":
        found = json_patch.apply(obj, patch)
    elif type_ == "strategic":
        found = strategic.apply(obj, patch, schemas.schema_of(kind.api_version, kind.kind))
    else:
        merge_patch.check(patch)
        if type_ == "apply" and (patch.get("apiVersion"), patch.get("kind")) != (kind.api_version, kind.kind):
            raise BadRequest(f"invalid object type: {patch.get('apiVersion')}, Kind={patch.get('kind')}")
        found = merge_patch.apply(obj, patch)
    # A patch may leave the namespace out: the request has named it.
    if kind.namespaced and isinstance(found, dict) and isinstance(found.get("metadata"), dict):
        found["metadata"].setdefault("namespace", objects.namespace(obj))
    return objects.mapping(found)


def applied(
    obj: Object | None, wanted: Object, kind: Kind, subresource: str, settings: WriteOptions, now: datetime
) -> Object:
    """The object after server-side apply, with managed fields; raises ``Conflict`` naming the other managers."""
    return managed.apply(obj, wanted, _writer(settings.manager, kind, subresource, now), force=bool(settings.force))


def owned(
    obj: Object, old: Object | None, kind: Kind, subresource: str, settings: WriteOptions, request: Request,
    now: datetime,
) -> Object:  # fmt: skip
    """The object with managed fields that say what this write changed; defaults count as written."""
    writer = _writer(managed.manager_name(settings.manager, request.header("user-agent")), kind, subresource, now)
    before = as_version(old, kind) if old is not None else None
    if subresource == _SCALE and before is not None:
        return _scaled(before, obj, kind, writer, settings, request)
    complete = managed.update(before, obj if subresource else _completed(obj, kind), writer)
    kept = {k: v for k, v in metadata(obj).items() if k != "managedFields"}
    entries = metadata(complete).get("managedFields")
    return {**obj, "metadata": {**kept, "managedFields": entries} if entries else kept}


def _scaled(
    old: Object, new: Object, kind: Kind, writer: managed.Writer, settings: WriteOptions, request: Request
) -> Object:
    scale = kind.scale if isinstance(kind, CustomKind) else None
    replicas = scale.replicas if scale else managed_scale.REPLICAS
    if request.method == "PATCH" and content.patch_type(request) == "apply":
        return managed_scale.applied(old, new, writer, replicas, force=bool(settings.force))
    return managed_scale.updated(old, new, writer, replicas)


def _completed(obj: Object, kind: Kind) -> Object:
    if not isinstance(kind, CustomKind):
        return default(obj)
    found: Object = copied(obj)
    kind.default(found)
    return found


@functools.lru_cache(maxsize=512)
def _types(kind: Kind) -> managed_types.Type:
    if isinstance(kind, CustomKind):
        return managed_types.custom(kind.schema)
    return managed_types.built_in(kind.api_version, kind.kind) or managed_types.custom(None)


def _writer(manager: str, kind: Kind, subresource: str, now: datetime) -> managed.Writer:
    return managed.Writer(
        manager=manager,
        api_version=kind.api_version,
        kind=kind.kind,
        time=timestamp(now),
        types=_types(kind),
        subresource=subresource,
        reset=managed.reset_fields(status_subresource=kind.status_subresource, subresource=subresource),
        only="status" if kind.custom and subresource == "status" else "",
    )
