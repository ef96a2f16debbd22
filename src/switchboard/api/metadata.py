"""What the API server itself writes into objects: names, generations, deletion marks; and when two states are equal.

In: an object as sent, and the stored one.  Out: new dictionaries; nothing is changed in place unless it says so.
Called by ``store``.
Specification: https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from switchboard.api.errors import BadRequest, Cause, ServerFault, conflict, invalid, modified
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, finalizers, mapping, metadata, resource_version, spec, text, uid

SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
SUFFIX_LENGTH = 5
MAX_GENERATED_BASE = 63 - SUFFIX_LENGTH

# Kinds whose generation the server counts; the others keep what a client sent.
GENERATED = frozenset(
    {
        "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job", "CronJob", "Pod",
        "Ingress", "IngressClass", "NetworkPolicy", "EndpointSlice", "PodDisruptionBudget", "CustomResourceDefinition",
        "ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding", "PriorityClass",
    }
)  # fmt: skip
# Written by the server, whatever a client sends.
_OWN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation")


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with whole seconds, as ``metav1.Time``."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def counts(kind: Kind) -> bool:
    """Whether the server counts the generation of a kind's objects."""
    return kind.custom or kind.kind in GENERATED


def clone(obj: Object) -> Object:
    """A deep copy that shares nothing; also what proves that the object is JSON."""
    try:
        copied = msgspec.json.decode(msgspec.json.encode(obj))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise BadRequest(f"the object is not representable as JSON: {error}") from error
    if not isinstance(copied, dict):
        raise BadRequest("the object is not a JSON object")
    return copied


def ordered(kind: Kind, obj: Object) -> Object:
    """The object with kind and apiVersion first, as kube-apiserver writes it; empty metadata maps disappear."""
    meta = {k: v for k, v in metadata(obj).items() if v is not None and v != {} and v != []}
    body = {k: v for k, v in obj.items() if k not in ("kind", "apiVersion", "metadata")}
    return {"kind": kind.kind, "apiVersion": text(obj.get("apiVersion")) or kind.api_version, "metadata": meta, **body}


def prepare_create(kind: Kind, obj: Object, moment: datetime, new_uid: str, randrange: Callable[[int], int]) -> None:
    """Set in place what the server decides at creation: name from generateName, uid, creation time, generation 1."""
    meta = obj["metadata"] = metadata(obj)
    if text(meta.get("resourceVersion")) not in ("", "0"):
        raise ServerFault("resourceVersion should not be set on objects to be created")
    meta.pop("resourceVersion", None)
    if not meta.get("name") and meta.get("generateName"):
        base = text(meta["generateName"])[:MAX_GENERATED_BASE]
        meta["name"] = base + "".join(SUFFIX_ALPHABET[randrange(len(SUFFIX_ALPHABET))] for _ in range(SUFFIX_LENGTH))
    for field in _OWN:
        if field != "generation" or counts(kind):
            meta.pop(field, None)
    meta["uid"] = new_uid
    meta["creationTimestamp"] = timestamp(moment)
    if counts(kind):
        meta["generation"] = 1


def require_name(kind: Kind, obj: Object) -> None:
    """Refuse an object without name."""
    if not text(metadata(obj).get("name")):
        cause = Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")
        raise invalid(kind, "", [cause])


def check_update(kind: Kind, new: Object, old: Object) -> None:
    """Refuse an update of another object (uid), of an older state (resourceVersion), or one that adds finalizers."""
    name = text(metadata(old).get("name"))
    sent = resource_version(new)
    if sent and sent != "0":
        if not sent.isdecimal():
            raise ServerFault(f'resourceVersion "{sent}" is not a number')
        if sent != resource_version(old):
            raise modified(kind, name)
    if uid(new) and uid(new) != uid(old):
        why = f"Precondition failed: UID in precondition: {uid(new)}, UID in object meta: {uid(old)}"
        raise conflict(kind, name, why)
    if metadata(old).get("deletionTimestamp"):
        added = [f for f in finalizers(new) if f not in finalizers(old)]
        if added:
            why = "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
            raise invalid(kind, name, [Cause("FieldValueForbidden", why + str(added), "metadata.finalizers")])


def prepare_update(kind: Kind, new: Object, old: Object) -> None:
    """Carry over in place what the server owns: identity, creation and deletion marks, generation, resource version."""
    meta, before = metadata(new), metadata(old)
    new["metadata"] = meta
    for field in _OWN if counts(kind) else _OWN[:-1]:
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)
    for field in ("name", "namespace", "resourceVersion"):
        if field in before:
            meta[field] = before[field]


def bump_generation(kind: Kind, new: Object, old: Object) -> None:
    """Count the generation up in place when what the user wants has changed (not status, not metadata)."""
    if not counts(kind):
        return
    changed = desired(kind, new) != desired(kind, old)
    new["metadata"]["generation"] = int(metadata(old).get("generation") or 0) + (1 if changed else 0)


def desired(kind: Kind, obj: Object) -> Any:
    """What the generation counts: the spec, or everything but metadata and status where there is none."""
    if kind.kind == "EndpointSlice":
        body = {k: v for k, v in obj.items() if k not in ("metadata", "kind", "apiVersion")}
        return (body, metadata(obj).get("labels") or {})
    if kind.custom:
        left_out = ("metadata", "status") if kind.status_subresource else ("metadata",)
        return {k: v for k, v in obj.items() if k not in left_out}
    if "spec" in obj:
        return spec(obj)
    return {k: v for k, v in obj.items() if k not in ("metadata", "status", "kind", "apiVersion")}


def mark_deleted(kind: Kind, obj: Object, moment: datetime, grace_period: int | None) -> None:
    """Set the deletion marks in place; a shorter grace period replaces a longer one, the moment moves with it."""
    meta = obj["metadata"]
    if not meta.get("deletionTimestamp") and counts(kind):
        meta["generation"] = int(meta.get("generation") or 0) + 1
    meta.setdefault("deletionTimestamp", timestamp(moment))
    if grace_period is not None:
        meta["deletionTimestamp"] = timestamp(moment)
        meta["deletionGracePeriodSeconds"] = grace_period


def labels_of(obj: Object) -> dict[str, str]:
    """Labels as the storage's index keeps them; what is not a string is left out."""
    found = mapping(metadata(obj).get("labels"))
    return {k: v for k, v in found.items() if isinstance(v, str)}
