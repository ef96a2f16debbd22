"""DaemonSets: one pod on every node that its pods may run on.

In: DaemonSets, Pods, Nodes, ControllerRevisions.
Out: pods to create (for a certain node) and delete, revisions, the status.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api import selectors
from switchboard.api.metadata import clone
from switchboard.controllers import _placement, _pods, _revisions, _rollout
from switchboard.controllers._contract import (
    Controller,
    Create,
    Delete,
    Operation,
    Part,
    Plan,
    UpdateStatus,
    controlled_by,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence

KIND = "DaemonSet"
# A daemon stays where other pods would be driven away; each tolerates any value.
_TOLERATED = (
    (names.NOT_READY_TAINT, "NoExecute"),
    (names.UNREACHABLE_TAINT, "NoExecute"),
    (names.UNSCHEDULABLE_TAINT, "NoSchedule"),
    (names.DISK_PRESSURE_TAINT, "NoSchedule"),
    (names.MEMORY_PRESSURE_TAINT, "NoSchedule"),
    (names.PID_PRESSURE_TAINT, "NoSchedule"),
)


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Bring each DaemonSet that changed, or whose pods did, onto its nodes; all of them when a node changed."""
    related = {"Pod": _pods.claimants(KIND), _revisions.KIND: controlled_by(KIND), "Node": _all}
    keys = dirty(snapshot, KIND, related)
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _all(snapshot: Snapshot, node: Object) -> list[Key]:
    before = snapshot.before("Node", "", objects.name(node))
    current = snapshot.get("Node", "", objects.name(node))
    if before is not None and current is not None:
        # Heartbeats change nothing for us.
        same = objects.labels(before) == objects.labels(current) and objects.spec(before) == objects.spec(current)
        if same and objects.deleting(before) == objects.deleting(current):
            return []
    return list(snapshot.all(KIND))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    daemon_set = snapshot.get(KIND, *key)
    if daemon_set is None:
        return Part(identity)
    selector = selectors.from_object(objects.spec(daemon_set).get("selector"))
    pods, claims = _pods.claim(snapshot, "Pod", daemon_set, selector)
    past = _revisions.history(snapshot, daemon_set, names.CONTROLLER_REVISION_HASH)
    if past.collision:
        status = {**objects.status(daemon_set), "collisionCount": _revisions.collisions(daemon_set) + 1}
        return Part(identity, (UpdateStatus({**daemon_set, "status": status}),))
    nodes = [node for _, node in sorted(snapshot.all("Node").items()) if not objects.deleting(node)]
    wanted = [objects.name(node) for node in nodes if _runs_on(daemon_set, node)]
    kept = {objects.name(node) for node in nodes if _runs_on(daemon_set, node, running=True)}
    by_node: dict[str, list[Object]] = {}
    for pod in pods:
        by_node.setdefault(target(pod), []).append(pod)
    operations: list[Operation] = list(claims)
    if not objects.deleting(daemon_set):
        operations += past.operations
        operations += _advance(daemon_set, past.digest, wanted, kept, by_node, now)
        live = {f"{key[1]}-{objects.labels(pod).get(names.CONTROLLER_REVISION_HASH)}" for pod in pods}
        operations += _revisions.clean_up(daemon_set, past, live)
    status, wait = _status(daemon_set, past.digest, wanted, by_node, now)
    if status != objects.status(daemon_set):
        operations.append(UpdateStatus({**daemon_set, "status": status}))
    return Part(identity, tuple(operations), wait)


def target(pod: Object) -> str:
    """The node that a daemon pod is made for: where it runs, or the one its affinity names."""
    if _pods.node_of(pod):
        return _pods.node_of(pod)
    affinity = mapping(mapping(objects.spec(pod).get("affinity")).get("nodeAffinity"))
    required = mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    for term in map(mapping, sequence(required.get("nodeSelectorTerms"))):
        for field in map(mapping, sequence(term.get("matchFields"))):
            if field.get("key") == "metadata.name" and sequence(field.get("values")):
                return str(field["values"][0])
    return ""


def _template(daemon_set: Object) -> Any:
    return objects.spec(daemon_set).get("template")


def _runs_on(daemon_set: Object, node: Object, *, running: bool = False) -> bool:
    return _placement.allows(objects.spec(_pod(daemon_set, "", objects.name(node))), node, running=running)


def _pod(daemon_set: Object, revision: str, node: str) -> Object:
    """The pod for one node: pinned by an affinity to the node's name, tolerant of the taints of trouble."""
    pod = _pods.from_template(
        daemon_set,
        clone(mapping(_template(daemon_set))),
        generateName=f"{objects.name(daemon_set)}-",
        labels={names.CONTROLLER_REVISION_HASH: revision},
    )
    spec = pod["spec"]
    affinity = mapping(spec.get("affinity"))
    node_affinity = mapping(affinity.get("nodeAffinity"))
    required = mapping(node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution"))
    terms = sequence(required.get("nodeSelectorTerms")) or [{}]
    here = {"key": "metadata.name", "operator": "In", "values": [node]}
    pinned = [{**mapping(term), "matchFields": [*sequence(mapping(term).get("matchFields")), here]} for term in terms]
    spec["affinity"] = {
        **affinity,
        "nodeAffinity": {
            **node_affinity,
            "requiredDuringSchedulingIgnoredDuringExecution": {**required, "nodeSelectorTerms": pinned},
        },
    }
    tolerated = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]
    if spec.get("hostNetwork") is True:
        network = {"key": names.NETWORK_UNAVAILABLE_TAINT, "operator": "Exists", "effect": "NoSchedule"}
        tolerated.append(network)
    own = sequence(spec.get("tolerations"))
    spec["tolerations"] = [*own, *(t for t in tolerated if t not in own)]
    return pod


