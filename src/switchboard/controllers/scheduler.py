"""The scheduler: a node for each pod that has none.

In: Pods and Nodes.  Out: bindings; for what fits nowhere the condition PodScheduled=False and an event.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/ (required rules only;
resources are not weighed, because stand-in pods use none).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from switchboard.api.metadata import timestamp
from switchboard.api.store import BINDING
from switchboard.controllers import _placement, _pods
from switchboard.controllers._contract import (
    NORMAL,
    WARNING,
    Controller,
    Operation,
    Part,
    Plan,
    RecordEvent,
    Update,
    UpdateStatus,
)
from switchboard.controllers._snapshot import Index, Snapshot
from switchboard.k8s import objects
from switchboard.k8s.objects import Object

SCHEDULER_NAME = "default-scheduler"
PENDING = Index("unscheduled", "Pod", lambda pod: (True,) if _waits(pod) else ())


def _waits(pod: Object) -> bool:
    spec = objects.spec(pod)
    if spec.get("nodeName") or objects.deleting(pod) or _pods.phase(pod) in _pods.FINISHED:
        return False
    return not spec.get("schedulingGates") and (spec.get("schedulerName") or SCHEDULER_NAME) == SCHEDULER_NAME


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Place every waiting pod, in the order of creation; later ones see where earlier ones went."""
    waiting = sorted(snapshot.indexed(PENDING, True), key=lambda pod: (_pods.created(pod), objects.key(pod)))
    if not waiting:
        return Plan()
    nodes = [node for _, node in sorted(snapshot.all("Node").items()) if not objects.deleting(node)]
    running = (pod for pod in snapshot.all("Pod").values() if _pods.phase(pod) not in _pods.FINISHED)
    placed = [pod for pod in running if _pods.node_of(pod)]
    state = _placement.Placement(nodes, placed, {objects.name(ns): objects.labels(ns) for ns in _namespaces(snapshot)})
    parts = []
    for pod in waiting:
        key = ("Pod", objects.namespace(pod), objects.name(pod))
        try:
            operations = _place(state, pod, now)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            parts.append(Part(key, error=f"{type(error).__name__}: {error}"))
            continue
        if operations:
            parts.append(Part(key, tuple(operations)))
    return Plan(tuple(parts))


def _namespaces(snapshot: Snapshot) -> list[Object]:
    return list(snapshot.all("Namespace").values())


def _place(state: _placement.Placement, pod: Object, now: datetime) -> list[Operation]:
    node, reasons = state.choose(pod)
    if node is not None:
        bound = {**pod, "spec": {**objects.spec(pod), "nodeName": objects.name(node)}}
        bound["status"] = _with_condition(pod, "True", "", "", now)
        state.assign(bound)
        message = f"Successfully assigned {objects.key(pod)} to {objects.name(node)}"
        return [Update(bound, subresource=BINDING), RecordEvent(pod, NORMAL, "Scheduled", message)]
    told = _failure(reasons, state.node_count)
    status = _with_condition(pod, "False", "Unschedulable", told, now)
    if status == objects.status(pod):
        return []
    return [UpdateStatus({**pod, "status": status}), RecordEvent(pod, WARNING, "FailedScheduling", told)]


def _failure(reasons: Counter[str], nodes: int) -> str:
    if not nodes:
        return "no nodes available to schedule pods"
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    return f"0/{nodes} nodes are available: {listed}."


def _with_condition(pod: Object, value: str, reason: str, message: str, now: datetime) -> Object:
    """The pod's status with the condition PodScheduled; its transition time moves only when the value does."""
    kept = [c for c in objects.conditions(pod) if c.get("type") != "PodScheduled"]
    old = next((c for c in objects.conditions(pod) if c.get("type") == "PodScheduled"), {})
    since = old.get("lastTransitionTime") if old.get("status") == value else timestamp(now)
    condition = {"type": "PodScheduled", "status": value, "lastProbeTime": None, "lastTransitionTime": since}
    if reason:
        condition |= {"reason": reason, "message": message}
    return {"phase": "Pending", **objects.status(pod), "conditions": [*kept, condition]}


CONTROLLER = Controller(
    name=SCHEDULER_NAME,
    reads=frozenset({"Pod", "Node", "Namespace"}),
    writes=frozenset({"Pod"}),
    reconcile=reconcile,
)
