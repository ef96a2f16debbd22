"""Deployments: one ReplicaSet for each version of the pod template, moved from old to new step by step.

In: Deployments, ReplicaSets and their Pods.  Out: ReplicaSets to create, scale and delete; status and conditions.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api import selectors
from switchboard.api.metadata import clone
from switchboard.controllers import _pods, _rollout
from switchboard.controllers._contract import (
    NORMAL,
    Controller,
    Create,
    Delete,
    Operation,
    Part,
    Plan,
    RecordEvent,
    Update,
    UpdateStatus,
    controlled_by,
    dirty,
    each,
)
from switchboard.controllers._deployment_status import status_of
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, text

KIND = "Deployment"
NOT_INHERITED = (
    names.LAST_APPLIED,
    names.REVISION,
    names.REVISION_HISTORY,
    names.DESIRED_REPLICAS,
    names.MAX_REPLICAS,
)
HISTORY_LENGTH = 2000  # characters of the annotation that lists a ReplicaSet's earlier revisions


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Take the next step of each Deployment that changed or whose ReplicaSets or Pods did."""
    related = {"ReplicaSet": _pods.claimants(KIND), "Pod": _deployment_of_pod}
    return each(KIND, dirty(snapshot, KIND, related), lambda key: _reconcile_one(snapshot, key, now))


def _deployment_of_pod(snapshot: Snapshot, pod: Object) -> list[Key]:
    """A Deployment looks at pods only while it recreates: the last old one must be gone."""
    owner = objects.controller(pod)
    replica_set = snapshot.get("ReplicaSet", objects.namespace(pod), text(owner.get("name")))
    if owner.get("kind") != "ReplicaSet" or replica_set is None:
        return []
    return list(controlled_by(KIND)(snapshot, replica_set))


def _replicas(obj: Object) -> int:
    return _pods.integer(objects.spec(obj).get("replicas"), 1)


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    deployment = snapshot.get(KIND, *key)
    if deployment is None:
        return Part(identity)
    selector = selectors.from_object(objects.spec(deployment).get("selector"))
    sets, claims = _pods.claim(snapshot, "ReplicaSet", deployment, selector)
    sets.sort(key=lambda rs: (_pods.created(rs), _revision(rs), objects.name(rs)))
    new = _new_replica_set(deployment, sets)
    if new is None and snapshot.get("ReplicaSet", key[0], _name(deployment)) is not None:
        # The name is taken by another template or another owner: the next hash will be another one.
        count = _pods.integer(objects.status(deployment).get("collisionCount"), 0) + 1
        return Part(identity, (UpdateStatus(_with_collisions(deployment, count)),))
    old = [rs for rs in sets if new is None or objects.uid(rs) != objects.uid(new)]
    operations: list[Operation] = list(claims)
    if not objects.deleting(deployment):
        operations += _advance(snapshot, deployment, new, old)
    status, wait = status_of(deployment, new, old, now)
    if status != objects.status(deployment):
        operations.append(UpdateStatus({**deployment, "status": status}))
    return Part(identity, tuple(operations), wait)


def _with_collisions(deployment: Object, count: int) -> Object:
    return {**deployment, "status": {**objects.status(deployment), "collisionCount": count}}


def _new_replica_set(deployment: Object, sets: list[Object]) -> Object | None:
    """The oldest ReplicaSet that has the Deployment's template, the hash label aside.

    Revisions do not decide between two of one age: the one chosen gets a higher revision, and the choice must stay.
    """
    wanted = _without_hash(objects.spec(deployment).get("template"))
    equal = [rs for rs in sets if _without_hash(objects.spec(rs).get("template")) == wanted]
    return min(equal, key=lambda rs: (_pods.created(rs), objects.name(rs)), default=None)


def _without_hash(template: object) -> dict[str, Any]:
    meta = mapping(mapping(template).get("metadata"))
    labels = {k: v for k, v in mapping(meta.get("labels")).items() if k != names.POD_TEMPLATE_HASH}
    rest = {k: v for k, v in meta.items() if k != "labels" and v is not None}
    return {**mapping(template), "metadata": {**rest, "labels": labels}}


def _hash(deployment: Object) -> str:
    collisions = objects.status(deployment).get("collisionCount") or 0
    return _pods.template_hash(objects.spec(deployment).get("template"), collisions)


def _name(deployment: Object) -> str:
    return f"{objects.name(deployment)}-{_hash(deployment)}"


def _revision(obj: Object) -> int:
    value = objects.annotations(obj).get(names.REVISION, "")
    return int(value) if isinstance(value, str) and value.isdecimal() else 0


