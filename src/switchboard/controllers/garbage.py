"""The garbage collector: dependants of what is gone, and the contents of namespaces that are going.

In: every object.  Out: deletions, and the removal of the finalizers that waited for them.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/architecture/garbage-collection/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from switchboard.api.store import FINALIZE
from switchboard.controllers._contract import Controller, Delete, Operation, Part, Plan, Update, each
from switchboard.controllers._snapshot import ObjectKey, Snapshot
from switchboard.k8s import kinds, names, objects
from switchboard.k8s.objects import Object

KINDS = frozenset(kind.kind for kind in kinds.KINDS)
NAMESPACED = tuple(sorted({kind.kind for kind in kinds.KINDS if kind.namespaced}))
# Events come in numbers and have no owners; they go with their namespace.
OWNED = tuple(sorted(KINDS - {"Event", "Namespace", "Node", "IPAddress"}))


def _uid(obj: Object) -> Iterable[str]:
    return (objects.uid(obj),)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Look at what changed: an object that went or is going, its dependants, and its namespace."""
    if snapshot.changed is None:
        changed: list[ObjectKey] = [(kind, *key) for kind in sorted(KINDS) for key in sorted(snapshot.all(kind))]
    else:
        changed = sorted(snapshot.changed)
    gone = [before for key in changed if (before := _gone(snapshot, key)) is not None]
    wanted = {key for key in changed if key[0] != "Event"}
    for owner in gone:
        wanted.update(_key(dependant) for dependant in _dependants(snapshot, owner))
        # A foreground deletion waits for its dependants, a namespace for its contents.
        holders = (_owner(snapshot, owner, reference) for reference in objects.owners(owner))
        wanted.update(_key(holder) for holder in holders if holder is not None)
        if objects.namespace(owner):
            wanted.add(("Namespace", "", objects.namespace(owner)))
    parts: list[Part] = []
    for kind in sorted({key[0] for key in wanted}):
        keys = sorted(key[1:] for key in wanted if key[0] == kind)
        parts += each(kind, keys, lambda key, kind=kind: _collect(snapshot, (kind, *key))).parts  # type: ignore[misc]
    return Plan(tuple(parts))


def _gone(snapshot: Snapshot, key: ObjectKey) -> Object | None:
    """The object that was there before and is not any more, though another of its name may be."""
    before, current = snapshot.before(*key), snapshot.get(*key)
    if before is None or (current is not None and objects.uid(current) == objects.uid(before)):
        return None
    return before


def _key(obj: Object) -> ObjectKey:
    return (objects.kind(obj), objects.namespace(obj), objects.name(obj))


def _owner(snapshot: Snapshot, dependant: Object, reference: dict[str, object]) -> Object | None:
    """The owner that a reference means: same uid, in the dependant's namespace or cluster-scoped."""
    kind = objects.text(reference.get("kind"))
    if kind not in KINDS:
        return None
    for namespace in (objects.namespace(dependant), ""):
        found = snapshot.get(kind, namespace, objects.text(reference.get("name")))
        if found is not None and objects.uid(found) == reference.get("uid"):
            return found
    return None


def _dependants(snapshot: Snapshot, owner: Object) -> list[Object]:
    uid = objects.uid(owner)
    return [obj for kind in OWNED for obj in snapshot.owned(kind, uid)] if uid else []


def _collect(snapshot: Snapshot, key: ObjectKey) -> list[Operation]:
    obj = snapshot.get(*key)
    if obj is None:
        return []
    if objects.deleting(obj):
        return _finish_namespace(snapshot, obj) if key[0] == "Namespace" else _finish(snapshot, obj)
    owners = objects.owners(obj)
    if not owners or any(_unknown(reference) for reference in owners):
        return []
    found = [_owner(snapshot, obj, reference) for reference in owners]
    waiting = [o for o in found if o is not None and objects.deleting(o) and _foreground(o)]
    if all(owner is None for owner in found):
        return [Delete(*key, objects.uid(obj))]
    if waiting and all(owner is None or owner in waiting for owner in found):
        return [Delete(*key, objects.uid(obj), "Foreground" if _dependants(snapshot, obj) else "Background")]
    return []


def _foreground(obj: Object) -> bool:
    return names.FOREGROUND_DELETION in objects.finalizers(obj)


def _unknown(reference: dict[str, object]) -> bool:
    """A reference to a kind that we do not serve says nothing about whether its object exists."""
    return kinds.kind_of(objects.text(reference.get("apiVersion")), objects.text(reference.get("kind"))) is None


def _finish(snapshot: Snapshot, owner: Object) -> list[Operation]:
    """Look after the dependants of an object whose deletion waits for them, then let it go."""
    finalizers = objects.finalizers(owner)
    dependants = _dependants(snapshot, owner)
    if names.ORPHAN_DEPENDENTS in finalizers:
        operations: list[Operation] = [Update(_without_owner(obj, owner)) for obj in dependants]
        return [*operations, Update(_without(owner, names.ORPHAN_DEPENDENTS))]
    if names.FOREGROUND_DELETION in finalizers:
        blocking = [obj for obj in dependants if _blocks(obj, owner)]
        if not blocking:
            return [Update(_without(owner, names.FOREGROUND_DELETION))]
        return [operation for obj in blocking for operation in _collect(snapshot, _key(obj))]
    return []


def _blocks(obj: Object, owner: Object) -> bool:
    uid = objects.uid(owner)
    return any(r.get("uid") == uid and r.get("blockOwnerDeletion") is True for r in objects.owners(obj))


def _without(obj: Object, finalizer: str) -> Object:
    kept = [f for f in objects.finalizers(obj) if f != finalizer]
    return {**obj, "metadata": {**objects.metadata(obj), "finalizers": kept}}


def _without_owner(obj: Object, owner: Object) -> Object:
    kept = [r for r in objects.owners(obj) if r.get("uid") != objects.uid(owner)]
    return {**obj, "metadata": {**objects.metadata(obj), "ownerReferences": kept}}


def _finish_namespace(snapshot: Snapshot, namespace: Object) -> list[Operation]:
    """Delete everything in a namespace, then the mark that keeps it."""
    name = objects.name(namespace)
    contents = [obj for kind in NAMESPACED for obj in snapshot.in_namespace(kind, name)]
    living = [obj for obj in contents if not objects.deleting(obj)]
    if living:
        return [Delete(*_key(obj), objects.uid(obj)) for obj in living]
    if contents or names.NAMESPACE_FINALIZER not in objects.sequence(objects.spec(namespace).get("finalizers")):
        return []
    kept = [f for f in objects.sequence(objects.spec(namespace).get("finalizers")) if f != names.NAMESPACE_FINALIZER]
    return [Update({**namespace, "spec": {"finalizers": kept}}, subresource=FINALIZE)]


CONTROLLER = Controller(
    name="garbage-collector-controller",
    reads=KINDS,
    writes=KINDS,
    reconcile=reconcile,
)
