"""StatefulSets: pods with ordinals, one after the other or all at once, updated from the highest down.

In: StatefulSets, Pods, ControllerRevisions.  Out: pods to create and delete, revisions, the status.
Volumes are not made: stand-ins have none.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api import selectors
from switchboard.controllers import _pods, _revisions, _rollout
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
from switchboard.k8s.objects import Object, mapping, text

KIND = "StatefulSet"


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Take the next step of each StatefulSet that changed or whose Pods did."""
    keys = dirty(snapshot, KIND, {"Pod": _pods.claimants(KIND), _revisions.KIND: controlled_by(KIND)})
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    stateful_set = snapshot.get(KIND, *key)
    if stateful_set is None:
        return Part(identity)
    selector = selectors.from_object(objects.spec(stateful_set).get("selector"))
    pods, claims = _pods.claim(snapshot, "Pod", stateful_set, selector)
    past = _revisions.history(snapshot, stateful_set, names.HISTORY_HASH)
    if past.collision:
        status = {**objects.status(stateful_set), "collisionCount": _revisions.collisions(stateful_set) + 1}
        return Part(identity, (UpdateStatus({**stateful_set, "status": status}),))
    by_ordinal = {n: pod for pod in pods if (n := ordinal(stateful_set, pod)) is not None}
    operations: list[Operation] = list(claims)
    if not objects.deleting(stateful_set):
        operations += past.operations
        operations += _advance(stateful_set, past, by_ordinal, now)
        live = {text(objects.status(stateful_set).get("currentRevision")), *map(_pod_revision, pods)}
        operations += _revisions.clean_up(stateful_set, past, live)
    status, wait = _status(stateful_set, past.name, by_ordinal, now)
    if status != objects.status(stateful_set):
        operations.append(UpdateStatus({**stateful_set, "status": status}))
    return Part(identity, tuple(operations), wait)


def ordinal(stateful_set: Object, pod: Object) -> int | None:
    """The number at the end of the pod's name; None for a name that is not of this StatefulSet."""
    prefix = f"{objects.name(stateful_set)}-"
    rest = objects.name(pod).removeprefix(prefix)
    return int(rest) if objects.name(pod).startswith(prefix) and rest.isdecimal() else None


def _ordinals(stateful_set: Object) -> range:
    spec = objects.spec(stateful_set)
    start = _pods.integer(mapping(spec.get("ordinals")).get("start"), 0)
    return range(start, start + _pods.integer(spec.get("replicas"), 1))


def _pod_revision(pod: Object) -> str:
    return text(objects.labels(pod).get(names.CONTROLLER_REVISION_HASH))


def _minimum(stateful_set: Object) -> int:
    return _pods.integer(objects.spec(stateful_set).get("minReadySeconds"), 0)


def _healthy(stateful_set: Object, pod: Object, now: datetime) -> bool:
    wait = _pods.seconds_until_available(pod, _minimum(stateful_set), now)
    return wait == 0 and not objects.deleting(pod)


def _advance(
    stateful_set: Object, past: _revisions.History, pods: dict[int, Object], now: datetime
) -> list[Operation]:
    parallel = objects.spec(stateful_set).get("podManagementPolicy") == "Parallel"
    wanted = _ordinals(stateful_set)
    operations: list[Operation] = []
    for number in wanted:
        pod = pods.get(number)
        if pod is None:
            operations.append(_create(stateful_set, past, number))
        elif _pods.phase(pod) in _pods.FINISHED and not objects.deleting(pod):
            operations.append(_delete(stateful_set, pod))
        if not parallel and (operations or pod is None or not _healthy(stateful_set, pod, now)):
            return operations
    condemned = sorted((n for n in pods if n not in wanted), reverse=True)
    for number in condemned:
        if not objects.deleting(pods[number]):
            operations.append(_delete(stateful_set, pods[number]))
        if not parallel:
            return operations
    return operations or _update(stateful_set, past.name, pods, now)


