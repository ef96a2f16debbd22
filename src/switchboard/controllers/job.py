"""Jobs: pods until enough of them have succeeded.

In: Jobs and Pods.  Out: pods to create and delete; status and conditions; deletion after ``ttlSecondsAfterFinished``.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/job/
Pods are counted while they exist, indexes that are done are remembered: there is no tracking finalizer.
Neither ``podFailurePolicy`` nor ``successPolicy`` nor ``managedBy`` is honoured.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from switchboard.api import selectors
from switchboard.api.metadata import timestamp
from switchboard.controllers import _job_indexes, _pods
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
from switchboard.k8s.objects import Object, mapping, sequence, text

KIND = "Job"
FIRST_DELAY, LAST_DELAY = timedelta(seconds=10), timedelta(minutes=10)
# The condition that announces an end, by the condition that states it once every pod has ended.
_ANNOUNCES = {"Complete": "SuccessCriteriaMet", "Failed": "FailureTarget"}


class Verdict(msgspec.Struct, frozen=True):
    """How a Job ends: ``Complete`` or ``Failed``, and why."""

    type: str
    reason: str
    message: str


class Tally(msgspec.Struct, frozen=True):
    """A Job's pods: going on, being deleted, succeeded, failed."""

    living: list[Object]
    leaving: list[Object]
    succeeded: list[Object]
    failed: list[Object]

    @property
    def pods(self) -> list[Object]:
        """All of them."""
        return [*self.living, *self.leaving, *self.succeeded, *self.failed]


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Take the next step of each Job that changed or whose Pods did."""
    keys = dirty(snapshot, KIND, {"Pod": controlled_by(KIND)})
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    job = snapshot.get(KIND, *key)
    if job is None or objects.deleting(job):
        return Part(identity)
    finished = _condition(job, "Complete") or _condition(job, "Failed")
    if finished:
        return _after_finish(job, identity, finished, now)
    tally = _tally(job, [p for p in snapshot.owned("Pod", objects.uid(job)) if _mine(job, p)])
    verdict = _announced(job) or _verdict(job, tally, now)
    operations: list[Operation] = []
    delay: float | None = None
    if verdict or objects.spec(job).get("suspend") is True:
        operations += [_delete(job, pod) for pod in tally.living]
    else:
        delay = _delay(tally, now)
        operations += _scale(job, tally, may_create=delay is None)
    operations += _tell(job, tally, verdict, now)
    waits = [w for w in (delay, None if verdict else _deadline_left(job, now)) if w is not None]
    return Part(identity, tuple(operations), min(waits, default=None))


def _mine(job: Object, pod: Object) -> bool:
    selector = selectors.from_object(objects.spec(job).get("selector"))
    controlled = objects.controller(pod).get("uid") == objects.uid(job)
    return controlled and (selector is None or selectors.matches(selector, objects.labels(pod)))


def _tally(job: Object, pods: list[Object]) -> Tally:
    going = [p for p in pods if _pods.phase(p) not in _pods.FINISHED]
    return Tally(
        [p for p in going if not objects.deleting(p)],
        [p for p in going if objects.deleting(p)],
        [p for p in pods if _pods.phase(p) == "Succeeded"],
        [p for p in pods if _pods.phase(p) == "Failed"],
    )


def _condition(job: Object, kind: str) -> dict[str, Any]:
    return next((c for c in objects.conditions(job) if c.get("type") == kind and c.get("status") == "True"), {})


def _announced(job: Object) -> Verdict | None:
    for kind, announced in _ANNOUNCES.items():
        found = _condition(job, announced)
        if found:
            return Verdict(kind, text(found.get("reason")), text(found.get("message")))
    return None


def _after_finish(job: Object, identity: tuple[str, str, str], condition: dict[str, Any], now: datetime) -> Part:
    ttl = objects.spec(job).get("ttlSecondsAfterFinished")
    since = _pods.moment(condition.get("lastTransitionTime"))
    if not isinstance(ttl, int) or since is None:
        return Part(identity)
    left = ttl - (now - since).total_seconds()
    if left > 0:
        return Part(identity, requeue_after=left)
    return Part(identity, (Delete(KIND, objects.namespace(job), objects.name(job), objects.uid(job)),))


def _completions(job: Object) -> int | None:
    completions = objects.spec(job).get("completions")
    return _pods.integer(completions, 0) if completions is not None else None


def _done_indexes(job: Object, tally: Tally) -> set[int]:
    """Indexes with a success, those of the status included: their pods may be gone."""
    limit = _completions(job) or 0
    known = _job_indexes.parse(text(objects.status(job).get("completedIndexes")), limit)
    return known | {i for i in _job_indexes.succeeded(tally.succeeded) if i < limit}


def _failed_indexes(job: Object, tally: Tally) -> set[int]:
    """Indexes that have failed for good, where the Job limits failures of each."""
    limit = objects.spec(job).get("backoffLimitPerIndex")
    if not _job_indexes.indexed(job) or not isinstance(limit, int):
        return set()
    done = _done_indexes(job, tally)
    known = _job_indexes.parse(text(objects.status(job).get("failedIndexes")), _completions(job) or 0)
    return known | {i for i, count in _job_indexes.failures(tally.failed).items() if count > limit and i not in done}


def _verdict(job: Object, tally: Tally, now: datetime) -> Verdict | None:
    """How the Job ends; None while it goes on."""
    spec, completions = objects.spec(job), _completions(job)
    if _too_many_failures(job, tally):
        return Verdict("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = _deadline_left(job, now)
    if left is not None and left <= 0:
        return Verdict("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    lost, most = _failed_indexes(job, tally), spec.get("maxFailedIndexes")
    if isinstance(most, int) and len(lost) > most:
        told = "Job has exceeded the specified maximal number of failed indexes"
        return Verdict("Failed", "MaxFailedIndexesExceeded", told)
    if _job_indexes.indexed(job):
        succeeded = len(_done_indexes(job, tally))
        if lost and succeeded + len(lost) >= (completions or 0):
            return Verdict("Failed", "FailedIndexes", "Job has failed indexes")
    else:
        succeeded = len(tally.succeeded)
    # Without a number of completions, one success ends the Job when the others have ended too.
    alone = succeeded > 0 and not tally.living and not tally.leaving
    done = alone if completions is None else succeeded >= completions
    return Verdict("Complete", "CompletionsReached", "Reached expected number of succeeded pods") if done else None


def _too_many_failures(job: Object, tally: Tally) -> bool:
    spec = objects.spec(job)
    limit = _pods.integer(spec.get("backoffLimit"), 6)
    if len(tally.failed) > limit:
        return True
    if mapping(mapping(spec.get("template")).get("spec")).get("restartPolicy") != "OnFailure":
        return False
    # Containers that are restarted in place count instead of pods.
    restarts = sum(_restarts(pod) for pod in tally.living)
    return restarts > 0 if limit == 0 else restarts >= limit


def _restarts(pod: Object) -> int:
    status = objects.status(pod)
    listed = [*sequence(status.get("initContainerStatuses")), *sequence(status.get("containerStatuses"))]
    return sum(_pods.integer(mapping(container).get("restartCount"), 0) for container in listed)


def _deadline_left(job: Object, now: datetime) -> float | None:
    deadline = objects.spec(job).get("activeDeadlineSeconds")
    since = _pods.moment(objects.status(job).get("startTime"))
    if not isinstance(deadline, int) or since is None or objects.spec(job).get("suspend") is True:
        return None
    return deadline - (now - since).total_seconds()


def _ended_at(pod: Object) -> datetime | None:
    """When a pod ended: its last container's end, else when it stopped to be ready, else its creation."""
    states = [mapping(mapping(c).get("state")) for c in sequence(objects.status(pod).get("containerStatuses"))]
    ends = [_pods.moment(mapping(state.get("terminated")).get("finishedAt")) for state in states]
    known = [moment for moment in ends if moment is not None]
    if known:
        return max(known)
    ready = next((c for c in objects.conditions(pod) if c.get("type") == "Ready"), {})
    return _pods.moment(ready.get("lastTransitionTime")) or _pods.moment(_pods.created(pod))


