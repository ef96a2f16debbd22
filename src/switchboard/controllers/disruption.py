"""PodDisruptionBudgets: how many pods may be disrupted now.

In: budgets, pods, and the workloads that own them.  Out: the budgets' status, events.
``api.eviction`` takes from ``disruptionsAllowed``; this controller counts again when the pods have gone.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/tasks/run-application/configure-pdb/
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from switchboard.api import eviction, selectors
from switchboard.controllers import _pods, _rollout
from switchboard.controllers._contract import (
    NORMAL,
    WARNING,
    Controller,
    Operation,
    Part,
    Plan,
    RecordEvent,
    UpdateStatus,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, text

KIND = "PodDisruptionBudget"
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")
DELETION = timedelta(minutes=2)  # within which a disrupted pod is to be deleted


class Expectation(msgspec.Struct, frozen=True):
    """Pods that there should be, and how many of them healthy; names of pods that nobody scales; or why unknown."""

    pods: int = 0
    healthy: int = 0
    unmanaged: tuple[str, ...] = ()
    failure: str = ""


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Count the pods of each budget that changed, or whose pods or workloads did."""
    related = {"Pod": _budgets_of_pod, **dict.fromkeys(WORKLOADS, _budgets_of_workload)}
    return each(KIND, dirty(snapshot, KIND, related), lambda key: _reconcile_one(snapshot, key, now))


def _budgets_of_pod(snapshot: Snapshot, pod: Object) -> Iterable[Key]:
    before = snapshot.before("Pod", objects.namespace(pod), objects.name(pod))
    current = snapshot.get("Pod", objects.namespace(pod), objects.name(pod))
    if before is not None and current is not None and _matters(before) == _matters(current):
        return ()
    budgets = snapshot.in_namespace(KIND, objects.namespace(pod))
    return [_key(budget) for budget in budgets if eviction.covers(budget, pod)]


def _matters(pod: Object) -> tuple[Any, ...]:
    return (objects.labels(pod), objects.owners(pod), _pods.ready(pod), objects.deleting(pod))


def _budgets_of_workload(snapshot: Snapshot, workload: Object) -> Iterable[Key]:
    """A workload counts by its size; which budgets that concerns is seen at its pods, so all of them look."""
    address = (objects.kind(workload), objects.namespace(workload), objects.name(workload))
    before, current = snapshot.before(*address), snapshot.get(*address)
    if before is not None and current is not None:
        same = objects.spec(before).get("replicas") == objects.spec(current).get("replicas")
        if same and objects.owners(before) == objects.owners(current):
            return ()
    return [_key(budget) for budget in snapshot.in_namespace(KIND, objects.namespace(workload))]


def _key(obj: Object) -> Key:
    return (objects.namespace(obj), objects.name(obj))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    budget = snapshot.get(KIND, *key)
    if budget is None or objects.deleting(budget):
        return Part(identity)
    selector = selectors.from_object(objects.spec(budget).get("selector"))
    pods = snapshot.select("Pod", key[0], selector)
    disrupted, late, wait = _disrupted(budget, pods, now)
    expected = expectation(snapshot, budget, pods)
    status = _status(budget, pods, disrupted, expected, now)
    operations: list[Operation] = []
    if status != objects.status(budget):
        operations.append(UpdateStatus({**budget, "status": status}))
    if operations or (snapshot.changed is not None and identity in snapshot.changed):
        operations += _events(budget, pods, late, expected)
    return Part(identity, tuple(operations), wait)


def expectation(snapshot: Snapshot, budget: Object, pods: list[Object]) -> Expectation:
    """How many pods the budget counts with, by the sizes of the workloads of its pods."""
    spec = objects.spec(budget)
    minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
    if maximum is None and isinstance(minimum, int):
        # A plain number needs no workload: any pods will do.
        return Expectation(len(pods), minimum)
    if maximum is None and minimum is None:
        return Expectation(len(pods))
    total, unmanaged, failure = _scale(snapshot, pods)
    if failure:
        return Expectation(failure=failure)
    if maximum is not None:
        missing = _rollout.resolve(maximum, total, up=True)
        return Expectation(total, max(0, total - missing), unmanaged)
    return Expectation(total, _rollout.resolve(minimum, total, up=True), unmanaged)


