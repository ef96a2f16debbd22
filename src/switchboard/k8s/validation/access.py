"""Rules for roles and bindings.

In: an object with defaults (and the stored one on updates).  Out: findings through the ``Report``.
Called by ``k8s.validation``.
Specification: pkg/apis/rbac/validation of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import names, objects
from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.k8s.validation import formats
from switchboard.k8s.validation.report import Report

_SUBJECTS: Final = ("ServiceAccount", "User", "Group")


def role(report: Report, obj: Object, old: Object | None) -> None:
    """Rules of a namespace: resources only."""
    del old
    for i, rule in enumerate(mapping(r) for r in sequence(obj.get("rules"))):
        _rule(report, f"rules[{i}]", rule, namespaced=True)


def cluster_role(report: Report, obj: Object, old: Object | None) -> None:
    """Rules of the cluster: resources or paths; the selectors of an aggregation."""
    del old
    for i, rule in enumerate(mapping(r) for r in sequence(obj.get("rules"))):
        _rule(report, f"rules[{i}]", rule, namespaced=False)
    aggregation = obj.get("aggregationRule")
    if isinstance(aggregation, dict) and not sequence(aggregation.get("clusterRoleSelectors")):
        report.required("aggregationRule.clusterRoleSelectors", "with at least one selector")


def _rule(report: Report, field: str, rule: dict[str, Any], *, namespaced: bool) -> None:
    if not sequence(rule.get("verbs")):
        report.required(f"{field}.verbs", "with at least one verb")
    urls = sequence(rule.get("nonResourceURLs"))
    if urls:
        if namespaced:
            report.invalid(f"{field}.nonResourceURLs", urls, "in a ClusterRole: a Role cannot allow paths")
        elif any(rule.get(part) for part in ("apiGroups", "resources", "resourceNames")):
            report.invalid(f"{field}.nonResourceURLs", urls, "in a rule without resources")
        return
    if not sequence(rule.get("apiGroups")):
        report.required(f"{field}.apiGroups", "with at least one group")
    if not sequence(rule.get("resources")):
        report.required(f"{field}.resources", "with at least one resource")


def binding(report: Report, obj: Object, old: Object | None) -> None:
    """A role that does not change, and subjects."""
    reference = mapping(obj.get("roleRef"))
    roles = ("Role", "ClusterRole") if objects.kind(obj) == "RoleBinding" else ("ClusterRole",)
    if old is not None and mapping(old.get("roleRef")) != reference:
        report.invalid("roleRef", reference, "what it was: delete the binding and create another")
    if reference.get("apiGroup") != names.RBAC:
        report.not_supported("roleRef.apiGroup", reference.get("apiGroup"), [names.RBAC])
    if reference.get("kind") not in roles:
        report.not_supported("roleRef.kind", reference.get("kind"), roles)
    if not reference.get("name"):
        report.required("roleRef.name")
    else:
        report.problems("roleRef.name", reference["name"], formats.path_segment(text(reference["name"])))
    for i, subject in enumerate(mapping(s) for s in sequence(obj.get("subjects"))):
        _subject(report, f"subjects[{i}]", subject)


def _subject(report: Report, field: str, subject: dict[str, Any]) -> None:
    kind, name = subject.get("kind"), text(subject.get("name"))
    if not name:
        report.required(f"{field}.name")
    if kind not in _SUBJECTS:
        report.not_supported(f"{field}.kind", kind, _SUBJECTS)
        return
    if kind == "ServiceAccount":
        if name:
            report.problems(f"{field}.name", name, formats.dns_subdomain(name))
        if not subject.get("namespace"):
            report.required(f"{field}.namespace")
        if subject.get("apiGroup"):
            report.not_supported(f"{field}.apiGroup", subject["apiGroup"], [""])
    elif subject.get("apiGroup") != names.RBAC:
        report.not_supported(f"{field}.apiGroup", subject.get("apiGroup"), [names.RBAC])
