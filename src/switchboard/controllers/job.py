"""Jobs: pods until enough of them have succeeded.

In: Jobs and Pods.  Out: pods to create and delete; status and conditions; deletion after ``ttlSecondsAfterFinished``.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/job/ (NonIndexed; no pod failure policies)
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api import selectors
from switchboard.api.metadata import timestamp
from switchboard.controllers import _pods
from switchboard.controllers._contract import (
    NORMAL,
    WARNING,
    Controller,
    Create,
    Delete,
    Operation,
    Part,
    Plan,
    RecordEvent,
    UpdateStatus,
    controlled_by,
    dirty,
    each,
)
from switchboard.controllers._snapshot import Key, Snapshot
from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object

KIND = "Job"


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Take the next step of each Job that changed or whose Pods did."""
    keys = dirty(snapshot, KIND, {"Pod": controlled_by(KIND)})
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    job = snapshot.get(KIND, *key)
    if job is None or objects.deleting(job):
        return Part(identity)
    finished = _finished(job)
    if finished is not None:
        return _after_finish(job, identity, finished, now)
    pods = [p for p in snapshot.owned("Pod", objects.uid(job)) if _mine(job, p)]
    succeeded = sum(_pods.phase(p) == "Succeeded" for p in pods)
    failed = sum(_pods.phase(p) == "Failed" for p in pods)
    living = [p for p in pods if _pods.active(p)]
    verdict = _verdict(job, succeeded, failed, len(living), now)
    operations: list[Operation] = []
    if verdict or objects.spec(job).get("suspend") is True:
        operations += [_delete(job, pod) for pod in living]
    else:
        operations += _scale(job, living, succeeded)
    counts = {"active": len(living), "ready": sum(map(_pods.ready, living)), "succeeded": succeeded, "failed": failed}
    operations += _tell(job, counts, verdict, now)
    return Part(identity, tuple(operations), None if verdict else _deadline_left(job, now))


def _mine(job: Object, pod: Object) -> bool:
    selector = selectors.from_object(objects.spec(job).get("selector"))
    controlled = objects.controller(pod).get("uid") == objects.uid(job)
    return controlled and (selector is None or selectors.matches(selector, objects.labels(pod)))


def _finished(job: Object) -> dict[str, Any] | None:
    done = (c for c in objects.conditions(job) if c.get("type") in ("Complete", "Failed"))
    return next((c for c in done if c.get("status") == "True"), None)


def _after_finish(job: Object, identity: tuple[str, str, str], condition: dict[str, Any], now: datetime) -> Part:
    ttl = objects.spec(job).get("ttlSecondsAfterFinished")
    since = _pods.moment(condition.get("lastTransitionTime"))
    if not isinstance(ttl, int) or since is None:
        return Part(identity)
    left = ttl - (now - since).total_seconds()
    if left > 0:
        return Part(identity, requeue_after=left)
    return Part(identity, (Delete(KIND, objects.namespace(job), objects.name(job), objects.uid(job)),))


def _verdict(job: Object, succeeded: int, failed: int, living: int, now: datetime) -> tuple[str, str, str] | None:
    """Type, reason and message of the condition that ends the Job; None while it goes on."""
    spec = objects.spec(job)
    completions = spec.get("completions")
    if failed > _pods.integer(spec.get("backoffLimit"), 6):
        return ("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = _deadline_left(job, now)
    if left is not None and left <= 0:
        return ("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    # Without a number of completions, one success ends the Job when the others have ended too.
    done = succeeded >= completions if isinstance(completions, int) else succeeded > 0 and living == 0
    return ("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if done else None


def _deadline_left(job: Object, now: datetime) -> float | None:
    deadline = objects.spec(job).get("activeDeadlineSeconds")
    since = _pods.moment(objects.status(job).get("startTime"))
    if not isinstance(deadline, int) or since is None:
        return None
    return deadline - (now - since).total_seconds()


def _scale(job: Object, living: list[Object], succeeded: int) -> list[Operation]:
    spec = objects.spec(job)
    wanted = _pods.integer(spec.get("parallelism"), 1)
    if isinstance(spec.get("completions"), int):
        wanted = min(wanted, spec["completions"] - succeeded)
    elif succeeded:
        wanted = min(wanted, len(living))
    if len(living) < wanted:
        labels = {names.JOB_NAME_LABEL: objects.name(job), names.OLD_JOB_NAME_LABEL: objects.name(job)}
        pod = _pods.from_template(job, spec.get("template"), generateName=f"{objects.name(job)}-", labels=labels)
        return [Create(pod, regarding=job)] * (wanted - len(living))
    return [_delete(job, pod) for pod in _pods.deletion_order(living)[: len(living) - wanted]]


def _delete(job: Object, pod: Object) -> Delete:
    return Delete("Pod", objects.namespace(pod), objects.name(pod), objects.uid(pod), regarding=job)


def _tell(job: Object, counts: dict[str, int], verdict: tuple[str, str, str] | None, now: datetime) -> list[Operation]:
    before = objects.status(job)
    status: dict[str, Any] = {k: v for k, v in counts.items() if v}
    suspended = objects.spec(job).get("suspend") is True
    if before.get("startTime") or not suspended:
        status["startTime"] = before.get("startTime") or timestamp(now)
    conditions = list(objects.conditions(job))
    events: list[Operation] = []
    if verdict:
        kind, reason, message = verdict
        moment = timestamp(now)
        conditions.append(
            {
                "type": kind,
                "status": "True",
                "reason": reason,
                "message": message,
                "lastProbeTime": moment,
                "lastTransitionTime": moment,
            }
        )
        status.pop("active", None)
        status.pop("ready", None)
        if kind == "Complete":
            status["completionTime"] = moment
            events.append(RecordEvent(job, NORMAL, "Completed", "Job completed"))
        else:
            events.append(RecordEvent(job, WARNING, reason, message))
    if conditions:
        status["conditions"] = conditions
    return [UpdateStatus({**job, "status": status}), *events] if status != before else []


CONTROLLER = Controller(
    name="job-controller",
    reads=frozenset({KIND, "Pod"}),
    writes=frozenset({KIND, "Pod"}),
    reconcile=reconcile,
)
