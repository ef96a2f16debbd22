"""Manifests into the store: all of them or none.

In: objects or manifests in any order.  Out: what was done with each, or findings about every one that was refused.
Called by ``up -f`` and by control for the objects of the cluster itself.
Specification: https://kubernetes.io/docs/tasks/manage-kubernetes-objects/declarative-config/ (what was applied before
and is left out now is removed; what others set stays; lists are replaced as a whole).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from switchboard.api.errors import ApiError, NotFound
from switchboard.api.metadata import clone
from switchboard.api.store import Store, kind_of
from switchboard.base.findings import Finding
from switchboard.k8s import names, objects
from switchboard.k8s.manifests import Manifest
from switchboard.k8s.objects import Object

CREATED, CONFIGURED, UNCHANGED = "created", "configured", "unchanged"

# What others refer to comes first; kinds that are not named come between Services and workloads.
_FIRST = (
    "Namespace", "CustomResourceDefinition", "StorageClass", "PriorityClass", "Node", "ServiceCIDR", "ResourceQuota",
    "LimitRange", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Secret", "ConfigMap",
    "PersistentVolume", "PersistentVolumeClaim", "IngressClass", "NetworkPolicy", "Service", "Endpoints",
    "EndpointSlice",
)  # fmt: skip
_LAST = (
    "Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "PodDisruptionBudget",
    "HorizontalPodAutoscaler", "Ingress",
)  # fmt: skip


class Result(msgspec.Struct, frozen=True):
    """What became of one object: the object as stored, and ``created``, ``configured`` or ``unchanged``."""

    object: Object
    action: str


class Applied(msgspec.Struct, frozen=True):
    """The results in the order of application, or findings, in which case nothing was written."""

    results: tuple[Result, ...] = ()
    findings: tuple[Finding, ...] = ()


class _RefusedError(Exception):
    pass


def apply(store: Store, given: Iterable[Object | Manifest], *, namespace: str = names.DEFAULT_NAMESPACE) -> Applied:
    """Create or update every object, in an order in which references hold; nothing is written if one is refused.

    ``namespace`` is that of namespaced objects which name none.
    """
    entries = [entry if isinstance(entry, Manifest) else Manifest(entry, "", 0, 0) for entry in given]
    results: list[Result] = []
    findings: list[Finding] = []
    try:
        with store.transaction():
            for entry in _ordered(entries):
                try:
                    results.append(_apply_one(store, entry.object, namespace))
                except ApiError as error:
                    findings += _findings(entry, error)
            if findings:
                raise _RefusedError
    except _RefusedError:
        return Applied(findings=tuple(findings))
    return Applied(tuple(results))


def _ordered(entries: Sequence[Manifest]) -> list[Manifest]:
    def rank(entry: Manifest) -> int:
        kind = objects.kind(entry.object)
        if kind in _FIRST:
            return _FIRST.index(kind)
        return len(_FIRST) + 1 + _LAST.index(kind) if kind in _LAST else len(_FIRST)

    return sorted(entries, key=rank)


def _apply_one(store: Store, given: Object, namespace: str) -> Result:
    wanted = clone(given)
    kind = kind_of(wanted)
    meta = wanted["metadata"] = objects.metadata(wanted)
    if kind.namespaced:
        meta.setdefault("namespace", namespace)
    if not objects.name(wanted):
        return Result(store.create(wanted), CREATED)
    annotations = {k: v for k, v in objects.annotations(wanted).items() if k != names.LAST_APPLIED}
    applied = msgspec.json.encode({**wanted, "metadata": {**meta, "annotations": annotations}}).decode()
    meta["annotations"] = {**annotations, names.LAST_APPLIED: applied}
    space = objects.namespace(wanted) if kind.namespaced else ""
    live = store.find(kind.kind, space, objects.name(wanted))
    if live is None:
        return Result(store.create(wanted), CREATED)
    merged = _merge(live, _last_applied(live), wanted)
    stored = store.update(merged)
    changed = objects.resource_version(stored) != objects.resource_version(live)
    return Result(stored, CONFIGURED if changed else UNCHANGED)


def _last_applied(live: Object) -> Object:
    try:
        found = msgspec.json.decode(objects.annotations(live).get(names.LAST_APPLIED, "{}"))
    except (msgspec.DecodeError, TypeError):
        return {}
    return objects.mapping(found)


def _merge(live: Any, before: Any, wanted: Any) -> Any:
    """The live value with what is wanted now, without what was wanted before and is not any more."""
    if not (isinstance(live, dict) and isinstance(wanted, dict)):
        return wanted
    earlier = objects.mapping(before)
    merged = {k: v for k, v in live.items() if k in wanted or k not in earlier}
    for key, value in wanted.items():
        merged[key] = _merge(live[key], earlier.get(key), value) if key in live else value
    return merged


def _findings(entry: Manifest, error: ApiError) -> list[Finding]:
    reference = objects.reference(entry.object)
    if error.findings:
        return [msgspec.structs.replace(f, object=reference, place=entry.place(f.field)) for f in error.findings]
    hint = "Add the namespace to the manifests, or create it first." if _namespace_is_missing(error) else ""
    causes = error.causes or (None,)
    return [
        Finding(
            reference="refused",
            message=cause.message if cause and cause.field else str(error),
            object=reference,
            field=cause.field if cause else "",
            hint=hint or "Change the object so that the API accepts it.",
            place=entry.place(cause.field if cause else ""),
        )
        for cause in causes
    ]


def _namespace_is_missing(error: ApiError) -> bool:
    return isinstance(error, NotFound) and error.resource == "namespaces"
