"""ReplicaSets: as many pods as ``spec.replicas`` says.

In: ReplicaSets and Pods.  Out: pods to create, delete, adopt or release; the status.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from switchboard.api import selectors
from switchboard.controllers import _pods
from switchboard.controllers._contract import (
    Controller,
    Create,
    Delete,
    Operation,
    Part,
    Plan,
    UpdateStatus,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import objects
from switchboard.k8s.objects import Object

KIND = "ReplicaSet"


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Bring each changed ReplicaSet, and those of changed pods, to its number of pods."""
    keys = dirty(snapshot, KIND, {"Pod": _pods.claimants(KIND)})
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _selector(replica_set: Object) -> selectors.Selector | None:
    return selectors.from_object(objects.spec(replica_set).get("selector"))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    replica_set = snapshot.get(KIND, *key)
    if replica_set is None:
        return Part(identity)
    pods, operations = _pods.claim(snapshot, "Pod", replica_set, _selector(replica_set))
    living = [pod for pod in pods if _pods.active(pod)]
    planned: list[Operation] = list(operations)
    if not objects.deleting(replica_set):
        planned += _scale(replica_set, living)
    status, wait = _status(replica_set, living, now)
    if status != objects.status(replica_set):
        planned.append(UpdateStatus({**replica_set, "status": status}))
    return Part(identity, tuple(planned), wait)


def _scale(replica_set: Object, living: list[Object]) -> list[Operation]:
    wanted = _pods.integer(objects.spec(replica_set).get("replicas"), 1)
    if len(living) < wanted:
        pod = _pods.from_template(
            replica_set, objects.spec(replica_set).get("template"), generateName=f"{objects.name(replica_set)}-"
        )
        return [Create(pod, regarding=replica_set)] * (wanted - len(living))
    crowds = Counter(_pods.node_of(pod) for pod in living)
    doomed = _pods.deletion_order(living, crowds)[: len(living) - wanted]
    return [
        Delete("Pod", objects.namespace(pod), objects.name(pod), objects.uid(pod), regarding=replica_set)
        for pod in doomed
    ]


def _status(replica_set: Object, living: list[Object], now: datetime) -> tuple[Object, float | None]:
    spec = objects.spec(replica_set)
    minimum = _pods.integer(spec.get("minReadySeconds"), 0)
    waits = [_pods.seconds_until_available(pod, minimum, now) for pod in living]
    template_labels = selectors.from_labels(
        objects.mapping(objects.mapping(objects.mapping(spec.get("template")).get("metadata")).get("labels"))
    )
    counts = {
        "fullyLabeledReplicas": sum(selectors.matches(template_labels, objects.labels(pod)) for pod in living),
        "readyReplicas": sum(wait is not None for wait in waits),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "observedGeneration": _pods.integer(objects.metadata(replica_set).get("generation"), 0),
    }
    kept = {k: v for k, v in objects.status(replica_set).items() if k == "conditions"}
    status = {"replicas": len(living), **{k: v for k, v in counts.items() if v}, **kept}
    return status, min((wait for wait in waits if wait), default=None)


CONTROLLER = Controller(
    name="replicaset-controller",
    reads=frozenset({KIND, "Pod"}),
    writes=frozenset({KIND, "Pod"}),
    reconcile=reconcile,
)
