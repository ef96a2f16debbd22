"""What a controller is: it reads a snapshot and decides; the loop writes.

In: a ``Snapshot`` of the kinds it declares and the current time.  Out: a ``Plan`` of operations, as data.
Every file of this package that does not begin with an underscore exports one ``CONTROLLER``;
``run/controllers.py`` finds them, carries their plans out and calls them again when what they read has changed.
Laws: reconciling its own result plans nothing; objects of the snapshot are never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from switchboard.controllers._snapshot import Key, ObjectKey, Snapshot
from switchboard.k8s import objects
from switchboard.k8s.objects import Object

NORMAL, WARNING = "Normal", "Warning"


class Create(msgspec.Struct, frozen=True):
    """Store a new object; one that exists already is left alone.

    With ``regarding`` the loop tells that object's readers ``SuccessfulCreate`` with the name, or ``FailedCreate``.
    """

    object: Object
    regarding: Object | None = None


class Update(msgspec.Struct, frozen=True):
    """Replace an object's metadata and spec; its resourceVersion makes the update optimistic.

    ``subresource`` is empty, ``finalize`` (a Namespace's ``spec.finalizers``) or ``binding`` (a Pod's node).
    """

    object: Object
    subresource: str = ""


class UpdateStatus(msgspec.Struct, frozen=True):
    """Replace an object's status and nothing else, if it still is at the resourceVersion given."""

    object: Object


class Delete(msgspec.Struct, frozen=True):
    """Delete an object (with that uid, if one is given); one that is gone already is no error.

    With ``regarding`` the loop tells that object's readers ``SuccessfulDelete``.
    ``grace_period_seconds`` replaces what a Pod asks for; 0 removes it without waiting for its node.
    """

    kind: str
    namespace: str
    name: str
    uid: str = ""
    propagation_policy: str = "Background"
    regarding: Object | None = None
    grace_period_seconds: int | None = None


class RecordEvent(msgspec.Struct, frozen=True):
    """Tell people what happened to an object: an ``Event``; equal ones are counted by the loop."""

    regarding: Object
    type: str
    reason: str
    message: str


class IssueCertificate(msgspec.Struct, frozen=True):
    """Have a certificate for these hosts put into a TLS Secret that belongs to ``owner`` (an owner reference)."""

    namespace: str
    secret: str
    hosts: tuple[str, ...]
    owner: Mapping[str, Any]


Write = Create | Update | UpdateStatus | Delete
Effect = IssueCertificate
Operation = Write | RecordEvent | Effect


class Part(msgspec.Struct, frozen=True):
    """The operations for one object, carried out in order; the first that fails ends the part.

    ``requeue_after`` (seconds) asks to look at the object again although nothing changes.
    ``error`` says why the object could not be reconciled; the loop tells it and tries again later.
    """

    key: ObjectKey
    operations: tuple[Operation, ...] = ()
    requeue_after: float | None = None
    error: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What a controller wants done; empty parts are left out."""

    parts: tuple[Part, ...] = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All operations of all parts, in order."""
        return tuple(operation for part in self.parts for operation in part.operations)


class Controller(msgspec.Struct, frozen=True):
    """One controller; ``reads`` and ``writes`` are kinds, from which RBAC is generated.

    ``settings`` of the loop (an address pool) reach a controller through the snapshot.
    """

    name: str
    reads: frozenset[str]
    writes: frozenset[str]
    reconcile: Callable[[Snapshot, datetime], Plan]


Relation = Callable[[Snapshot, Object], Iterable[Key]]
Decision = tuple[Operation, ...] | list[Operation] | Part


def dirty(snapshot: Snapshot, kind: str, related: Mapping[str, Relation] | None = None) -> list[Key]:
    """Keys of the objects of ``kind`` to look at: all after a start, otherwise the changed ones and those related.

    ``related`` says for another kind which objects depend on one of it, as it is now and as it was before.
    """
    if snapshot.changed is None:
        return sorted(snapshot.all(kind))
    keys: set[Key] = set()
    for changed_kind, namespace, name in snapshot.changed:
        if changed_kind == kind:
            keys.add((namespace, name))
        relation = (related or {}).get(changed_kind)
        if relation is None:
            continue
        for obj in (snapshot.get(changed_kind, namespace, name), snapshot.before(changed_kind, namespace, name)):
            if obj is not None:
                keys.update(relation(snapshot, obj))
    return sorted(keys)


def controlled_by(kind: str) -> Relation:
    """The relation of an object to the ``kind`` that controls it."""

    def relation(snapshot: Snapshot, obj: Object) -> Iterable[Key]:
        owner = objects.controller(obj)
        return ((objects.namespace(obj), str(owner.get("name"))),) if owner.get("kind") == kind else ()

    return relation


def each(kind: str, keys: Iterable[Key], decide: Callable[[Key], Decision]) -> Plan:
    """One part for each key; an object whose decision raises becomes a part with an error and stops no other."""
    parts = []
    for namespace, name in keys:
        key = (kind, namespace, name)
        try:
            decision = decide((namespace, name))
        except Exception as error:  # noqa: BLE001 - one broken object must not stop the others; the loop reports it
            decision = Part(key, error=f"{type(error).__name__}: {error}")
        part = decision if isinstance(decision, Part) else Part(key, tuple(decision))
        if part.operations or part.error or part.requeue_after is not None:
            parts.append(part)
    return Plan(tuple(parts))
