"""The status of a Deployment: counts, and the conditions Available and Progressing.

In: a Deployment, its ReplicaSets, the time.  Out: the status, and when its progress deadline is to be looked at.
Called by the deployment controller.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#deployment-status
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api.metadata import timestamp
from switchboard.controllers import _pods, _rollout
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping

COMPLETE, TIMED_OUT = "NewReplicaSetAvailable", "ProgressDeadlineExceeded"
_NO_DEADLINE = 2**31 - 1


def status_of(
    deployment: Object, new: Object | None, old: list[Object], now: datetime
) -> tuple[Object, float | None]:
    """The status, and the seconds until the progress deadline (None when nothing is under way)."""
    before = objects.status(deployment)
    counts = _counts(deployment, new, old)
    available = _available(deployment, counts.get("availableReplicas", 0))
    progressing, wait = _progressing(deployment, counts, new, old, now)
    others = [c for c in objects.conditions(deployment) if c.get("type") not in ("Available", "Progressing")]
    conditions = list(others)
    for condition in (available, progressing):
        if condition:
            conditions.append(_dated(deployment, condition, now, counts != _only_counts(before)))
    # The order of the conditions is kept as it was, so that nothing is written for it.
    order = {c.get("type"): i for i, c in enumerate(objects.conditions(deployment))}
    conditions.sort(key=lambda c: order.get(c["type"], len(order)))
    status: Object = {**counts, "conditions": conditions}
    if before.get("collisionCount"):
        status["collisionCount"] = before["collisionCount"]
    return status, wait


def _counts(deployment: Object, new: Object | None, old: list[Object]) -> dict[str, int]:
    sets = [*old, *([new] if new else [])]

    def total(field: str, chosen: list[Object]) -> int:
        return sum(_pods.integer(objects.status(rs).get(field), 0) for rs in chosen)

    # Every ReplicaSet that still has to make pods counts them as unavailable.
    wanted = sum(_pods.integer(objects.spec(rs).get("replicas"), 1) for rs in sets)
    available = total("availableReplicas", sets)
    counts = {
        "observedGeneration": _pods.integer(objects.metadata(deployment).get("generation"), 0),
        "replicas": total("replicas", sets),
        "updatedReplicas": total("replicas", [new] if new else []),
        "readyReplicas": total("readyReplicas", sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted - available),
    }
    return {k: v for k, v in counts.items() if v}


def _only_counts(status: Object) -> dict[str, Any]:
    return {k: v for k, v in status.items() if k not in ("conditions", "collisionCount")}


def _replicas(deployment: Object) -> int:
    return _pods.integer(objects.spec(deployment).get("replicas"), 1)


def _available(deployment: Object, available: int) -> dict[str, Any]:
    rolling = mapping(mapping(objects.spec(deployment).get("strategy")).get("rollingUpdate"))
    wanted = _replicas(deployment)
    allowed = _rollout.bounds(rolling.get("maxSurge", 0), rolling.get("maxUnavailable", 0), wanted)[1]
    if not rolling:
        allowed = 0
    if available >= wanted - allowed:
        return {
            "type": "Available",
            "status": "True",
            "reason": "MinimumReplicasAvailable",
            "message": "Deployment has minimum availability.",
        }
    return {
        "type": "Available",
        "status": "False",
        "reason": "MinimumReplicasUnavailable",
        "message": "Deployment does not have minimum availability.",
    }


def _progressing(
    deployment: Object, counts: dict[str, int], new: Object | None, old: list[Object], now: datetime
) -> tuple[dict[str, Any], float | None]:
    deadline = _pods.integer(objects.spec(deployment).get("progressDeadlineSeconds"), 600)
    current = next((c for c in objects.conditions(deployment) if c.get("type") == "Progressing"), {})
    if deadline >= _NO_DEADLINE:
        return {}, None
    name = objects.name(new) if new else objects.name(deployment)
    if _complete(deployment, counts, old):
        message = f'ReplicaSet "{name}" has successfully progressed.'
        return {"type": "Progressing", "status": "True", "reason": COMPLETE, "message": message}, None
    if new is None:
        if current:
            return dict(current), None
        message = f'Created new replica set for deployment "{name}"'
        return {"type": "Progressing", "status": "True", "reason": "NewReplicaSetCreated", "message": message}, None
    if not current or _progressed(objects.status(deployment), counts) or current.get("reason") == COMPLETE:
        message = f'ReplicaSet "{name}" is progressing.'
        return {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": message}, deadline
    if objects.spec(deployment).get("paused") is True or current.get("reason") == TIMED_OUT:
        return dict(current), None
    since = _pods.moment(current.get("lastUpdateTime")) or now
    left = deadline - (now - since).total_seconds()
    if left > 0:
        return dict(current), left
    message = f'ReplicaSet "{name}" has timed out progressing.'
    return {"type": "Progressing", "status": "False", "reason": TIMED_OUT, "message": message}, None


def _complete(deployment: Object, counts: dict[str, int], old: list[Object]) -> bool:
    wanted = _replicas(deployment)
    sized = (counts.get("updatedReplicas", 0), counts.get("replicas", 0), counts.get("availableReplicas", 0))
    return sized == (wanted, wanted, wanted) and not any(objects.spec(rs).get("replicas") for rs in old)


def _progressed(before: Object, counts: dict[str, int]) -> bool:
    def old(status: dict[str, Any]) -> int:
        return _pods.integer(status.get("replicas"), 0) - _pods.integer(status.get("updatedReplicas"), 0)

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return old(counts) < old(before) or any(
        counts.get(field, 0) > _pods.integer(before.get(field), 0) for field in grown
    )


def _dated(deployment: Object, condition: dict[str, Any], now: datetime, moved: bool) -> dict[str, Any]:
    """The condition with its times: a transition is a new status, an update also a new reason or progress."""
    kind = condition["type"]
    old = next((c for c in objects.conditions(deployment) if c.get("type") == kind), {})
    same = all(old.get(field) == condition.get(field) for field in ("status", "reason", "message"))
    progress = kind == "Progressing" and moved and condition.get("reason") == "ReplicaSetUpdated"
    current = timestamp(now)
    return {
        "type": kind,
        "status": condition["status"],
        "lastUpdateTime": old.get("lastUpdateTime", current) if same and not progress else current,
        "lastTransitionTime": (
            old.get("lastTransitionTime", current) if old.get("status") == condition["status"] else current
        ),
        "reason": condition.get("reason", ""),
        "message": condition.get("message", ""),
    }