def _advance(snapshot: Snapshot, deployment: Object, new: Object | None, old: list[Object]) -> list[Operation]:
    """The next step: follow a change of size, otherwise roll, otherwise clean up."""
    spec = objects.spec(deployment)
    sets = [*old, *([new] if new else [])]
    if spec.get("paused") is True or _size_changed(deployment, sets):
        return _follow_size(deployment, new, old)
    if mapping(spec.get("strategy")).get("type") == "Recreate":
        operations = _recreate(snapshot, deployment, new, old)
    else:
        operations = _roll(deployment, new, old)
    operations += _clean_up(deployment, new, old)
    revision = _next_revision(new, old)
    if _revision(deployment) != revision:
        annotations = {**objects.annotations(deployment), names.REVISION: str(revision)}
        operations.append(
            Update({**deployment, "metadata": {**objects.metadata(deployment), "annotations": annotations}})
        )
    return operations


def _next_revision(new: Object | None, old: list[Object]) -> int:
    newest_old = max((_revision(rs) for rs in old), default=0)
    return max(_revision(new) if new else 0, newest_old + 1)


def _surge(deployment: Object) -> tuple[int, int]:
    strategy = mapping(objects.spec(deployment).get("strategy"))
    if strategy.get("type") == "Recreate":
        return 0, _replicas(deployment)
    rolling = mapping(strategy.get("rollingUpdate"))
    return _rollout.bounds(
        rolling.get("maxSurge", "25%"), rolling.get("maxUnavailable", "25%"), _replicas(deployment)
    )


def _size(replica_set: Object) -> _rollout.Size:
    available = _pods.integer(objects.status(replica_set).get("availableReplicas"), 0)
    return _rollout.Size(objects.name(replica_set), _replicas(replica_set), available)


def _size_changed(deployment: Object, sets: list[Object]) -> bool:
    """Whether ``spec.replicas`` has changed since the living ReplicaSets were last sized."""
    wanted = str(_replicas(deployment))
    marks = (objects.annotations(rs).get(names.DESIRED_REPLICAS) for rs in sets if _replicas(rs) > 0)
    return any(mark is not None and mark != wanted for mark in marks)


def _follow_size(deployment: Object, new: Object | None, old: list[Object]) -> list[Operation]:
    """Give a change of size to the one living ReplicaSet, or share it among several in the middle of a rollout."""
    wanted = _replicas(deployment)
    alive = [rs for rs in [*([new] if new else []), *reversed(old)] if _replicas(rs) > 0]
    if len(alive) <= 1:
        only = alive[0] if alive else new
        return _scale(deployment, only, wanted) if only else []
    if new is not None and _size(new).available >= wanted and _replicas(new) == wanted:
        return [op for rs in old for op in _scale(deployment, rs, 0)]
    surge = _surge(deployment)[0]
    shares = _rollout.proportional([_size(rs) for rs in alive], wanted + surge if wanted else 0)
    return [op for rs in alive for op in _scale(deployment, rs, shares.get(objects.name(rs), _replicas(rs)))]


def _roll(deployment: Object, new: Object | None, old: list[Object]) -> list[Operation]:
    wanted = _replicas(deployment)
    surge, unavailable = _surge(deployment)
    olds = [_size(rs) for rs in old]
    if new is None:
        size = _rollout.new_size(wanted, surge, _rollout.Size("", 0), olds)
        return _create(deployment, size, _next_revision(None, old))
    size = _rollout.new_size(wanted, surge, _size(new), olds)
    operations = _scale(deployment, new, size, revision=_next_revision(new, old))
    if size == _replicas(new):
        for name, replicas in _rollout.old_sizes(wanted, unavailable, _size(new), olds).items():
            operations += _scale(deployment, next(rs for rs in old if objects.name(rs) == name), replicas)
    return operations


def _recreate(snapshot: Snapshot, deployment: Object, new: Object | None, old: list[Object]) -> list[Operation]:
    """Nothing of the new version before the last pod of the old one has gone."""
    shrinking = [op for rs in old for op in _scale(deployment, rs, 0)]
    if shrinking:
        return shrinking
    for replica_set in old:
        pods = snapshot.owned("Pod", objects.uid(replica_set))
        if any(_pods.phase(pod) not in _pods.FINISHED for pod in pods):
            return []
    if new is None:
        return _create(deployment, _replicas(deployment), _next_revision(None, old))
    return _scale(deployment, new, _replicas(deployment), revision=_next_revision(new, old))


def _marks(deployment: Object) -> dict[str, str]:
    wanted = _replicas(deployment)
    return {names.DESIRED_REPLICAS: str(wanted), names.MAX_REPLICAS: str(wanted + _surge(deployment)[0])}


