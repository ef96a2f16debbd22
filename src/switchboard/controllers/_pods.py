"""What the workload controllers share: pods from a template, whose pod is whose, when a pod counts.

In: pods, templates, owners.  Out: facts and new objects.
Called by the workload controllers of this package and by the scheduler.
Specification: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from switchboard.api import selectors
from switchboard.api.metadata import SUFFIX_ALPHABET, clone
from switchboard.controllers._contract import Relation, Update, controlled_by
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object

FINISHED = ("Succeeded", "Failed")


def phase(pod: Object) -> str:
    """``status.phase``, Pending when there is none yet."""
    return objects.text(objects.status(pod).get("phase")) or "Pending"


def active(pod: Object) -> bool:
    """Whether the pod counts for its workload: neither finished nor being deleted."""
    return phase(pod) not in FINISHED and not objects.deleting(pod)


def ready(pod: Object) -> bool:
    """Whether the pod has the condition Ready."""
    return objects.condition(pod, "Ready") == "True"


def moment(text: object) -> datetime | None:
    """A timestamp of an object, None when it cannot be read."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if isinstance(text, str) else None
    except ValueError:
        return None


def seconds_until_available(pod: Object, min_ready_seconds: int, now: datetime) -> float | None:
    """0 when the pod is available, the seconds left of ``minReadySeconds``, or None while it is not ready."""
    if not ready(pod):
        return None
    if min_ready_seconds <= 0:
        return 0.0
    condition = next(c for c in objects.conditions(pod) if c.get("type") == "Ready")
    since = moment(condition.get("lastTransitionTime"))
    if since is None:
        return 0.0
    return max(0.0, min_ready_seconds - (now - since).total_seconds())


def created(obj: Object) -> str:
    """The creation time as text that sorts."""
    return objects.text(objects.metadata(obj).get("creationTimestamp"))


def integer(value: object, default: int) -> int:
    """An integer field, or its default when it is missing or of another type."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def template_hash(template: Any, salt: object = 0) -> str:
    """A short text that names a pod template: equal templates and salts give equal names."""
    number = 0x811C9DC5
    for byte in msgspec.json.encode([template, salt], order="deterministic"):
        number = ((number ^ byte) * 0x01000193) & 0xFFFFFFFF
    return "".join(SUFFIX_ALPHABET[ord(digit) % len(SUFFIX_ALPHABET)] for digit in str(number))


def from_template(owner: Object, template: Any, **metadata: Any) -> Object:
    """A new pod for a workload: the template's labels, annotations and spec, controlled by the owner.

    ``metadata`` gives ``name`` or ``generateName``, and may give ``labels`` and ``annotations`` to add.
    """
    inherited = objects.mapping(objects.mapping(template).get("metadata"))
    labels = {**objects.mapping(inherited.get("labels")), **metadata.pop("labels", {})}
    annotations = {**objects.mapping(inherited.get("annotations")), **metadata.pop("annotations", {})}
    meta: dict[str, Any] = {**metadata, "namespace": objects.namespace(owner)}
    if labels:
        meta["labels"] = labels
    if annotations:
        meta["annotations"] = annotations
    if inherited.get("finalizers"):
        meta["finalizers"] = inherited["finalizers"]
    meta["ownerReferences"] = [objects.owner_reference(owner)]
    return clone(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": objects.mapping(objects.mapping(template).get("spec")),
        }
    )


def claim(
    snapshot: Snapshot, kind: str, owner: Object, selector: selectors.Selector | None
) -> tuple[list[Object], list[Update]]:
    """The objects of ``kind`` that a workload controls, and the updates that adopt orphans and release strangers.

    An orphan is adopted when the selector matches it and nobody controls it, neither side being deleted;
    an own object whose labels no longer match is released.
    """
    mine: list[Object] = []
    updates: list[Update] = []
    for obj in snapshot.owned(kind, objects.uid(owner)):
        if objects.controller(obj).get("uid") != objects.uid(owner):
            continue
        if selector is None or selectors.matches(selector, objects.labels(obj)):
            mine.append(obj)
        elif not objects.deleting(owner) and not objects.deleting(obj):
            others = [o for o in objects.owners(obj) if o.get("uid") != objects.uid(owner)]
            updates.append(Update(_with_owners(obj, others)))
    if selector and not objects.deleting(owner):
        for obj in snapshot.select(kind, objects.namespace(owner), selector):
            if not objects.controller(obj) and not objects.deleting(obj) and phase(obj) not in FINISHED:
                adopted = _with_owners(obj, [*objects.owners(obj), objects.owner_reference(owner)])
                updates.append(Update(adopted))
                mine.append(adopted)
    return mine, updates


def claimants(kind: str) -> Relation:
    """The relation of an object to the ``kind`` that controls it or, when nobody does, to those that may adopt it."""

    def relation(snapshot: Snapshot, obj: Object) -> Iterable[Key]:
        if objects.controller(obj):
            return controlled_by(kind)(snapshot, obj)
        # Orphans are rare, so a look at the namespace will do.
        space = objects.namespace(obj)
        return [(space, objects.name(w)) for w in snapshot.in_namespace(kind, space) if _selects(w, obj)]

    return relation


def _selects(workload: Object, obj: Object) -> bool:
    selector = selectors.from_object(objects.spec(workload).get("selector"))
    return bool(selector) and selectors.matches(selector or (), objects.labels(obj))


def _with_owners(obj: Object, owners: list[dict[str, Any]]) -> Object:
    return {**obj, "metadata": {**objects.metadata(obj), "ownerReferences": owners}}


def deletion_order(pods: list[Object], crowds: dict[str, int] | None = None) -> list[Object]:
    """Pods with those first that a scale-down takes first.

    Unscheduled before scheduled, pending before running, not ready before ready, lower deletion cost,
    more crowded node (``crowds``: pods of the workload by node), ready for a shorter time, younger; then by name.
    """

    def ready_since(pod: Object) -> str:
        found = next((c for c in objects.conditions(pod) if c.get("type") == "Ready"), {})
        return objects.text(found.get("lastTransitionTime"))

    def cost(pod: Object) -> int:
        try:
            return int(objects.annotations(pod).get(names.POD_DELETION_COST, 0))
        except (TypeError, ValueError):
            return 0

    ordered = sorted(pods, key=objects.name)
    # Sorting is stable, so the least important criterion comes first.
    ordered.sort(key=created, reverse=True)
    ordered.sort(key=ready_since, reverse=True)
    ordered.sort(key=lambda pod: -(crowds or {}).get(node_of(pod), 0))
    ordered.sort(key=cost)
    ordered.sort(key=ready)
    ordered.sort(key=lambda pod: {"Pending": 0, "Unknown": 1}.get(phase(pod), 2))
    ordered.sort(key=lambda pod: bool(node_of(pod)))
    return ordered


def node_of(pod: Object) -> str:
    """``spec.nodeName``, empty while the pod is not scheduled."""
    return objects.text(objects.spec(pod).get("nodeName"))