def _update(stateful_set: Object, revision: str, pods: dict[int, Object], now: datetime) -> list[Operation]:
    """Replace pods of older templates from the highest ordinal down to the partition, within maxUnavailable."""
    strategy = mapping(objects.spec(stateful_set).get("updateStrategy"))
    if strategy.get("type") == "OnDelete":
        return []
    rolling = mapping(strategy.get("rollingUpdate"))
    partition = _pods.integer(rolling.get("partition"), 0)
    wanted = _ordinals(stateful_set)
    allowed = max(1, _rollout.resolve(rolling.get("maxUnavailable", 1), len(wanted), up=True, default=1))
    missing = sum(not _healthy(stateful_set, pods[n], now) for n in wanted if n in pods)
    operations: list[Operation] = []
    for number in sorted((n for n in wanted if n >= partition and n in pods), reverse=True):
        pod = pods[number]
        if _pod_revision(pod) == revision or objects.deleting(pod):
            continue
        # A pod that is broken anyway costs nothing.
        if _healthy(stateful_set, pod, now):
            if missing >= allowed:
                break
            missing += 1
        operations.append(_delete(stateful_set, pod))
    return operations


def _version(stateful_set: Object, past: _revisions.History, number: int) -> tuple[str, Any]:
    """Revision and template of a new pod: below the partition those from before the update."""
    strategy = mapping(objects.spec(stateful_set).get("updateStrategy"))
    partition = _pods.integer(mapping(strategy.get("rollingUpdate")).get("partition"), 0)
    current = text(objects.status(stateful_set).get("currentRevision"))
    before = past.template(current)
    if strategy.get("type") != "OnDelete" and number < _ordinals(stateful_set).start + partition and before:
        return current, before
    return past.name, objects.spec(stateful_set).get("template")


def _create(stateful_set: Object, past: _revisions.History, number: int) -> Create:
    name = f"{objects.name(stateful_set)}-{number}"
    revision, template = _version(stateful_set, past, number)
    pod = _pods.from_template(
        stateful_set,
        template,
        name=name,
        labels={
            names.STATEFULSET_POD_NAME: name,
            names.POD_INDEX_LABEL: str(number),
            names.CONTROLLER_REVISION_HASH: revision,
        },
    )
    pod["spec"]["hostname"] = name
    if objects.spec(stateful_set).get("serviceName"):
        pod["spec"]["subdomain"] = objects.spec(stateful_set)["serviceName"]
    return Create(pod, regarding=stateful_set)


def _delete(stateful_set: Object, pod: Object) -> Delete:
    return Delete("Pod", objects.namespace(pod), objects.name(pod), objects.uid(pod), regarding=stateful_set)


def _status(
    stateful_set: Object, revision: str, pods: dict[int, Object], now: datetime
) -> tuple[Object, float | None]:
    living = [pod for pod in pods.values() if _pods.active(pod)]
    waits = [_pods.seconds_until_available(pod, _minimum(stateful_set), now) for pod in living]
    before = objects.status(stateful_set)
    updated = [pod for pod in living if _pod_revision(pod) == revision]
    complete = len(updated) == len(living) == len(_ordinals(stateful_set)) and all(w is not None for w in waits)
    current = revision if complete else text(before.get("currentRevision")) or revision
    status: dict[str, Any] = {
        "observedGeneration": _pods.integer(objects.metadata(stateful_set).get("generation"), 0),
        "replicas": len(living),
        "readyReplicas": sum(wait is not None for wait in waits),
        "availableReplicas": sum(wait == 0 for wait in waits),
        "currentReplicas": sum(_pod_revision(pod) == current for pod in living),
        "updatedReplicas": len(updated),
        "currentRevision": current,
        "updateRevision": revision,
        "collisionCount": _revisions.collisions(stateful_set),
    }
    kept = ("replicas", "availableReplicas", "collisionCount")
    found = {k: v for k, v in status.items() if v or k in kept}
    return found, min((wait for wait in waits if wait), default=None)


CONTROLLER = Controller(
    name="statefulset-controller",
    reads=frozenset({KIND, "Pod", _revisions.KIND}),
    writes=frozenset({KIND, "Pod", _revisions.KIND}),
    reconcile=reconcile,
)
