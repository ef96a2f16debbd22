"""Nodes that fall silent, are in trouble or are cordoned: their taints, and what becomes of their pods.

In: Nodes, Pods, Leases.  Out: taints; the condition Ready=Unknown of a node whose Lease is no longer renewed;
pods that are not ready since their node is not; deletion of pods that do not tolerate a NoExecute taint (any more).
A node without a Lease is not expected to send heartbeats.
A pod that says nothing about ``not-ready`` and ``unreachable`` tolerates both for 300 s, as admission would have it.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/architecture/nodes/ and
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from switchboard.api.metadata import timestamp
from switchboard.controllers import _endpoints, _pods
from switchboard.controllers._contract import (
    NORMAL,
    WARNING,
    Controller,
    Delete,
    Operation,
    Part,
    Plan,
    RecordEvent,
    Update,
    UpdateStatus,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.controllers._zone_health import Eviction, evictions, zone_of
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text

KIND = "Node"
GRACE = timedelta(seconds=50)  # node-monitor-grace-period
TOLERATED_SECONDS = 300
NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "NoExecute"
_TROUBLE = {
    ("Ready", "False"): names.NOT_READY_TAINT,
    ("Ready", "Unknown"): names.UNREACHABLE_TAINT,
    ("MemoryPressure", "True"): names.MEMORY_PRESSURE_TAINT,
    ("DiskPressure", "True"): names.DISK_PRESSURE_TAINT,
    ("PIDPressure", "True"): names.PID_PRESSURE_TAINT,
    ("NetworkUnavailable", "True"): names.NETWORK_UNAVAILABLE_TAINT,
}
_HEALTH = (names.NOT_READY_TAINT, names.UNREACHABLE_TAINT)
_OURS = {(key, NO_SCHEDULE) for key in (*_TROUBLE.values(), names.UNSCHEDULABLE_TAINT)} | {
    (key, NO_EXECUTE) for key in _HEALTH
}

Taint = dict[str, Any]
Zones = Callable[[], Mapping[tuple[str, str], Eviction]]


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Look at each node that changed, or whose Lease or pods did; at all when one became ready or not."""
    related = {"Pod": _node_of, "Lease": _node_of_lease, KIND: _neighbours}

    @cache
    def zones() -> Mapping[tuple[str, str], Eviction]:
        return evictions(snapshot.all(KIND).values())

    return each(KIND, dirty(snapshot, KIND, related), lambda key: _reconcile_one(snapshot, key, zones, now))


def _node_of(snapshot: Snapshot, pod: Object) -> Iterable[Key]:
    before = snapshot.before("Pod", objects.namespace(pod), objects.name(pod))
    current = snapshot.get("Pod", objects.namespace(pod), objects.name(pod))
    if current is None or (before is not None and _matters(before) == _matters(current)):
        return ()
    return (("", _pods.node_of(pod)),) if _pods.node_of(pod) else ()


def _matters(pod: Object) -> tuple[Any, ...]:
    spec = objects.spec(pod)
    return (spec.get("nodeName"), spec.get("tolerations"), objects.deleting(pod), _pods.ready(pod))


def _node_of_lease(snapshot: Snapshot, lease: Object) -> Iterable[Key]:
    return (("", objects.name(lease)),) if objects.namespace(lease) == names.NODE_LEASE_NAMESPACE else ()


def _neighbours(snapshot: Snapshot, node: Object) -> Iterable[Key]:
    """Nodes that are not ready, if this one's readiness or existence changed: it decides about their evictions."""
    states = []
    for version in (snapshot.before(KIND, "", objects.name(node)), snapshot.get(KIND, "", objects.name(node))):
        states.append(None if version is None else (objects.condition(version, "Ready"), zone_of(version)))
    if states[0] == states[1]:
        return ()
    unready = ("False", "Unknown")
    return [key for key, other in snapshot.all(KIND).items() if objects.condition(other, "Ready") in unready]