def _delay(tally: Tally, now: datetime) -> float | None:
    """Seconds before a pod may follow one that failed: 10, doubled with each failure since the last success."""
    successes = [moment for pod in tally.succeeded if (moment := _ended_at(pod)) is not None]
    failures = [moment for pod in tally.failed if (moment := _ended_at(pod)) is not None]
    recent = [moment for moment in failures if not successes or moment > max(successes)]
    if not recent:
        return None
    pause = min(FIRST_DELAY * 2 ** min(len(recent) - 1, 10), LAST_DELAY)
    left = (max(recent) + pause - now).total_seconds()
    return left if left > 0 else None


def _scale(job: Object, tally: Tally, *, may_create: bool) -> list[Operation]:
    spec, completions, living = objects.spec(job), _completions(job), tally.living
    wanted = _pods.integer(spec.get("parallelism"), 1)
    if _job_indexes.indexed(job):
        return _scale_indexes(job, tally, wanted, may_create=may_create)
    if completions is not None:
        wanted = min(wanted, completions - len(tally.succeeded))
    elif tally.succeeded:
        wanted = min(wanted, len(living))
    if len(living) > wanted:
        return [_delete(job, pod) for pod in _pods.deletion_order(living)[: len(living) - wanted]]
    missing = wanted - len(living) - _blocking(job, tally)
    return [Create(_pod(job), regarding=job)] * missing if may_create else []


def _blocking(job: Object, tally: Tally) -> int:
    """Pods being deleted hold the place of new ones only where the Job replaces pods once they have failed."""
    return len(tally.leaving) if objects.spec(job).get("podReplacementPolicy") == "Failed" else 0