def _advance(
    daemon_set: Object,
    revision: str,
    wanted: list[str],
    kept: set[str],
    by_node: dict[str, list[Object]],
    now: datetime,
) -> list[Operation]:
    """Pods on nodes that are ``wanted``, and none on nodes where they may not even stay (``kept``)."""
    operations: list[Operation] = []
    for node, pods in sorted(by_node.items()):
        living = [pod for pod in pods if not objects.deleting(pod)]
        failed = [pod for pod in living if _pods.phase(pod) in _pods.FINISHED]
        surplus = living if node not in kept else [*failed, *_oldest_first(living, failed)[1:]]
        operations += [_delete(daemon_set, pod) for pod in surplus]
    # A node gets its pod when the last one there has gone.
    empty = [node for node in wanted if not by_node.get(node)]
    operations += [Create(_pod(daemon_set, revision, node), regarding=daemon_set) for node in empty]
    return operations or _update(daemon_set, revision, wanted, by_node, now)


def _oldest_first(living: list[Object], failed: list[Object]) -> list[Object]:
    return sorted((p for p in living if p not in failed), key=lambda p: (not _pods.node_of(p), _pods.created(p)))


def _update(
    daemon_set: Object, revision: str, wanted: list[str], by_node: dict[str, list[Object]], now: datetime
) -> list[Operation]:
    """Replace pods of an older template, as many at a time as maxUnavailable allows."""
    strategy = mapping(objects.spec(daemon_set).get("updateStrategy"))
    if strategy.get("type") == "OnDelete":
        return []
    rolling = mapping(strategy.get("rollingUpdate"))
    allowed = max(1, _rollout.resolve(rolling.get("maxUnavailable", 1), len(wanted), up=True, default=1))
    minimum = _pods.integer(objects.spec(daemon_set).get("minReadySeconds"), 0)
    operations: list[Operation] = []
    candidates: list[Object] = []
    missing = 0
    for node in wanted:
        living = [pod for pod in by_node.get(node, []) if not objects.deleting(pod)]
        available = [pod for pod in living if _pods.seconds_until_available(pod, minimum, now) == 0]
        missing += not available
        for pod in living:
            if objects.labels(pod).get(names.CONTROLLER_REVISION_HASH) == revision:
                continue
            if pod in available:
                candidates.append(pod)
            else:
                operations.append(_delete(daemon_set, pod))
    operations += [_delete(daemon_set, pod) for pod in candidates[: max(0, allowed - missing)]]
    return operations


def _delete(daemon_set: Object, pod: Object) -> Delete:
    return Delete("Pod", objects.namespace(pod), objects.name(pod), objects.uid(pod), regarding=daemon_set)


def _status(
    daemon_set: Object, revision: str, wanted: list[str], by_node: dict[str, list[Object]], now: datetime
) -> tuple[Object, float | None]:
    minimum = _pods.integer(objects.spec(daemon_set).get("minReadySeconds"), 0)
    ours = [next(iter(sorted(map(_Standing, by_node[n]))), None) for n in wanted if by_node.get(n)]
    pods = [standing.pod for standing in ours if standing is not None and not objects.deleting(standing.pod)]
    waits = [_pods.seconds_until_available(pod, minimum, now) for pod in pods]
    updated = [p for p in pods if objects.labels(p).get(names.CONTROLLER_REVISION_HASH) == revision]
    available = sum(wait == 0 for wait in waits)
    misplaced = sum(bool(pods) for node, pods in by_node.items() if node not in wanted)
    counts = {
        "currentNumberScheduled": len(pods),
        "numberMisscheduled": misplaced,
        "desiredNumberScheduled": len(wanted),
        "numberReady": sum(wait is not None for wait in waits),
        "observedGeneration": _pods.integer(objects.metadata(daemon_set).get("generation"), 0),
        "updatedNumberScheduled": len(updated),
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
    }
    always = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
    status = {k: v for k, v in counts.items() if v or k in always}
    if _revisions.collisions(daemon_set):
        status["collisionCount"] = _revisions.collisions(daemon_set)
    return status, min((wait for wait in waits if wait), default=None)


class _Standing:
    """Orders a node's pods: ready before not ready, staying before going, then older ones."""

    def __init__(self, pod: Object) -> None:
        self.pod = pod
        self.rank = (objects.deleting(pod), not _pods.ready(pod), _pods.created(pod), objects.name(pod))

    def __lt__(self, other: _Standing) -> bool:
        return self.rank < other.rank


CONTROLLER = Controller(
    name="daemonset-controller",
    reads=frozenset({KIND, "Pod", "Node", _revisions.KIND}),
    writes=frozenset({KIND, "Pod", _revisions.KIND}),
    reconcile=reconcile,
)
