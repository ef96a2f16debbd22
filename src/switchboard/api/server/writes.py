"""Writing: create, update, patch and delete of one object, and deletion of collections.

In: decoded requests, who asks, the store.  Out: objects as stored, with warnings; every refusal is an ``ApiError``.
Called by the router.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/
All within one request happens in one transaction of the store; a dry run undoes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from switchboard.api import errors
from switchboard.api.access import escalation
from switchboard.api.access.identity import User
from switchboard.api.access.rbac import Authorizer
from switchboard.api.crds.custom import CustomKind
from switchboard.api.errors import ApiError, BadRequest, Cause
from switchboard.api.server import content, fields, options, patching, reads
from switchboard.api.server.content import Body
from switchboard.api.server.options import DeleteOptions, WriteOptions
from switchboard.api.server.request import Request, Target
from switchboard.api.server.resources import Resource
from switchboard.api.server.versions import as_version
from switchboard.api.store import EPHEMERAL_CONTAINERS, RESIZE, Store
from switchboard.k8s import kinds, objects
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, api_version, metadata, text

# Where a PUT of a name that is not there makes the object.
CREATED_BY_UPDATE: Final = frozenset(
    ("Event", "LimitRange", "Service", "Endpoints", "Lease", "PodTemplate", "Role", "RoleBinding", "ClusterRole",
     "ClusterRoleBinding")
)  # fmt: skip
# Whose deletion is answered with the object rather than with a Status.
DELETED_OBJECTS: Final = frozenset(
    ("Pod", "Service", "ServiceAccount", "PersistentVolume", "PersistentVolumeClaim", "PodTemplate", "ResourceQuota",
     "StorageClass")
)  # fmt: skip
SUBRESOURCES: Final = {"status": "status", "ephemeralcontainers": EPHEMERAL_CONTAINERS, "resize": RESIZE}


class Written(msgspec.Struct, frozen=True):
    """What a write led to; ``created`` makes the answer 201."""

    object: Object
    created: bool = False


class Writer:
    """Writes into one store.

    Args:
        store: where to.
        authorizer: for the rights that depend on what is written.
    """

    def __init__(self, store: Store, authorizer: Authorizer) -> None:
        self._store = store
        self._authorizer = authorizer

    def create(self, request: Request, target: Target, resource: Resource, user: User) -> Written:
        """POST to a collection."""
        settings = options.write_options(request, "CreateOptions")
        obj, warnings = read(request, target, resource, settings)
        self._store.warnings += warnings
        with self._store.transaction(dry_run=settings.dry_run):
            return Written(self._create(resource.kind, obj, user, request, settings), True)

    def update(self, request: Request, target: Target, resource: Resource, user: User) -> Written:
        """PUT of an object or of its status."""
        settings = options.write_options(request, "UpdateOptions")
        obj, warnings = read(request, target, resource, settings)
        self._store.warnings += warnings
        _match_name(obj, target.name)
        with self._store.transaction(dry_run=settings.dry_run):
            old = self._store.find(resource.kind.key, target.namespace, target.name)
            if old is None and resource.kind.kind in CREATED_BY_UPDATE and not target.subresource:
                self._authorizer.check(user, msgspec.structs.replace(target, verb="create"))
                return Written(self._create(resource.kind, obj, user, request, settings), True)
            if old is None:
                raise errors.not_found(resource.kind, target.name)
            if resource.custom and not objects.resource_version(obj):
                raise _without_version(resource.kind, target.name)
            return Written(self._update(resource.kind, target, obj, old, user, request, settings))

    def patch(self, request: Request, target: Target, resource: Resource, user: User) -> Written:
        """PATCH of an object or of its status; server-side apply makes what is not there."""
        type_ = content.patch_type(request)
        settings = options.write_options(request, "PatchOptions", apply=type_ == "apply")
        body = content.patch_of(request, type_)
        kind = resource.kind
        with self._store.transaction(dry_run=settings.dry_run):
            old = self._store.find(kind.key, target.namespace, target.name)
            if old is None and (type_ != "apply" or target.subresource):
                raise errors.not_found(kind, target.name)
            if type_ == "apply":
                return self._apply(request, target, resource, user, body.value, old, settings)
            assert old is not None
            before = as_version(old, kind)
            obj = patching.patched(type_, before, body.value, kind)
            self._store.warnings += _read_patched(obj, body, kind, settings, request)
            _match_names(obj, target)
            try:
                new = self._update(kind, target, obj, old, user, request, settings)
            except BadRequest as error:
                raise _patch_refused(error) from error
            return Written(new)

    def delete(self, request: Request, target: Target, resource: Resource) -> tuple[Object, bool]:
        """DELETE of an object: its last state, and whether it is gone."""
        settings = options.delete_options(request, _delete_body(request))
        with self._store.transaction(dry_run=settings.dry_run):
            return self._delete(resource.kind, target.namespace, target.name, settings)

    def delete_collection(self, request: Request, target: Target, resource: Resource) -> list[Object]:
        """DELETE of a collection: the objects that were deleted or marked."""
        settings = options.delete_options(request, _delete_body(request))
        wanted = options.list_options(request, watch=False)
        with self._store.transaction(dry_run=settings.dry_run):
            found = reads.page(self._store, resource.kind, target.namespace or None, wanted).records
            return [self._delete(resource.kind, r.namespace, r.name, settings)[0] for r in found]

    # Within

    def _create(self, kind: Kind, obj: Object, user: User, request: Request, settings: WriteOptions) -> Object:
        if "name" in metadata(obj) or "generateName" in metadata(obj):
            escalation.check(self._authorizer, user, kind, obj, None)
        return self._store.create(patching.owned(obj, None, kind, "", settings, request, self._store.clock()))

    def _update(
        self, kind: Kind, target: Target, obj: Object, old: Object, user: User, request: Request, settings: WriteOptions
    ) -> Object:
        if not target.subresource:
            escalation.check(self._authorizer, user, kind, obj, as_version(old, kind))
        owned = patching.owned(obj, old, kind, target.subresource, settings, request, self._store.clock())
        return self._store.update(owned, subresource=SUBRESOURCES.get(target.subresource, target.subresource))

    def _apply(
        self, request: Request, target: Target, resource: Resource, user: User, applied: Any, old: Object | None,
        settings: WriteOptions,
    ) -> Written:  # fmt: skip
        kind = resource.kind
        _check_applied(applied, kind, target)
        if old is None:
            self._authorizer.check(user, msgspec.structs.replace(target, verb="create"))
        before = as_version(old, kind) if old is not None else None
        obj = patching.applied(before, applied, kind, target.subresource, settings, self._store.clock())
        meta = metadata(obj)
        obj["metadata"] = meta
        if kind.namespaced:
            meta["namespace"] = target.namespace
        if old is None:
            meta.pop("resourceVersion", None)
            escalation.check(self._authorizer, user, kind, obj, None)
            return Written(self._store.create(obj), True)
        escalation.check(self._authorizer, user, kind, obj, before)
        return Written(self._store.update(obj, subresource=SUBRESOURCES.get(target.subresource, target.subresource)))

    def _delete(self, kind: Kind, namespace: str, name: str, settings: DeleteOptions) -> tuple[Object, bool]:
        policy = settings.policy
        if kind.kind == "Job" and not policy:
            # What batch/v1 does since its first day.
            policy = "Orphan"
            self._store.warnings.append(
                "child pods are preserved by default when jobs are deleted; "
                "set propagationPolicy=Background to remove them or propagationPolicy=Orphan to suppress this warning"
            )
        last = self._store.delete(
            kind.key,
            namespace,
            name,
            uid=settings.uid,
            resource_version=settings.resource_version,
            propagation_policy=policy or "Background",
            grace_period_seconds=settings.grace_period,
        )
        return as_version(last, kind), self._store.find(kind.key, namespace, name) is None


def read(
    request: Request, target: Target, resource: Resource, settings: WriteOptions
) -> tuple[Object, tuple[str, ...]]:
    """The object of a request, of the resource's kind and without unknown fields; and warnings."""
    kind = resource.kind
    body = content.body_of(request, kind.kind)
    obj = body.value if body.value is not None else {}
    if not isinstance(obj, dict):
        raise BadRequest(
            f"the object provided is unrecognized (must be of type {kind.kind}): couldn't get version/kind; "
            "json parse error: the body is not a JSON object"
        )
    _check_kind(obj, kind)
    obj["apiVersion"], obj["kind"] = kind.api_version, kind.kind
    warnings = known_fields(obj, body, kind, settings, strict_error(kind))
    if not isinstance({} if obj.get("metadata") is None else obj["metadata"], dict):
        raise BadRequest(f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: metadata')
    meta = obj["metadata"] = metadata(obj)
    _set_namespace(meta, kind, target.namespace)
    return obj, warnings


def _set_namespace(meta: dict[str, Any], kind: Kind, namespace: str) -> None:
    sent = text(meta.get("namespace"))
    if not kind.namespaced:
        meta.pop("namespace", None)
        return
    if sent and sent != namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")
    meta["namespace"] = namespace


def _check_kind(obj: Object, kind: Kind) -> None:
    sent_version, sent_kind = obj.get("apiVersion"), obj.get("kind")
    version, name = sent_version or kind.api_version, sent_kind or kind.kind
    if (version, name) == (kind.api_version, kind.kind):
        return
    if kind.custom:
        raise _other_kind(obj, kind)
    known = isinstance(version, str) and isinstance(name, str) and kinds.kind_of(version, name.removesuffix("List"))
    short = str(version).rpartition("/")[2]
    why = "unknown conversion" if known else f'no kind "{name}" is registered for version "{version}"'
    raise BadRequest(f'{name} in version "{short}" cannot be handled as a {kind.kind}: {why}')


def _without_version(kind: Kind, name: str) -> ApiError:
    why = "Invalid value: 0: must be specified for an update"
    return errors.invalid(kind, name, [Cause("FieldValueInvalid", why, "metadata.resourceVersion")])


def _other_kind(obj: Object, kind: Kind) -> ApiError:
    version, name = text(obj.get("apiVersion")), text(obj.get("kind"))
    if version not in ("", kind.api_version):
        return BadRequest(
            f"the API version in the data ({version}) does not match the expected API version ({kind.api_version})"
        )
    cause = Cause("FieldValueInvalid", f'Invalid value: "{name}": must be {kind.kind}', "kind")
    return errors.invalid(msgspec.structs.replace(kind, kind=name), objects.name(obj), [cause])


def strict_error(kind: Kind) -> Callable[[str], ApiError]:
    """How a strict refusal of a created or updated object is told."""

    def refuse(told: str) -> ApiError:
        return BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {told}'
        )

    return refuse