def _reconcile_one(snapshot: Snapshot, key: Key, zones: Zones, now: datetime) -> Part:
    identity = (KIND, *key)
    node = snapshot.get(KIND, *key)
    if node is None or objects.deleting(node):
        return Part(identity)
    operations: list[Operation] = []
    silent, waits = _silence(snapshot, node, now)
    if silent is not None:
        # The rest follows when this is stored.
        return Part(identity, (UpdateStatus(silent),))
    taints = _taints(node, zones, now)
    if taints != sequence(objects.spec(node).get("taints")):
        spec = {k: v for k, v in objects.spec(node).items() if k != "taints"}
        operations.append(Update({**node, "spec": {**spec, **({"taints": taints} if taints else {})}}))
        if _newly_unready(node, taints):
            message = f"Node {objects.name(node)} status is now: NodeNotReady"
            operations.append(RecordEvent(node, NORMAL, "NodeNotReady", message))
    executing = [taint for taint in taints if taint.get("effect") == NO_EXECUTE]
    unready = objects.condition(node, "Ready") in ("False", "Unknown")
    if unready or executing:
        for pod in snapshot.indexed(_endpoints.PODS_BY_NODE, objects.name(node)):
            planned, wait = _pod(node, pod, executing, unready, now)
            operations += planned
            waits += [wait] if wait is not None else []
    return Part(identity, tuple(operations), min(waits, default=None))


def _silence(snapshot: Snapshot, node: Object, now: datetime) -> tuple[Object | None, list[float]]:
    """The node with unknown conditions, if its heartbeats stopped; else when that is to be looked at again."""
    lease = snapshot.get("Lease", names.NODE_LEASE_NAMESPACE, objects.name(node))
    ready = next((c for c in objects.conditions(node) if c.get("type") == "Ready"), None)
    if lease is None or ready is None or ready.get("status") == "Unknown":
        return None, []
    beats = [_pods.moment(objects.spec(lease).get("renewTime")), _pods.moment(ready.get("lastHeartbeatTime"))]
    known = [beat for beat in beats if beat is not None]
    left = (max(known) + GRACE - now).total_seconds() if known else 0.0
    if left > 0:
        return None, [left]
    moment = timestamp(now)
    unknown = {
        "status": "Unknown",
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
        "lastTransitionTime": moment,
    }
    told = [
        {**c, **unknown} if c.get("status") != "Unknown" and c.get("type") != "NetworkUnavailable" else c
        for c in objects.conditions(node)
    ]
    return {**node, "status": {**objects.status(node), "conditions": told}}, []


def _taints(node: Object, zones: Zones, now: datetime) -> list[Taint]:
    """The node's taints: those of others as they are, ours as its state wants them."""
    wanted = {(key, NO_SCHEDULE) for (kind, value), key in _TROUBLE.items() if objects.condition(node, kind) == value}
    if objects.spec(node).get("unschedulable") is True:
        wanted.add((names.UNSCHEDULABLE_TAINT, NO_SCHEDULE))
    existing = [mapping(taint) for taint in sequence(objects.spec(node).get("taints"))]
    held = {(text(taint.get("key")), text(taint.get("effect"))) for taint in existing}
    health = _TROUBLE.get(("Ready", objects.condition(node, "Ready")))
    if health:
        decision = zones().get(zone_of(node), Eviction.EVICT)
        tainted = any((key, NO_EXECUTE) in held for key in _HEALTH)
        if decision is Eviction.EVICT or (decision is Eviction.HOLD and tainted):
            wanted.add((health, NO_EXECUTE))
    gone = _OURS - wanted
    kept = [_dated(taint, now) for taint in existing if (taint.get("key"), taint.get("effect")) not in gone]
    added = sorted(wanted - held)
    return [*kept, *({"key": key, "effect": effect, "timeAdded": timestamp(now)} for key, effect in added)]


def _dated(taint: Taint, now: datetime) -> Taint:
    """A NoExecute taint with the time from which toleration seconds count."""
    if taint.get("effect") == NO_EXECUTE and not taint.get("timeAdded"):
        return {**taint, "timeAdded": timestamp(now)}
    return taint


def _newly_unready(node: Object, taints: list[Taint]) -> bool:
    before = {mapping(t).get("key") for t in sequence(objects.spec(node).get("taints"))}
    return any(t.get("key") in _HEALTH for t in taints) and not before & set(_HEALTH)


