"""Rules for HorizontalPodAutoscaler and PodDisruptionBudget.

In: an object with defaults.  Out: findings through the ``Report``.  Called by ``k8s.validation``.
Specification: pkg/apis/autoscaling/validation and pkg/apis/policy/validation of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, text, whole
from switchboard.k8s.validation import metadata
from switchboard.k8s.validation.report import Report
from switchboard.k8s.validation.workload import share

METRICS: Final = ("ContainerResource", "External", "Object", "Pods", "Resource")
EVICTION_POLICIES: Final = ("AlwaysAllow", "IfHealthyBudget")
LONGEST_WINDOW: Final = 3600  # seconds
LONGEST_PERIOD: Final = 1800  # seconds


def autoscaler(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one HorizontalPodAutoscaler."""
    spec = objects.spec(obj)
    low, high = spec.get("minReplicas"), whole(spec.get("maxReplicas"))
    types = {text(mapping(metric).get("type")) for metric in sequence(spec.get("metrics"))}
    if isinstance(low, int) and low < 1:
        report.invalid("spec.minReplicas", low, "1 or more")
        if not types & {"Object", "External"}:
            report.forbidden(
                "spec.metrics", "to resources alone when scaling to 0", "Add an Object or External metric."
            )
    if high < 1:
        report.required("spec.maxReplicas", "and must be 1 or more")
    if isinstance(low, int) and high < low:
        report.invalid("spec.maxReplicas", high, f"`minReplicas` ({low}) or more")
    target = mapping(spec.get("scaleTargetRef"))
    for part in ("kind", "name"):
        if not target.get(part):
            report.required(f"spec.scaleTargetRef.{part}")
    for index, metric in enumerate(sequence(spec.get("metrics"))):
        _metric(report, f"spec.metrics[{index}]", mapping(metric))
    for direction in ("scaleUp", "scaleDown"):
        rules = mapping(spec.get("behavior")).get(direction)
        if isinstance(rules, dict):
            _behaviour(report, f"spec.behavior.{direction}", rules)


def budget(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one PodDisruptionBudget."""
    spec = objects.spec(obj)
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        message = "`minAvailable` and `maxUnavailable` are both set."
        report.refused("spec", message, "Keep one; `maxUnavailable` also works while the number of pods changes.")
    for part in ("minAvailable", "maxUnavailable"):
        share(report, f"spec.{part}", spec.get(part), at_most_all=True)
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in EVICTION_POLICIES:
        report.not_supported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES)
    metadata.selector(report, "spec.selector", spec.get("selector"))


def _metric(report: Report, field: str, metric: dict[str, Any]) -> None:
    type_ = text(metric.get("type"))
    if not type_:
        report.required(f"{field}.type")
    if type_ not in METRICS:
        report.not_supported(f"{field}.type", type_, METRICS)
        return
    part = type_[0].lower() + type_[1:]
    source = metric.get(part)
    if not isinstance(source, dict):
        report.required(f"{field}.{part}", f"for the type {type_}")
        return
    target = mapping(source.get("target"))
    if target.get("averageUtilization") is not None and target.get("averageValue") is not None:
        report.forbidden(f"{field}.{part}.target.averageValue", "beside `averageUtilization`")


def _behaviour(report: Report, field: str, rules: dict[str, Any]) -> None:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None:
        report.between(f"{field}.stabilizationWindowSeconds", window, 0, LONGEST_WINDOW)
    for index, entry in enumerate(sequence(rules.get("policies"))):
        where, policy = f"{field}.policies[{index}]", mapping(entry)
        if policy.get("type") not in ("Pods", "Percent"):
            report.not_supported(f"{where}.type", policy.get("type"), ("Percent", "Pods"))
        value, period = policy.get("value"), policy.get("periodSeconds")
        if not isinstance(value, int) or value <= 0:
            report.invalid(f"{where}.value", value, "greater than 0")
        report.between(f"{where}.periodSeconds", period, 1, LONGEST_PERIOD)
