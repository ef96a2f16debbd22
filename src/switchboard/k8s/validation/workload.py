"""Rules for Deployment, ReplicaSet, StatefulSet, DaemonSet, Job and CronJob.

In: an object with defaults (and the stored one on updates).  Out: findings through the ``Report``.
Called by ``k8s.validation``.
Specification: pkg/apis/apps/validation and pkg/apis/batch/validation of Kubernetes 1.36.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from typing import Any, Final

from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, text
from switchboard.k8s.validation import formats, metadata, pod
from switchboard.k8s.validation.report import Report

_CRON_FIELDS: Final = 5
_MACROS: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_CRON_FIELD: Final = re.compile(r"[0-9A-Za-z*?/,-]+\Z")
# Of a StatefulSet everything else is fixed at its creation.
_CHANGEABLE: Final = frozenset(
    (
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    )
)


def deployment(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one Deployment."""
    spec = objects.spec(obj)
    _counts(report, spec, "replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
    selected_template(report, spec, "deployment")
    _strategy(report, mapping(spec.get("strategy")))
    deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds") or 0
    if isinstance(deadline, int) and isinstance(ready, int) and 0 <= deadline <= ready:
        report.invalid("spec.progressDeadlineSeconds", deadline, f"greater than minReadySeconds ({ready})")
    if old is not None:
        _selector_stays(report, spec, old)
        _status(report, objects.status(obj))


def replica_set(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one ReplicaSet."""
    spec = objects.spec(obj)
    _counts(report, spec, "replicas", "minReadySeconds")
    selected_template(report, spec, "replica set")
    if old is not None:
        _selector_stays(report, spec, old)
        _status(report, objects.status(obj))


def daemon_set(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one DaemonSet."""
    spec = objects.spec(obj)
    _counts(report, spec, "minReadySeconds", "revisionHistoryLimit")
    selected_template(report, spec, "daemon set")
    strategy = mapping(spec.get("updateStrategy"))
    field = "spec.updateStrategy"
    if strategy.get("type") not in ("RollingUpdate", "OnDelete"):
        report.not_supported(f"{field}.type", strategy.get("type"), ("RollingUpdate", "OnDelete"))
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "RollingUpdate" and isinstance(rolling, dict):
        for part in ("maxUnavailable", "maxSurge"):
            share(report, f"{field}.rollingUpdate.{part}", rolling.get(part), at_most_all=True)
        unavailable, surge = _zero(rolling.get("maxUnavailable")), _zero(rolling.get("maxSurge"))
        if unavailable and surge:
            report.required(f"{field}.rollingUpdate.maxUnavailable", "to be more than 0 when `maxSurge` is 0")
        elif not unavailable and not surge:
            report.invalid(f"{field}.rollingUpdate.maxSurge", rolling.get("maxSurge"), "0 with `maxUnavailable`")
    if old is not None:
        _selector_stays(report, spec, old)


def stateful_set(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one StatefulSet."""
    spec = objects.spec(obj)
    _counts(report, spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    selected_template(report, spec, "statefulset")
    policy, strategy = spec.get("podManagementPolicy"), mapping(spec.get("updateStrategy"))
    if policy not in ("OrderedReady", "Parallel"):
        report.invalid("spec.podManagementPolicy", policy, "OrderedReady or Parallel")
    if strategy.get("type") not in ("RollingUpdate", "OnDelete"):
        report.invalid("spec.updateStrategy", strategy.get("type"), "of type RollingUpdate or OnDelete")
    rolling = mapping(strategy.get("rollingUpdate"))
    report.not_negative("spec.updateStrategy.rollingUpdate.partition", rolling.get("partition"))
    if old is not None:
        before = objects.spec(old)
        fixed = [k for k in {**before, **spec} if k not in _CHANGEABLE and spec.get(k) != before.get(k)]
        if fixed:
            why = f"to another value of {', '.join(sorted(fixed))} after creation"
            report.forbidden("spec", why, "Delete the StatefulSet (its pods may stay) and create it again.")


def job(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one Job."""
    spec = objects.spec(obj)
    _job_spec(report, "spec", spec)
    if spec.get("selector") is not None and spec.get("manualSelector") is not True and old is None:
        hint = "Remove `selector`: Kubernetes makes one."
        report.invalid("spec.selector", "given", "left out unless `manualSelector` is true", hint)
        report.invalid("spec.template.metadata.labels", "other", "matched by `selector`", hint)
    if old is not None:
        before = objects.spec(old)
        for part in ("completions", "selector", "template", "completionMode"):
            if spec.get(part) != before.get(part):
                report.immutable(f"spec.{part}", spec.get(part) if part == "completions" else part)


def cron_job(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one CronJob; time zones are those of the machine's database."""
    spec = objects.spec(obj)
    _counts(report, spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit", "startingDeadlineSeconds")
    schedule = text(spec.get("schedule"))
    if not schedule:
        report.required("spec.schedule")
    elif not _is_schedule(schedule):
        report.invalid(
            "spec.schedule", schedule, "five fields (minute hour day month weekday) or a word such as @daily"
        )
    zone = spec.get("timeZone")
    if zone is not None and not _is_zone(text(zone)):
        report.invalid("spec.timeZone", zone, "a time zone such as Europe/Berlin")
    if spec.get("concurrencyPolicy") not in ("Allow", "Forbid", "Replace"):
        report.not_supported("spec.concurrencyPolicy", spec.get("concurrencyPolicy"), ("Allow", "Forbid", "Replace"))
    _job_spec(report, "spec.jobTemplate.spec", mapping(mapping(spec.get("jobTemplate")).get("spec")))


@functools.cache
def _is_zone(name: str) -> bool:
    """Whether a time zone exists; without a database every name is taken for one."""
    if not name or name.lower() == "local":
        return False
    try:
        zoneinfo.ZoneInfo("Etc/UTC")
    except zoneinfo.ZoneInfoNotFoundError:
        return True
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def share(report: Report, field: str, value: Any, *, at_most_all: bool) -> None:
    """A number of pods or a percentage of them."""
    if isinstance(value, str):
        problems = formats.percent(value)
        report.problems(field, value, problems)
        if at_most_all and not problems and int(value[:-1]) > 100:
            report.invalid(field, value, "at most 100%")
    else:
        report.not_negative(field, value)


def selected_template(report: Report, spec: dict[str, Any], owner: str) -> None:
    """Selector and template: the pods that are made must be the pods that are selected."""
    selector, template = spec.get("selector"), mapping(spec.get("template"))
    labels = mapping(mapping(template.get("metadata")).get("labels"))
    before = len(report.findings)
    if selector is None:
        report.required("spec.selector", hint="Add `selector: {matchLabels: ...}` with labels of the template.")
    elif not mapping(selector).get("matchLabels") and not mapping(selector).get("matchExpressions"):
        report.invalid(
            "spec.selector", {}, f"not empty for a {owner}", "Add `matchLabels` with labels of the template."
        )
        before = -1
    else:
        metadata.selector(report, "spec.selector", selector)
        if len(report.findings) > before:
            report.invalid("spec.selector", selector, "a valid label selector")
            before = -1
    if before >= 0 and (selector is None or not metadata.matches(mapping(selector), labels)):
        wanted = mapping(mapping(selector).get("matchLabels"))
        hint = (
            f"Add {', '.join(f'`{k}: {v}`' for k, v in wanted.items())} to them."
            if wanted
            else "Correct one of the two."
        )
        report.invalid("spec.template.metadata.labels", labels, "matched by `spec.selector`", hint)
    pod.template(report, "spec.template", template)
    policy = mapping(template.get("spec")).get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        report.not_supported("spec.template.spec.restartPolicy", policy, ("Always",))


def _zero(value: Any) -> bool:
    return value in (0, None) or (isinstance(value, str) and value.rstrip("%").strip("0") == "")


def _counts(report: Report, spec: dict[str, Any], *fields: str) -> None:
    for field in fields:
        report.not_negative(f"spec.{field}", spec.get(field))


def _strategy(report: Report, strategy: dict[str, Any]) -> None:
    field, type_, rolling = "spec.strategy", strategy.get("type"), strategy.get("rollingUpdate")
    if type_ == "Recreate":
        if rolling is not None:
            report.forbidden(f"{field}.rollingUpdate", "when `type` is Recreate")
        return
    if type_ != "RollingUpdate":
        report.not_supported(f"{field}.type", type_, ("Recreate", "RollingUpdate"))
        return
    values = mapping(rolling)
    share(report, f"{field}.rollingUpdate.maxUnavailable", values.get("maxUnavailable"), at_most_all=True)
    share(report, f"{field}.rollingUpdate.maxSurge", values.get("maxSurge"), at_most_all=False)
    if _zero(values.get("maxUnavailable")) and _zero(values.get("maxSurge")):
        unavailable = f"{field}.rollingUpdate.maxUnavailable"
        report.invalid(unavailable, values.get("maxUnavailable"), "more than 0 when `maxSurge` is 0")


def _selector_stays(report: Report, spec: dict[str, Any], old: Object) -> None:
    if spec.get("selector") != objects.spec(old).get("selector"):
        report.immutable("spec.selector", spec.get("selector"))


def _status(report: Report, status: dict[str, Any]) -> None:
    """Counts of replicas that cannot be."""
    total = status.get("replicas") or 0
    for part in ("updatedReplicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas"):
        value = status.get(part) or 0
        if isinstance(value, int) and isinstance(total, int) and value > total:
            report.invalid(f"status.{part}", value, f"at most status.replicas ({total})")


def _job_spec(report: Report, field: str, spec: dict[str, Any]) -> None:
    for part in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"):
        report.not_negative(f"{field}.{part}", spec.get(part))
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        report.required(f"{field}.completions", "when `completionMode` is Indexed")
    template = mapping(spec.get("template"))
    pod.template(report, f"{field}.template", template)
    if mapping(template.get("spec")).get("restartPolicy") == "Always":
        report.required(f"{field}.template.spec.restartPolicy", "to be OnFailure or Never in a Job")


def _is_schedule(schedule: str) -> bool:
    words = schedule.split()
    if schedule in _MACROS or schedule.startswith("@every "):
        return True
    return len(words) == _CRON_FIELDS and all(_CRON_FIELD.match(word) for word in words)
