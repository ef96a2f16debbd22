"""Pods whose node is gone for good: nobody else would ever end them.

In: Pods, Nodes.  Out: pods removed without waiting for a kubelet.
A pod on a node that does not exist is marked first and goes after 40 s, unless the node comes (back);
a pod being deleted on a node tainted ``out-of-service`` that is not ready goes at once.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-garbage-collection
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from switchboard.api.metadata import timestamp
from switchboard.controllers import _endpoints, _pods
from switchboard.controllers._contract import Controller, Delete, Operation, Part, Plan, UpdateStatus, dirty, each
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence

KIND = "Pod"
QUARANTINE = timedelta(seconds=40)
TARGET, REASON = "DisruptionTarget", "DeletionByPodGC"


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Look at pods that changed, and at those of nodes that came, went or changed."""
    keys = dirty(snapshot, KIND, {"Node": _pods_of_node})
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _pods_of_node(snapshot: Snapshot, node: Object) -> Iterable[Key]:
    versions = [read("Node", "", objects.name(node)) for read in (snapshot.before, snapshot.get)]
    if None not in versions and not any(_out_of_service(version or {}) for version in versions):
        return ()
    pods = snapshot.indexed(_endpoints.PODS_BY_NODE, objects.name(node))
    return [(objects.namespace(pod), objects.name(pod)) for pod in pods]


def _out_of_service(node: Object) -> bool:
    taints = map(mapping, sequence(objects.spec(node).get("taints")))
    return any(taint.get("key") == names.OUT_OF_SERVICE_TAINT for taint in taints)


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    pod = snapshot.get(KIND, *key)
    if pod is None or not _pods.node_of(pod):
        return Part(identity)
    node = snapshot.get("Node", "", _pods.node_of(pod))
    marked = next((c for c in objects.conditions(pod) if c.get("type") == TARGET and c.get("reason") == REASON), None)
    if node is None:
        return _orphan(pod, identity, marked, now)
    if objects.deleting(pod) and _out_of_service(node) and objects.condition(node, "Ready") != "True":
        return Part(identity, (_remove(pod),))
    if marked is None:
        return Part(identity)
    kept = [c for c in objects.conditions(pod) if c is not marked]
    return Part(identity, (UpdateStatus({**pod, "status": {**objects.status(pod), "conditions": kept}}),))


def _orphan(pod: Object, identity: tuple[str, str, str], marked: dict[str, Any] | None, now: datetime) -> Part:
    if marked is None:
        condition = {
            "type": TARGET,
            "status": "True",
            "reason": REASON,
            "message": "PodGC: node no longer exists",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(now),
        }
        kept = [c for c in objects.conditions(pod) if c.get("type") != TARGET]
        status = {**objects.status(pod), "conditions": [*kept, condition]}
        return Part(identity, (UpdateStatus({**pod, "status": status}),), QUARANTINE.total_seconds())
    since = _pods.moment(marked.get("lastTransitionTime")) or now
    left = (since + QUARANTINE - now).total_seconds()
    if left > 0:
        return Part(identity, requeue_after=left)
    operations: list[Operation] = []
    if _pods.phase(pod) not in _pods.FINISHED:
        operations.append(UpdateStatus({**pod, "status": {**objects.status(pod), "phase": "Failed"}}))
    return Part(identity, (*operations, _remove(pod)))


def _remove(pod: Object) -> Delete:
    return Delete(KIND, objects.namespace(pod), objects.name(pod), objects.uid(pod), grace_period_seconds=0)


CONTROLLER = Controller(
    name="pod-garbage-collector-controller",
    reads=frozenset({KIND, "Node"}),
    writes=frozenset({KIND}),
    reconcile=reconcile,
)