def known_fields(
    obj: Object, body: Body, kind: Kind, settings: WriteOptions, refuse: Callable[[str], ApiError]
) -> tuple[str, ...]:
    """Take unknown fields out in place; warnings about them and about duplicates, or a refusal when strict."""
    unknown = kind.prune(obj) if isinstance(kind, CustomKind) else fields.prune(obj, kind.api_version, kind.kind)
    told = [f'unknown field "{path}"' for path in unknown] + [f'duplicate field "{key}"' for key in body.duplicates]
    if told and settings.validation == "Strict":
        raise refuse(", ".join(told))
    return tuple(told) if settings.validation == "Warn" else ()


def _read_patched(obj: Object, body: Body, kind: Kind, settings: WriteOptions, request: Request) -> tuple[str, ...]:
    """A patched object must still be of its kind; unknown fields as in other writes, told as an invalid patch."""
    if (api_version(obj), obj.get("kind")) != (kind.api_version, kind.kind):
        raise _invalid_patch(request, f"{obj.get('kind')} is not the {kind.kind} of the request")
    if not isinstance(obj.get("metadata"), dict):
        raise _invalid_patch(request, "metadata is not an object")

    def refuse(told: str) -> ApiError:
        return _invalid_patch(request, f"strict decoding error: {told}")

    return known_fields(obj, body, kind, settings, refuse)


