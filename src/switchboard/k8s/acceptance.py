"""What an API server would say to manifests, each finding with file, line, column and field.

In: loaded manifests.  Out: findings of structure (``schemas``), then of rules (``validation``) after ``defaults``.
Called by ``cli`` and ``run`` before anything starts, and by the checks.
Specification: the order of kube-apiserver: decode, default, validate; nothing allocated, nothing stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from switchboard.base.findings import Finding, Place, Severity
from switchboard.k8s import kinds, names, objects, schemas, validation
from switchboard.k8s.defaults import default
from switchboard.k8s.manifests import Manifest

# After these nothing sensible can be said about the rest of the object.
_UNREADABLE: Final = frozenset(("wrong-type", "unknown-kind"))
# Kubernetes' own paths that differ from what people write.
_WRITTEN: Final = (
    ("spec.LoadBalancerSourceRanges", "spec.loadBalancerSourceRanges"),
    ("annotations.", "metadata.annotations."),
    ("allocateLoadBalancerNodePorts", "spec.allocateLoadBalancerNodePorts"),
)


def review(manifests: Iterable[Manifest]) -> list[Finding]:
    """Everything that is wrong with manifests, in their order."""
    findings: list[Finding] = []
    first: dict[tuple[str, ...], Place] = {}
    for manifest in manifests:
        found = _one(manifest)
        findings += found
        again = _repeated(manifest, first)
        if again is not None:
            findings.append(again)
    return findings


def _one(manifest: Manifest) -> list[Finding]:
    structure = schemas.validate(manifest)
    if any(finding.reference in _UNREADABLE for finding in structure):
        return structure
    told = {finding.field for finding in structure if finding.severity is Severity.ERROR}
    seen: set[tuple[str, str, str]] = set()
    rules: list[Finding] = []
    for finding in validation.validate(default(manifest.object)):
        key = (finding.field, finding.reference, finding.message)
        if finding.field in told or key in seen:
            continue
        seen.add(key)
        rules.append(msgspec.structs.replace(finding, place=_place(manifest, finding.field)))
    return structure + rules


def _place(manifest: Manifest, field: str) -> Place:
    for kubernetes, written in _WRITTEN:
        if field.startswith(kubernetes):
            return manifest.place(written + field.removeprefix(kubernetes))
    spec = objects.spec(manifest.object)
    if field.startswith("spec.clusterIPs") and "clusterIPs" not in spec and "clusterIP" in spec:
        return manifest.place("spec.clusterIP")
    return manifest.place(field)


def _repeated(manifest: Manifest, first: dict[tuple[str, ...], Place]) -> Finding | None:
    """The same object in two places: the later one would silently replace the earlier."""
    obj = manifest.object
    kind = kinds.kind_of(objects.api_version(obj), objects.kind(obj))
    group = objects.api_version(obj).rpartition("/")[0]
    space = objects.namespace(obj)
    if not objects.name(obj):
        return None
    if kind is not None and kind.namespaced:
        space = space or names.DEFAULT_NAMESPACE
    key = (group, objects.kind(obj), space, objects.name(obj))
    if key not in first:
        first[key] = manifest.place()
        return None
    return Finding(
        reference="duplicate-object",
        severity=Severity.WARNING,
        object=objects.reference(obj),
        message=f"{objects.reference(obj)} is also at {first[key]}; the later one replaces the earlier.",
        hint="Remove one of the two, or give it another name.",
        place=manifest.place("metadata.name"),
    )