def _pod(
    node: Object, pod: Object, executing: list[Taint], unready: bool, now: datetime
) -> tuple[list[Operation], float | None]:
    """What becomes of one pod of the node, and the seconds until it is to be looked at again."""
    if _pods.phase(pod) in _pods.FINISHED:
        return [], None
    left = None if objects.deleting(pod) else seconds_left(pod, executing, now)
    evicted = left is not None and left <= 0
    status = objects.status(pod)
    if unready:
        status = _not_ready(node, pod, now)
    operations: list[Operation] = []
    if evicted:
        status = {**status, "conditions": [*_without(status, "DisruptionTarget"), _disruption(now)]}
    if status != objects.status(pod):
        operations.append(UpdateStatus({**pod, "status": status}))
    if status.get("conditions") != objects.status(pod).get("conditions") and unready and _pods.ready(pod):
        operations.append(RecordEvent(pod, WARNING, "NodeNotReady", "Node is not ready"))
    if evicted:
        message = f"Marking for deletion Pod {objects.key(pod)}"
        operations += [
            RecordEvent(pod, NORMAL, "TaintManagerEviction", message),
            Delete("Pod", objects.namespace(pod), objects.name(pod), objects.uid(pod)),
        ]
        return operations, None
    return operations, left


def _without(status: Mapping[str, Any], kind: str) -> list[Any]:
    return [c for c in sequence(status.get("conditions")) if mapping(c).get("type") != kind]


def _disruption(now: datetime) -> dict[str, Any]:
    return {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastProbeTime": None,
        "lastTransitionTime": timestamp(now),
    }


def _not_ready(node: Object, pod: Object, now: datetime) -> dict[str, Any]:
    """The pod's status, not ready if it was ready before its node ceased to be.

    A pod that became ready later has a kubelet that lives and knows better.
    """
    status = objects.status(pod)
    condition = next((c for c in objects.conditions(pod) if c.get("type") == "Ready"), None)
    if condition is None or condition.get("status") != "True":
        return status
    failed = next((c for c in objects.conditions(node) if c.get("type") == "Ready"), {})
    since, failed_at = _pods.moment(condition.get("lastTransitionTime")), _pods.moment(failed.get("lastTransitionTime"))
    if since is not None and failed_at is not None and since > failed_at:
        return status
    changed = {**condition, "status": "False", "lastTransitionTime": timestamp(now)}
    conditions = [changed if c is condition else c for c in sequence(status.get("conditions"))]
    return {**status, "conditions": conditions}


def seconds_left(pod: Object, executing: list[Taint], now: datetime) -> float | None:
    """Seconds that a pod may stay on a node with these NoExecute taints; None is for ever, 0 or less is over.

    Of the tolerations of a taint the shortest counts, as in the taint manager.
    """
    least: float | None = None
    for taint in executing:
        allowed = _tolerated(pod, taint)
        if allowed is None:
            continue
        since = _pods.moment(taint.get("timeAdded")) or now
        left = allowed - (now - since).total_seconds() if allowed > 0 else 0.0
        least = left if least is None else min(least, left)
    return least


def _tolerated(pod: Object, taint: Taint) -> float | None:
    """Seconds that a pod tolerates a taint from its beginning; None is for ever, 0 not at all."""
    matching = [t for t in map(mapping, sequence(objects.spec(pod).get("tolerations"))) if _matches(t, taint)]
    if not matching:
        return float(TOLERATED_SECONDS) if taint.get("key") in _HEALTH else 0.0
    limits = [t["tolerationSeconds"] for t in matching if isinstance(t.get("tolerationSeconds"), int)]
    return float(max(0, min(limits))) if limits else None


def _matches(toleration: Mapping[str, Any], taint: Taint) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and text(toleration.get("value")) == text(taint.get("value"))


CONTROLLER = Controller(
    name="node-lifecycle-controller",
    reads=frozenset({KIND, "Pod", "Lease"}),
    writes=frozenset({KIND, "Pod"}),
    reconcile=reconcile,
)
