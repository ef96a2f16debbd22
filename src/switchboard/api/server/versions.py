"""One object at several versions: events of both groups, autoscalers of both versions.

In: a stored object and the kind that is asked for.  Out: the object at that kind's version.
Called wherever stored objects are answered.
Specification: the v1 types of core and events.k8s.io; autoscaling/v1 and v2.
Custom kinds differ by their apiVersion only (conversion strategy None).
"""

from __future__ import annotations

from typing import Any

from switchboard.api.crds.custom import CustomKind
from switchboard.k8s import names
from switchboard.k8s.kinds import Kind
from switchboard.k8s.objects import Object, api_version, mapping, sequence

# Fields of an event: at core, at events.k8s.io.
_EVENT_FIELDS = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
)


def as_version(obj: Object, kind: Kind) -> Object:
    """The object as its kind at the wanted version has it; itself when it is at that version."""
    if isinstance(kind, CustomKind):
        return kind.read(obj)
    have = api_version(obj)
    if have == kind.api_version:
        return obj
    if kind.kind == "Event" and kind.group in (names.CORE, names.EVENTS):
        obj = _renamed(obj, to_new=kind.group == names.EVENTS)
    elif kind.kind == "HorizontalPodAutoscaler" and kind.group == names.AUTOSCALING:
        obj = _autoscaler(obj, kind.version)
    return {**obj, "kind": kind.kind, "apiVersion": kind.api_version}


def _renamed(obj: Object, *, to_new: bool) -> Object:
    table = dict(_EVENT_FIELDS) if to_new else {new: old for old, new in _EVENT_FIELDS}
    found = {table.get(key, key): value for key, value in obj.items()}
    if to_new:
        # Of the new group's own fields, those that are empty are left out.
        for field in ("reportingController", "reportingInstance"):
            if field in found and not found[field]:
                del found[field]
    return found


def _autoscaler(obj: Object, version: str) -> Object:
    spec: dict[str, Any] = dict(mapping(obj.get("spec")))
    if version == "v2":
        target = spec.pop("targetCPUUtilizationPercentage", None)
        if target is not None:
            spec["metrics"] = [_cpu(target)]
        return {**obj, "spec": spec}
    metrics = sequence(spec.pop("metrics", None))
    spec.pop("behavior", None)
    for metric in metrics:
        resource = mapping(mapping(metric).get("resource"))
        target = mapping(resource.get("target")).get("averageUtilization")
        if resource.get("name") == "cpu" and target is not None:
            spec["targetCPUUtilizationPercentage"] = target
    status = dict(mapping(obj.get("status")))
    for field in ("currentMetrics", "conditions"):
        status.pop(field, None)
    return {**obj, "spec": spec, "status": status}


def _cpu(target: Any) -> Object:
    utilization = {"type": "Utilization", "averageUtilization": target}
    return {"type": "Resource", "resource": {"name": "cpu", "target": utilization}}
