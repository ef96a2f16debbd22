"""CronJobs: a Job whenever the schedule says so.

In: CronJobs and Jobs; the loop's setting ``time-zones``, a function from a name to a ``tzinfo`` or None
(zone files are no business of a pure package); without it UTC is the only zone.
Out: Jobs to create and delete, the status, events; asks to be woken at the next moment of the schedule.
Found by file name and run by the controller loop.
Specification: https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from switchboard.api.metadata import clone, timestamp
from switchboard.controllers import _pods, _schedule
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

KIND = "CronJob"
TIME_ZONES = "time-zones"
TOO_MANY = 100  # missed moments after which people are told
_UTC_NAMES = ("UTC", "Etc/UTC", "GMT", "Etc/GMT")


def reconcile(snapshot: Snapshot, now: datetime) -> Plan:
    """Look at each CronJob that changed, is due, or whose Jobs changed."""
    keys = dirty(snapshot, KIND, {"Job": controlled_by(KIND)})
    return each(KIND, keys, lambda key: _reconcile_one(snapshot, key, now))


def _reconcile_one(snapshot: Snapshot, key: Key, now: datetime) -> Part:
    identity = (KIND, *key)
    cron_job = snapshot.get(KIND, *key)
    if cron_job is None:
        return Part(identity)
    news = snapshot.changed is not None and identity in snapshot.changed
    owned = snapshot.owned("Job", objects.uid(cron_job))
    jobs = [job for job in owned if objects.controller(job).get("uid") == objects.uid(cron_job)]
    operations = [*_seen(cron_job, jobs), *_clean_up(cron_job, jobs)]
    status = _status(cron_job, jobs)
    wait = None
    if not objects.deleting(cron_job) and objects.spec(cron_job).get("suspend") is not True:
        schedule, problem = _schedule_of(cron_job, snapshot.settings)
        if schedule is None:
            operations += [problem] if problem is not None and news else []
        else:
            planned, used = _start(cron_job, jobs, schedule, now, news)
            operations += planned
            status |= {"lastScheduleTime": timestamp(used)} if used else {}
            following = schedule.next(now)
            wait = (following - now).total_seconds() if following else None
    if status != objects.status(cron_job):
        operations.append(UpdateStatus({**cron_job, "status": status}))
    return Part(identity, tuple(operations), wait)


def finished(job: Object) -> str:
    """``Complete`` or ``Failed``, empty while the Job goes on."""
    return next((kind for kind in ("Complete", "Failed") if objects.condition(job, kind) == "True"), "")


def _active(jobs: list[Object]) -> list[Object]:
    return [job for job in jobs if not finished(job) and not objects.deleting(job)]


def _seen(cron_job: Object, jobs: list[Object]) -> list[Operation]:
    """Events about Jobs that ended, went, or came from somebody else since the status was written."""
    listed = {mapping(ref).get("uid"): mapping(ref) for ref in sequence(objects.status(cron_job).get("active"))}
    told: list[Operation] = []
    for job in jobs:
        if objects.uid(job) in listed and finished(job):
            message = f"Saw completed job: {objects.name(job)}, condition: {finished(job)}"
            told.append(RecordEvent(cron_job, NORMAL, "SawCompletedJob", message))
        scheduled = names.CRONJOB_SCHEDULED_TIMESTAMP in objects.annotations(job)
        if objects.uid(job) not in listed and job in _active(jobs) and not scheduled:
            message = f"Saw a job that the controller did not create or forgot: {objects.name(job)}"
            told.append(RecordEvent(cron_job, WARNING, "UnexpectedJob", message))
    known = {objects.uid(job) for job in jobs}
    for uid, reference in listed.items():
        if uid not in known:
            message = f"Active job went missing: {text(reference.get('name'))}"
            told.append(RecordEvent(cron_job, NORMAL, "MissingJob", message))
    return told


def _status(cron_job: Object, jobs: list[Object]) -> dict[str, Any]:
    before = objects.status(cron_job)
    known = {mapping(ref).get("uid"): ref for ref in sequence(before.get("active"))}
    # A reference is written once: the Job's later versions are no news.
    active = [known.get(objects.uid(job)) or _reference(job) for job in sorted(_active(jobs), key=_pods.created)]
    done = [text(objects.status(job).get("completionTime")) for job in jobs if finished(job) == "Complete"]
    successful = max([*done, text(before.get("lastSuccessfulTime"))])
    status = {k: v for k, v in before.items() if k not in ("active", "lastSuccessfulTime")}
    return status | ({"active": active} if active else {}) | ({"lastSuccessfulTime": successful} if successful else {})


def _reference(job: Object) -> dict[str, Any]:
    return {
        "kind": "Job",
        "namespace": objects.namespace(job),
        "name": objects.name(job),
        "uid": objects.uid(job),
        "apiVersion": objects.api_version(job),
        "resourceVersion": objects.resource_version(job),
    }


def _clean_up(cron_job: Object, jobs: list[Object]) -> list[Operation]:
    """Delete the oldest finished Jobs beyond the history limits; a CronJob that goes takes or leaves all of them."""
    if objects.deleting(cron_job):
        return []
    spec = objects.spec(cron_job)
    operations: list[Operation] = []
    for kind, field, default in (
        ("Complete", "successfulJobsHistoryLimit", 3),
        ("Failed", "failedJobsHistoryLimit", 1),
    ):
        done = [job for job in jobs if finished(job) == kind and not objects.deleting(job)]
        done.sort(key=lambda job: (text(objects.status(job).get("startTime")), objects.name(job)))
        limit = _pods.integer(spec.get(field), default)
        for job in done[: max(0, len(done) - limit)]:
            operations += _delete(cron_job, job)
    return operations


def _delete(cron_job: Object, job: Object) -> list[Operation]:
    return [
        Delete("Job", objects.namespace(job), objects.name(job), objects.uid(job)),
        RecordEvent(cron_job, NORMAL, "SuccessfulDelete", f"Deleted job {objects.name(job)}"),
    ]


def _schedule_of(cron_job: Object, settings: Mapping[str, Any]) -> tuple[_schedule.Schedule | None, RecordEvent | None]:
    """The schedule in its zone, or the event that says why there is none."""
    spec = objects.spec(cron_job)
    name, written = text(spec.get("timeZone")), text(spec.get("schedule"))
    zone: tzinfo | None = UTC
    if name and name not in _UTC_NAMES:
        find: Callable[[str], tzinfo | None] = settings.get(TIME_ZONES) or (lambda _: None)
        zone = find(name)
    if zone is None:
        told = f'invalid timeZone: "{name}": unknown time zone {name}'
        return None, RecordEvent(cron_job, WARNING, "UnknownTimeZone", told)
    try:
        return _schedule.parse(written, zone), None
    except _schedule.ScheduleError as error:
        told = f'unparseable schedule: "{written}" : {error}'
        return None, RecordEvent(cron_job, WARNING, "UnparseableSchedule", told)


def _start(
    cron_job: Object, jobs: list[Object], schedule: _schedule.Schedule, now: datetime, news: bool
) -> tuple[list[Operation], datetime | None]:
    """Start the Job of the last moment that has come and has none; answers that moment when it counts as used."""
    spec = objects.spec(cron_job)
    since = _earliest(cron_job, now)
    due = schedule.latest(since, now)
    if due is None:
        return [], None
    operations: list[Operation] = []
    if news and _missed(schedule, since, now) > TOO_MANY:
        told = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        operations.append(RecordEvent(cron_job, WARNING, "TooManyMissedTimes", told))
    name = f"{objects.name(cron_job)}-{int(due.timestamp()) // 60}"
    if any(objects.name(job) == name for job in jobs):
        return operations, due
    running = _active(jobs)
    policy = spec.get("concurrencyPolicy")
    if policy == "Forbid" and running:
        told = "Not starting job because prior execution is running and concurrency policy is Forbid"
        return [*operations, *([RecordEvent(cron_job, NORMAL, "JobAlreadyActive", told)] if news else [])], None
    if policy == "Replace":
        for job in running:
            operations += _delete(cron_job, job)
    operations += [
        Create(_job(cron_job, name, due.astimezone(schedule.zone))),
        RecordEvent(cron_job, NORMAL, "SuccessfulCreate", f"Created job {name}"),
    ]
    return operations, due


def _earliest(cron_job: Object, now: datetime) -> datetime:
    """Moments up to this one are used, or too old to make up for."""
    last = _pods.moment(objects.status(cron_job).get("lastScheduleTime"))
    since = last or _pods.moment(_pods.created(cron_job)) or now
    deadline = objects.spec(cron_job).get("startingDeadlineSeconds")
    if isinstance(deadline, int) and not isinstance(deadline, bool):
        since = max(since, now - timedelta(seconds=deadline))
    return since


def _missed(schedule: _schedule.Schedule, since: datetime, now: datetime) -> int:
    """How many moments have passed, counted no further than needed."""
    count, moment = 0, schedule.next(since)
    while moment is not None and moment <= now and count <= TOO_MANY:
        count, moment = count + 1, schedule.next(moment)
    return count


def _job(cron_job: Object, name: str, due: datetime) -> Object:
    template = clone(mapping(objects.spec(cron_job).get("jobTemplate")))
    meta = mapping(template.get("metadata"))
    return {
        "apiVersion": f"{names.BATCH}/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": objects.namespace(cron_job),
            **({"labels": meta["labels"]} if meta.get("labels") else {}),
            "annotations": {
                **mapping(meta.get("annotations")),
                names.CRONJOB_SCHEDULED_TIMESTAMP: due.isoformat().replace("+00:00", "Z"),
            },
            "ownerReferences": [objects.owner_reference(cron_job)],
        },
        "spec": mapping(template.get("spec")),
    }


CONTROLLER = Controller(
    name="cronjob-controller",
    reads=frozenset({KIND, "Job"}),
    writes=frozenset({KIND, "Job"}),
    reconcile=reconcile,
)
