"""Rules for pods and pod templates: volumes, scheduling, names; containers are in ``container``.

In: a pod spec with defaults and its field path.  Out: findings through the ``Report``.
Called by ``k8s.validation.workload``.
Specification: pkg/apis/core/validation of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, text
from switchboard.k8s.validation import container, formats, metadata
from switchboard.k8s.validation.report import Report

RESTART_POLICIES: Final = ("Always", "OnFailure", "Never")
DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
SPREAD_REACTIONS: Final = ("DoNotSchedule", "ScheduleAnyway")
TAINT_EFFECTS: Final = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_SCHEDULING: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_CHANGEABLE: Final = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates")


def validate(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one pod."""
    spec_rules(report, "spec", objects.spec(obj))
    if "." in objects.name(obj):
        message = "The pod's name has dots, so it cannot be its hostname as it is."
        report.warn("pod-name-with-dots", "metadata.name", message, "Use dashes.")
    if old is not None:
        _update(report, objects.spec(obj), objects.spec(old))


def template(report: Report, field: str, value: Any) -> None:
    """A template: its labels, annotations and spec."""
    inner = mapping(mapping(value).get("metadata"))
    metadata.labels(report, f"{field}.metadata.labels", inner.get("labels"))
    metadata.annotations(report, f"{field}.metadata.annotations", inner.get("annotations"))
    spec_rules(report, f"{field}.spec", mapping(mapping(value).get("spec")))


def spec_rules(report: Report, field: str, spec: dict[str, Any]) -> None:
    """A pod spec, wherever it stands."""
    volumes = _volumes(report, field, spec)
    container.all_of(report, field, spec, volumes)
    if spec.get("restartPolicy") not in RESTART_POLICIES:
        report.not_supported(f"{field}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    if spec.get("dnsPolicy") not in DNS_POLICIES:
        report.not_supported(f"{field}.dnsPolicy", spec.get("dnsPolicy"), DNS_POLICIES)
    elif spec.get("dnsPolicy") == "None" and not sequence(mapping(spec.get("dnsConfig")).get("nameservers")):
        missing = "dnsConfig" if spec.get("dnsConfig") is None else "dnsConfig.nameservers"
        report.required(f"{field}.{missing}", "when `dnsPolicy` is None")
    for part, check in (
        ("hostname", formats.dns_label),
        ("subdomain", formats.dns_label),
        ("nodeName", formats.dns_subdomain),
        ("serviceAccountName", formats.dns_subdomain),
    ):
        if text(spec.get(part)):
            report.problems(f"{field}.{part}", spec[part], check(spec[part]))
    metadata.labels(report, f"{field}.nodeSelector", spec.get("nodeSelector"))
    node_affinity = mapping(mapping(spec.get("affinity")).get("nodeAffinity"))
    if isinstance(node_affinity.get(_SCHEDULING), dict) and not node_affinity[_SCHEDULING].get("nodeSelectorTerms"):
        report.required(f"{field}.affinity.nodeAffinity.{_SCHEDULING}.nodeSelectorTerms")
    for index, toleration in enumerate(sequence(spec.get("tolerations"))):
        _toleration(report, f"{field}.tolerations[{index}]", mapping(toleration))
    _spread(report, f"{field}.topologySpreadConstraints", sequence(spec.get("topologySpreadConstraints")))


def _volumes(report: Report, field: str, spec: dict[str, Any]) -> set[str]:
    names: set[str] = set()
    for index, volume in enumerate(sequence(spec.get("volumes"))):
        name = text(mapping(volume).get("name"))
        where = f"{field}.volumes[{index}].name"
        if not name:
            report.required(where)
            continue
        report.problems(where, name, formats.dns_label(name))
        if name in names:
            report.duplicate(where, name)
        names.add(name)
    return names


def _toleration(report: Report, field: str, toleration: dict[str, Any]) -> None:
    operator, effect = toleration.get("operator") or "Equal", toleration.get("effect")
    key = text(toleration.get("key"))
    if key:
        report.problems(f"{field}.key", key, formats.qualified_name(key))
    elif operator != "Exists":
        report.invalid(f"{field}.operator", operator, "Exists when `key` is empty")
    if operator == "Exists" and toleration.get("value"):
        hint = "Remove `value`, or use the operator Equal."
        report.invalid(f"{field}.operator", toleration["value"], "used without `value`", hint)
    elif operator not in ("Exists", "Equal", "Lt", "Gt"):
        report.not_supported(f"{field}.operator", operator, ("Equal", "Exists"))
    if effect and effect not in TAINT_EFFECTS:
        report.not_supported(f"{field}.effect", effect, TAINT_EFFECTS)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        report.invalid(f"{field}.effect", effect, "NoExecute when `tolerationSeconds` is set")


def _spread(report: Report, field: str, constraints: list[Any]) -> None:
    seen: set[tuple[str, str]] = set()
    for index, constraint in enumerate(constraints):
        where, value = f"{field}[{index}]", mapping(constraint)
        skew, key, reaction = value.get("maxSkew"), text(value.get("topologyKey")), text(value.get("whenUnsatisfiable"))
        if not isinstance(skew, int) or skew <= 0:
            report.invalid(f"{where}.maxSkew", skew, "greater than 0")
        if not key:
            report.required(f"{where}.topologyKey")
        if reaction not in SPREAD_REACTIONS:
            report.not_supported(f"{where}.whenUnsatisfiable", reaction, SPREAD_REACTIONS)
        if (key, reaction) in seen:
            report.duplicate(where, f"{key}, {reaction}", "Keep one constraint for each topology key and reaction.")
        seen.add((key, reaction))
        if value.get("labelSelector") is not None:
            metadata.selector(report, f"{where}.labelSelector", value["labelSelector"])


def _update(report: Report, spec: dict[str, Any], old: dict[str, Any]) -> None:
    """Of a running pod only images, deadlines and additional tolerations may change."""
    hint = "Delete the pod and create it again; a Deployment does that for you."
    for part in ("containers", "initContainers"):
        if len(sequence(spec.get(part))) != len(sequence(old.get(part))):
            report.forbidden(f"spec.{part}", "to another number of containers in an update", hint)
            return
    if _fixed(spec) != _fixed(old):
        report.forbidden("spec", "to something else than new images, deadlines or tolerations in an update", hint)


def _fixed(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in _CHANGEABLE}
    for part in ("containers", "initContainers"):
        if part in kept:
            kept[part] = [{k: v for k, v in mapping(c).items() if k != "image"} for c in sequence(kept[part])]
    return kept