def _inherited(deployment: Object) -> dict[str, str]:
    """The Deployment's annotations that its new ReplicaSet bears, such as the cause of the change."""
    return {k: v for k, v in objects.annotations(deployment).items() if k not in NOT_INHERITED}


def _history(replica_set: Object, revision: int) -> dict[str, str]:
    """The revisions that a ReplicaSet had before it becomes the newest again, as many as there is room for."""
    before = _revision(replica_set)
    if not before or before >= revision:
        return {}
    listed = [*text(objects.annotations(replica_set).get(names.REVISION_HISTORY)).split(","), str(before)]
    while len(",".join(listed)) > HISTORY_LENGTH or listed[0] == "":
        listed.pop(0)
    return {names.REVISION_HISTORY: ",".join(listed)}


def _create(deployment: Object, replicas: int, revision: int) -> list[Operation]:
    digest = _hash(deployment)
    spec = objects.spec(deployment)
    template = clone(mapping(spec.get("template")))
    meta = template["metadata"] = mapping(template.get("metadata"))
    meta["labels"] = {**mapping(meta.get("labels")), names.POD_TEMPLATE_HASH: digest}
    selector = mapping(spec.get("selector"))
    replica_set: Object = {
        "apiVersion": objects.api_version(deployment),
        "kind": "ReplicaSet",
        "metadata": {
            "name": _name(deployment),
            "namespace": objects.namespace(deployment),
            "labels": dict(meta["labels"]),
            "annotations": {**_inherited(deployment), names.REVISION: str(revision), **_marks(deployment)},
            "ownerReferences": [objects.owner_reference(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "minReadySeconds": _pods.integer(spec.get("minReadySeconds"), 0),
            "selector": {
                **selector,
                "matchLabels": {**mapping(selector.get("matchLabels")), names.POD_TEMPLATE_HASH: digest},
            },
            "template": template,
        },
    }
    if not replica_set["spec"]["minReadySeconds"]:
        del replica_set["spec"]["minReadySeconds"]
    message = f"Scaled up replica set {_name(deployment)} from 0 to {replicas}"
    return [Create(replica_set), RecordEvent(deployment, NORMAL, "ScalingReplicaSet", message)]


def _scale(deployment: Object, replica_set: Object, replicas: int, *, revision: int = 0) -> list[Operation]:
    """Set a ReplicaSet's size and marks, where they differ; a revision is given to the new one only."""
    marks = _marks(deployment)
    if revision:
        marks = {**_inherited(deployment), **marks, **_history(replica_set, revision), names.REVISION: str(revision)}
    minimum = _pods.integer(objects.spec(deployment).get("minReadySeconds"), 0)
    spec = dict(objects.spec(replica_set))
    current = _replicas(replica_set)
    spec["replicas"] = replicas
    if revision and minimum != _pods.integer(spec.get("minReadySeconds"), 0):
        spec["minReadySeconds"] = minimum
    annotations = {**objects.annotations(replica_set), **marks}
    unchanged = annotations == objects.annotations(replica_set) or (current == replicas == 0 and not revision)
    if unchanged and spec == objects.spec(replica_set):
        return []
    metadata = {**objects.metadata(replica_set), "annotations": annotations}
    operations: list[Operation] = [Update({**replica_set, "metadata": metadata, "spec": spec})]
    if replicas != current:
        direction = "up" if replicas > current else "down"
        message = f"Scaled {direction} replica set {objects.name(replica_set)} from {current} to {replicas}"
        operations.append(RecordEvent(deployment, NORMAL, "ScalingReplicaSet", message))
    return operations


def _clean_up(deployment: Object, new: Object | None, old: list[Object]) -> list[Operation]:
    """Delete the oldest empty ReplicaSets beyond ``revisionHistoryLimit``, once the new one is complete."""
    if new is None or _size(new).available < _replicas(deployment):
        return []
    limit = _pods.integer(objects.spec(deployment).get("revisionHistoryLimit"), 10)
    empty = [
        rs
        for rs in sorted(old, key=_revision)
        if not objects.deleting(rs) and _replicas(rs) == 0 and not objects.status(rs).get("replicas")
    ]
    return [
        Delete("ReplicaSet", objects.namespace(rs), objects.name(rs), objects.uid(rs))
        for rs in empty[: max(0, len(empty) - limit)]
    ]


CONTROLLER = Controller(
    name="deployment-controller",
    reads=frozenset({KIND, "ReplicaSet", "Pod"}),
    writes=frozenset({KIND, "ReplicaSet"}),
    reconcile=reconcile,
)
