"""Columns of Pods and what makes them, of autoscalers and disruption budgets.

In: objects.  Out: cells.
Called by ``columns.columns_of``.
Specification: pkg/printers/internalversion of Kubernetes 1.36.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from switchboard.api.server.columns.cells import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    at,
    between,
    column,
    images_of,
    names_of,
    selector,
    since,
    template,
    whole,
)
from switchboard.api.server.tables import Column, Columns, age
from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, text


def _statuses(pod: Object, field: str = "containerStatuses") -> list[dict[str, Any]]:
    return [s for s in sequence(objects.status(pod).get(field)) if isinstance(s, dict)]


def _pod_ready(pod: Object) -> str:
    total = len(sequence(objects.spec(pod).get("containers")))
    return f"{sum(s.get('ready') is True for s in _statuses(pod))}/{total}"


def _why(state: dict[str, Any]) -> str:
    """What a container's state says: its reason, or its signal or exit code."""
    waiting, ended = mapping(state.get("waiting")), mapping(state.get("terminated"))
    if waiting.get("reason"):
        return text(waiting["reason"])
    if not ended:
        return ""
    if ended.get("reason"):
        return text(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _initialising(pod: Object) -> str:
    total = len(sequence(objects.spec(pod).get("initContainers")))
    for i, status in enumerate(_statuses(pod, "initContainerStatuses")):
        state = mapping(status.get("state"))
        ended = mapping(state.get("terminated"))
        if ended and ended.get("exitCode") == 0:
            continue
        why = _why(state)
        return f"Init:{why}" if why and why != "PodInitializing" else f"Init:{i}/{total}"
    return ""


def _pod_status(pod: Object) -> str:
    status = objects.status(pod)
    found = text(status.get("reason")) or text(status.get("phase"))
    starting = _initialising(pod)
    if starting:
        found = starting
    else:
        for container in reversed(_statuses(pod)):
            found = _why(mapping(container.get("state"))) or found
        if found == "Completed" and any(mapping(s.get("state")).get("running") for s in _statuses(pod)):
            found = "Running" if objects.condition(pod, "Ready") == "True" else "NotReady"
    if objects.deleting(pod):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return found


def _restarts(pod: Object, now: datetime) -> str:
    found = _statuses(pod)
    count = sum(s.get("restartCount") or 0 for s in found)
    ends = [mapping(mapping(s.get("lastState")).get("terminated")).get("finishedAt") for s in found]
    last = max((e for e in ends if isinstance(e, str)), default=None)
    return f"{count} ({age(last, now)} ago)" if count and last else str(count)


def _addresses(pod: Object) -> str:
    found = [text(mapping(a).get("ip")) for a in sequence(objects.status(pod).get("podIPs"))]
    return (found or [text(objects.status(pod).get("podIP"))])[0] or NONE


def _gates(pod: Object) -> str:
    gates = [mapping(g).get("conditionType") for g in sequence(objects.spec(pod).get("readinessGates"))]
    if not gates:
        return NONE
    return f"{sum(objects.condition(pod, text(g)) == 'True' for g in gates)}/{len(gates)}"


def _completions(job: Object) -> str:
    spec, done = objects.spec(job), whole(job, "status", "succeeded")
    if spec.get("completions") is not None:
        return f"{done}/{spec['completions']}"
    parallel = whole(job, "spec", "parallelism")
    return f"{done}/1 of {parallel}" if parallel > 1 else f"{done}/1"


def _job_status(job: Object) -> str:
    for shown, type_ in (("Complete", "Complete"), ("Failed", "Failed")):
        if objects.condition(job, type_) == "True":
            return shown
    if objects.deleting(job):
        return "Terminating"
    for type_ in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if objects.condition(job, type_) == "True":
            return type_
    return "Running"


def _job_duration(job: Object, now: datetime) -> str:
    status = objects.status(job)
    return between(status.get("startTime"), status.get("completionTime"), now)


def _metrics(hpa: Object) -> str:
    wanted = [mapping(m) for m in sequence(objects.spec(hpa).get("metrics"))]
    current = {_metric_name(mapping(m)): mapping(m) for m in sequence(objects.status(hpa).get("currentMetrics"))}
    found = []
    for metric in wanted:
        kind = text(metric.get("type"))
        field = kind[:1].lower() + kind[1:]
        target = mapping(mapping(metric.get(field)).get("target"))
        now = mapping(mapping(current.get(_metric_name(metric), {}).get(field)).get("current"))
        percent = target.get("averageUtilization")
        name = mapping(metric.get(field)).get("name")
        if percent is not None:
            have = now.get("averageUtilization")
            found.append(f"{name}: {UNKNOWN if have is None else f'{have}%'}/{percent}%")
        else:
            value = target.get("averageValue") or target.get("value")
            found.append(f"{now.get('averageValue') or now.get('value') or UNKNOWN}/{value}")
    return ", ".join(found) or NONE


def _metric_name(metric: dict[str, Any]) -> tuple[str, str]:
    kind = text(metric.get("type"))
    source = mapping(metric.get(kind[:1].lower() + kind[1:]))
    return kind, text(source.get("name")) or text(mapping(source.get("metric")).get("name"))


def _reference(hpa: Object) -> str:
    found = mapping(objects.spec(hpa).get("scaleTargetRef"))
    return f"{found.get('kind')}/{found.get('name')}"


_TEMPLATE = (
    column("Containers", lambda o: names_of(template(o)), wide=True),
    column("Images", lambda o: images_of(template(o)), wide=True),
)
_SELECTOR = column("Selector", lambda o: selector(objects.spec(o).get("selector")), wide=True)

COLUMNS: dict[str, Columns] = {
    "Pod": (
        NAME,
        column("Ready", _pod_ready),
        column("Status", _pod_status),
        Column("Restarts", _restarts),
        AGE,
        column("IP", _addresses, wide=True),
        column("Node", lambda o: text(objects.spec(o).get("nodeName")) or NONE, wide=True),
        column("Nominated Node", lambda o: text(objects.status(o).get("nominatedNodeName")) or NONE, wide=True),
        column("Readiness Gates", _gates, wide=True),
    ),
    "Deployment": (
        NAME,
        column("Ready", lambda o: f"{whole(o, 'status', 'readyReplicas')}/{whole(o, 'spec', 'replicas')}"),
        column("Up-to-date", at("status", "updatedReplicas", default=0)),
        column("Available", at("status", "availableReplicas", default=0)),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    "ReplicaSet": (
        NAME,
        column("Desired", at("spec", "replicas", default=0)),
        column("Current", at("status", "replicas", default=0)),
        column("Ready", at("status", "readyReplicas", default=0)),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    "StatefulSet": (
        NAME,
        column("Ready", lambda o: f"{whole(o, 'status', 'readyReplicas')}/{whole(o, 'spec', 'replicas')}"),
        AGE,
        *_TEMPLATE,
    ),
    "DaemonSet": (
        NAME,
        column("Desired", at("status", "desiredNumberScheduled", default=0)),
        column("Current", at("status", "currentNumberScheduled", default=0)),
        column("Ready", at("status", "numberReady", default=0)),
        column("Up-to-date", at("status", "updatedNumberScheduled", default=0)),
        column("Available", at("status", "numberAvailable", default=0)),
        column(
            "Node Selector", lambda o: selector({"matchLabels": mapping(template(o).get("spec")).get("nodeSelector")})
        ),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    "ControllerRevision": (
        NAME,
        column("Controller", lambda o: _owner(o)),
        column("Revision", at("revision", default=0)),
        AGE,
    ),
    "Job": (
        NAME,
        column("Status", _job_status),
        column("Completions", _completions),
        Column("Duration", _job_duration),
        AGE,
        *_TEMPLATE,
        _SELECTOR,
    ),
    "CronJob": (
        NAME,
        column("Schedule", at("spec", "schedule")),
        column("Timezone", at("spec", "timeZone", default=NONE)),
        column("Suspend", lambda o: str(bool(objects.spec(o).get("suspend")))),
        column("Active", lambda o: len(sequence(objects.status(o).get("active")))),
        since("Last Schedule", at("status", "lastScheduleTime", default=None)),
        AGE,
        column("Containers", lambda o: names_of(template({"spec": _job_template(o)})), wide=True),
        column("Images", lambda o: images_of(template({"spec": _job_template(o)})), wide=True),
        column("Selector", lambda o: selector(_job_template(o).get("selector")), wide=True),
    ),
    "HorizontalPodAutoscaler": (
        NAME,
        column("Reference", _reference),
        column("Targets", _metrics),
        column("MinPods", lambda o: str(objects.spec(o).get("minReplicas") or "<unset>")),
        column("MaxPods", at("spec", "maxReplicas", default=0)),
        column("Replicas", at("status", "currentReplicas", default=0)),
        AGE,
    ),
    "PodDisruptionBudget": (
        NAME,
        column("Min Available", lambda o: str(_or(objects.spec(o).get("minAvailable"), "N/A"))),
        column("Max Unavailable", lambda o: str(_or(objects.spec(o).get("maxUnavailable"), "N/A"))),
        column("Allowed Disruptions", at("status", "disruptionsAllowed", default=0)),
        AGE,
    ),
}


def _or(value: Any, default: str) -> Any:
    return default if value is None else value


def _owner(obj: Object) -> str:
    found = objects.controller(obj)
    group = text(found.get("apiVersion")).rpartition("/")[0]
    suffix = f".{group}" if group else ""
    return f"{text(found.get('kind')).lower()}{suffix}/{text(found.get('name'))}" if found else NONE


def _job_template(cron: Object) -> dict[str, Any]:
    return mapping(mapping(objects.spec(cron).get("jobTemplate")).get("spec"))