def _scale_indexes(job: Object, tally: Tally, parallelism: int, *, may_create: bool) -> list[Operation]:
    """One pod for each index that is neither done nor lost, lowest indexes first."""
    done, lost = _done_indexes(job, tally), _failed_indexes(job, tally)
    open_ = [i for i in range(_completions(job) or 0) if i not in done and i not in lost]
    by_index: dict[int, list[Object]] = {}
    surplus: list[Object] = []
    for pod in sorted(tally.living, key=lambda p: (_pods.created(p), objects.name(p))):
        index = _job_indexes.index_of(pod)
        if index in open_ and index not in by_index:
            by_index[index] = [pod]
        else:
            surplus.append(pod)
    kept = [pods[0] for pods in by_index.values()]
    surplus += _pods.deletion_order(kept)[: max(0, len(kept) - parallelism)]
    operations: list[Operation] = [_delete(job, pod) for pod in surplus]
    busy = {_job_indexes.index_of(pod) for pod in tally.leaving} if _blocking(job, tally) else set()
    room = parallelism - len(kept) - len(busy)
    if may_create and room > 0:
        counted = objects.spec(job).get("backoffLimitPerIndex") is not None
        failures = _job_indexes.failures(tally.failed)
        for index in [i for i in open_ if i not in by_index and i not in busy][:room]:
            pod = _job_indexes.pod_for(_pod(job), job, index, failures[index] if counted else None)
            operations.append(Create(pod, regarding=job))
    return operations


def _pod(job: Object) -> Object:
    labels = {names.JOB_NAME_LABEL: objects.name(job), names.OLD_JOB_NAME_LABEL: objects.name(job)}
    template = objects.spec(job).get("template")
    return _pods.from_template(job, template, generateName=f"{objects.name(job)}-", labels=labels)


def _delete(job: Object, pod: Object) -> Delete:
    return Delete("Pod", objects.namespace(pod), objects.name(pod), objects.uid(pod), regarding=job)


def _tell(job: Object, tally: Tally, verdict: Verdict | None, now: datetime) -> list[Operation]:
    before, suspended = objects.status(job), objects.spec(job).get("suspend") is True
    status = _counts(job, tally)
    conditions = list(objects.conditions(job))
    events: list[Operation] = []
    if verdict:
        events += _end(job, tally, verdict, status, conditions, now)
    else:
        events += _suspension(job, conditions, now)
    resumed = bool(events) and not verdict and not suspended
    if not suspended or verdict:
        started = None if resumed else before.get("startTime")
        status["startTime"] = started or timestamp(now)
    if conditions:
        status["conditions"] = conditions
    return [UpdateStatus({**job, "status": status}), *events] if status != before else []


def _counts(job: Object, tally: Tally) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "active": len(tally.living),
        "ready": sum(map(_pods.ready, tally.living)),
        "terminating": len(tally.leaving),
        "succeeded": len(tally.succeeded),
        "failed": len(tally.failed),
    }
    if _job_indexes.indexed(job):
        done = _done_indexes(job, tally)
        counts |= {"succeeded": len(done), "completedIndexes": _job_indexes.render(done)}
        if objects.spec(job).get("backoffLimitPerIndex") is not None:
            counts["failedIndexes"] = _job_indexes.render(_failed_indexes(job, tally))
    return {k: v for k, v in counts.items() if v}


def _end(
    job: Object, tally: Tally, verdict: Verdict, status: dict[str, Any], conditions: list[dict[str, Any]], now: datetime
) -> list[Operation]:
    """Announce the end, and state it when no pod goes on; ``status`` and ``conditions`` are completed in place."""
    if not _announced(job):
        conditions.append(_made(_ANNOUNCES[verdict.type], "True", verdict.reason, verdict.message, now))
    if tally.living or tally.leaving:
        return []
    conditions.append(_made(verdict.type, "True", verdict.reason, verdict.message, now))
    if verdict.type == "Failed":
        return [RecordEvent(job, WARNING, verdict.reason, verdict.message)]
    status["completionTime"] = timestamp(now)
    return [RecordEvent(job, NORMAL, "Completed", "Job completed")]


def _suspension(job: Object, conditions: list[dict[str, Any]], now: datetime) -> list[Operation]:
    """The condition Suspended, which a Job that was never suspended does not have."""
    suspended = objects.spec(job).get("suspend") is True
    old = next((c for c in conditions if c.get("type") == "Suspended"), None)
    if suspended == (old is not None and old.get("status") == "True"):
        return []
    if old is not None:
        conditions.remove(old)
    reason, message = ("JobSuspended", "Job suspended") if suspended else ("JobResumed", "Job resumed")
    conditions.append(_made("Suspended", "True" if suspended else "False", reason, message, now))
    return [RecordEvent(job, NORMAL, reason.removeprefix("Job"), message)]


def _made(kind: str, value: str, reason: str, message: str, now: datetime) -> dict[str, Any]:
    moment = timestamp(now)
    return {
        "type": kind,
        "status": value,
        "reason": reason,
        "message": message,
        "lastProbeTime": moment,
        "lastTransitionTime": moment,
    }


CONTROLLER = Controller(
    name="job-controller",
    reads=frozenset({KIND, "Pod"}),
    writes=frozenset({KIND, "Pod"}),
    reconcile=reconcile,
)