def _scale(snapshot: Snapshot, pods: list[Object]) -> tuple[int, tuple[str, ...], str]:
    """The sum of the sizes of the pods' workloads, pods that have none, or why a size cannot be known."""
    sizes: dict[str, int] = {}
    unmanaged = []
    for pod in pods:
        owner = objects.controller(pod)
        if not owner:
            unmanaged.append(objects.name(pod))
            continue
        workload = _workload(snapshot, pod, owner)
        if workload is None:
            return 0, (), f'found no controllers for pod "{objects.name(pod)}"'
        sizes[objects.uid(workload)] = _pods.integer(objects.spec(workload).get("replicas"), 1)
    return sum(sizes.values()), tuple(unmanaged), ""


def _workload(snapshot: Snapshot, obj: Object, owner: dict[str, Any]) -> Object | None:
    """The outermost workload with a size: a Deployment rather than its ReplicaSet."""
    kind = text(owner.get("kind"))
    if kind not in WORKLOADS:
        return None
    found = snapshot.get(kind, objects.namespace(obj), text(owner.get("name")))
    if found is None or objects.uid(found) != owner.get("uid"):
        return None
    above = objects.controller(found)
    return (_workload(snapshot, found, above) or found) if above else found


def _disrupted(budget: Object, pods: list[Object], now: datetime) -> tuple[dict[str, Any], list[Object], float | None]:
    """Pods whose eviction was allowed and that are still there, those that are late, and when to look again."""
    listed = mapping(objects.status(budget).get("disruptedPods"))
    kept: dict[str, Any] = {}
    late, waits = [], []
    for pod in pods:
        since = _pods.moment(listed.get(objects.name(pod)))
        if since is None or objects.deleting(pod):
            continue
        left = (since + DELETION - now).total_seconds()
        if left <= 0:
            late.append(pod)
        else:
            kept[objects.name(pod)] = listed[objects.name(pod)]
            waits.append(left)
    return kept, late, min(waits, default=None)


def _status(
    budget: Object, pods: list[Object], disrupted: dict[str, Any], expected: Expectation, now: datetime
) -> dict[str, Any]:
    before = objects.status(budget)
    if expected.failure:
        # Nobody knows, so nothing is allowed; the other counts stay as they were.
        conditions = eviction.conditions(budget, allowed=False, now=now, failure=expected.failure)
        return {**before, "disruptionsAllowed": 0, "conditions": conditions}
    healthy = sum(
        _pods.ready(pod) and not objects.deleting(pod) and objects.name(pod) not in disrupted for pod in pods
    )
    allowed = max(0, healthy - expected.healthy) if expected.pods > 0 else 0
    status: dict[str, Any] = {
        "observedGeneration": _pods.integer(objects.metadata(budget).get("generation"), 0),
        **({"disruptedPods": disrupted} if disrupted else {}),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": expected.healthy,
        "expectedPods": expected.pods,
        "conditions": eviction.conditions(budget, allowed=allowed > 0, now=now),
    }
    return status


def _events(budget: Object, pods: list[Object], late: list[Object], expected: Expectation) -> list[Operation]:
    told: list[Operation] = []
    if not pods:
        told.append(RecordEvent(budget, NORMAL, "NoPods", "No matching pods found"))
    if expected.failure:
        message = f"Failed to calculate the number of expected pods: {expected.failure}"
        told.append(RecordEvent(budget, WARNING, "CalculateExpectedPodCountFailed", message))
    if expected.unmanaged:
        message = (
            "Pods selected by this PodDisruptionBudget were found to be unmanaged: "
            f"{', '.join(expected.unmanaged)}. As a result, the status of the PDB cannot be calculated correctly, "
            "which may result in undefined behavior. To account for these pods please set `.spec.minAvailable` "
            "field of the PDB to an integer value."
        )
        told.append(RecordEvent(budget, WARNING, "UnmanagedPods", message))
    for pod in late:
        message = f"Pod was expected by PDB {objects.key(budget)} to be deleted but it wasn't"
        told.append(RecordEvent(pod, WARNING, "NotDeleted", message))
    return told


CONTROLLER = Controller(
    name="disruption-controller",
    reads=frozenset({KIND, "Pod", *WORKLOADS}),
    writes=frozenset({KIND}),
    reconcile=reconcile,
)