def _invalid_patch(request: Request, why: str) -> ApiError:
    shown = request.body[:500].decode("utf-8", "replace")
    cause = Cause("FieldValueInvalid", f"Invalid value: {shown!r}: {why}", "patch")
    return errors.Invalid(f' "" is invalid: patch: {cause.message}', causes=[cause])


def _patch_refused(error: BadRequest) -> ApiError:
    """What decoding would refuse in a created object is an invalid patch in a patched one."""
    if not error.findings:
        return error
    cause = Cause("FieldValueInvalid", f"Invalid value: {error.message}", "patch")
    return errors.Invalid(f' "" is invalid: patch: {cause.message}', causes=[cause], findings=error.findings)


def _match_name(obj: Object, name: str) -> None:
    sent = text(metadata(obj).get("name"))
    if not sent:
        raise BadRequest(f"the name of the object ({name} based on URL) was undeterminable: name must be provided")
    if sent != name:
        raise BadRequest(f"the name of the object ({sent}) does not match the name on the URL ({name})")


def _match_names(obj: Object, target: Target) -> None:
    _match_name(obj, target.name)
    sent = objects.namespace(obj)
    if sent and sent != target.namespace:
        raise BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def _check_applied(applied: Any, kind: Kind, target: Target) -> None:
    version, name = text(applied.get("apiVersion")), text(applied.get("kind"))
    if (version, name) != (kind.api_version, kind.kind):
        raise BadRequest(f"invalid object type: {version or '/'}, Kind={name}")
    if not isinstance(applied.get("metadata"), dict):
        applied["metadata"] = {}
    _match_names(applied, target)


def _delete_body(request: Request) -> dict[str, Any] | None:
    if not request.body.strip():
        return None
    media = content.media_type(request.header("content-type")) or content.JSON
    try:
        found = content.decoded(
            request.body, media if media in (content.YAML, content.PROTOBUF) else content.JSON
        ).value
    except ValueError as error:
        raise BadRequest(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(found, dict):
        raise BadRequest("couldn't get version/kind; json parse error: the body is not a JSON object")
    name = found.get("kind")
    if name not in (None, "", "DeleteOptions"):
        raise BadRequest(f"the body is a {name}, not DeleteOptions")
    return found
