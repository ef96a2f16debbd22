"""The linked fields clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy of a Service.

In: a Service's spec (and the stored one's on updates).  Out: findings through the ``Report``, and the spec with its
linked fields in step.  Called by ``k8s.validation.service`` and the API server (``linked``).
Specification: behaviours of the Service API, S13 to S27 and V23 to V46.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s.objects import mapping, sequence, text
from switchboard.k8s.validation import formats
from switchboard.k8s.validation.report import Report

NONE: Final = "None"
FAMILIES: Final = ("IPv4", "IPv6")
_ADDRESSED: Final = ("ClusterIP", "LoadBalancer", "NodePort", None)
FAMILY_POLICIES: Final = ("PreferDualStack", "RequireDualStack", "SingleStack")


def headless(spec: dict[str, Any]) -> bool:
    """Whether the Service has no address of its own (``clusterIP: None``)."""
    return spec.get("clusterIP") == NONE or sequence(spec.get("clusterIPs"))[:1] == [NONE]


def linked(spec: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The spec with clusterIPs following clusterIP, for clients that know only the latter (S13 to S17)."""
    address, addresses = text(spec.get("clusterIP")), sequence(spec.get("clusterIPs"))
    stored, stored_list = text(before.get("clusterIP")), sequence(before.get("clusterIPs"))
    if not before:
        return {**spec, "clusterIPs": [address]} if address and not addresses else spec
    if spec.get("type") == "ExternalName" or before.get("type") == "ExternalName":
        if address != stored and addresses == stored_list:
            return {**spec, "clusterIPs": [address] if address else []}
        return {**spec, "clusterIPs": [address]} if address and not addresses else spec
    if not address and not addresses:
        return {**spec, "clusterIP": stored, "clusterIPs": stored_list}
    if address == stored and not addresses:
        return {**spec, "clusterIPs": stored_list}
    if address != stored and addresses in ([], stored_list):
        return {**spec, "clusterIPs": [address] if address else []}
    return spec


def validate(report: Report, spec: dict[str, Any], before: dict[str, Any]) -> None:
    """V23, V24, V30 to V40, V42 to V46, and S22."""
    spec = linked(spec, before)
    addresses = sequence(spec.get("clusterIPs"))
    if spec.get("type") in ("LoadBalancer", "NodePort") and addresses[:1] == [NONE]:
        rule = f"an address for type {spec['type']}"
        report.invalid("spec.clusterIPs[0]", NONE, rule, "Remove `clusterIP: None`, or use type ClusterIP.")
    if spec.get("type") != "ExternalName":
        _families(report, spec)
        agree = _agree(report, text(spec.get("clusterIP")), addresses)
        if agree:
            _addresses(report, addresses, sequence(spec.get("ipFamilies")), sequence(before.get("clusterIPs")))
        if before and before.get("type") != "ExternalName" and spec.get("type") in _ADDRESSED:
            _update(report, spec, before, addresses=agree)


def _agree(report: Report, address: str, addresses: list[Any]) -> bool:
    """V30 to V33: both fields say the same; otherwise looking at the entries is of no use."""
    field = "spec.clusterIPs"
    if not address and addresses:
        report.invalid(field, addresses, "empty when `clusterIP` is", f"Add `clusterIP: {addresses[0]}`.")
    elif address and not addresses:
        report.required(field, "when `clusterIP` is set")
    elif address and addresses[0] != address:
        report.invalid(field, addresses, "a list that begins with `clusterIP`", "Make the first entry equal to it.")
    elif address == NONE and len(addresses) > 1:
        report.invalid(field, addresses, "None alone")
    else:
        return True
    return False


def _addresses(report: Report, addresses: list[Any], families: list[Any], stored: list[Any]) -> None:
    """V34 to V37."""
    if addresses == [NONE] or not addresses:
        return
    if len(addresses) > len(FAMILIES):
        report.invalid("spec.clusterIPs", addresses, "at most two addresses")
        return
    found: list[str] = []
    for index, value in enumerate(addresses):
        field = f"spec.clusterIPs[{index}]"
        parsed, problems = formats.address(text(value))
        if parsed is None or value not in stored:
            report.problems(field, value, problems)
        if parsed is None:
            return
        found.append(formats.family(parsed))
        if index < len(families) and families[index] in FAMILIES and families[index] != found[-1]:
            report.invalid(field, value, f"an {families[index]} address, as `ipFamilies[{index}]` says")
    if len(set(found)) < len(found):
        report.invalid("spec.clusterIPs", addresses, "one address of each family")


def _families(report: Report, spec: dict[str, Any]) -> None:
    """V38 to V40, and S22: two of anything need a policy that allows two."""
    policy, families = spec.get("ipFamilyPolicy"), sequence(spec.get("ipFamilies"))
    addresses = sequence(spec.get("clusterIPs"))
    known = True
    for index, family in enumerate(families):
        if family not in FAMILIES:
            report.not_supported(f"spec.ipFamilies[{index}]", family, FAMILIES)
            known = False
        elif family in families[:index]:
            report.duplicate(f"spec.ipFamilies[{index}]", family)
            known = False
    if policy is not None and policy not in FAMILY_POLICIES:
        report.not_supported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES)
    two = known and (len(families) == len(FAMILIES) or _dual(addresses))
    free = headless(spec) and not mapping(spec.get("selector"))
    if two and (policy == "SingleStack" or (policy is None and not free)):
        rule = "PreferDualStack or RequireDualStack with two families"
        report.invalid("spec.ipFamilyPolicy", policy or "SingleStack", rule)


def _dual(addresses: list[Any]) -> bool:
    parsed = [formats.address(text(value))[0] for value in addresses]
    return len(parsed) == len(FAMILIES) and {p.version for p in parsed if p is not None} == {4, 6}


def _update(report: Report, spec: dict[str, Any], before: dict[str, Any], *, addresses: bool) -> None:
    """V42 to V46: the primary stays; the second may come, and go with SingleStack."""
    single = spec.get("ipFamilyPolicy") == "SingleStack"
    old, new = (sequence(s.get("clusterIPs")) if addresses else [] for s in (before, spec))
    if old and not new:
        report.invalid("spec.clusterIPs[0]", new, f"{old[0]}, as it is stored", "Keep the address.")
    for index in range(min(len(old), len(new))):
        if old[index] != new[index]:
            report.immutable(f"spec.clusterIPs[{index}]", new)
    if len(old) > len(new) >= 1 and not single:
        report.invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), "SingleStack to give an address back")
    old, new = sequence(before.get("ipFamilies")), sequence(spec.get("ipFamilies"))
    if headless(spec) and not mapping(spec.get("selector")):
        return
    if old and old[:1] != new[:1]:
        report.immutable("spec.ipFamilies[0]", new)
    elif len(old) > len(new) and not single:
        report.invalid("spec.ipFamilyPolicy", spec.get("ipFamilyPolicy"), "SingleStack to give a family back")
