"""Rules for NetworkPolicy.

In: an object with defaults.  Out: findings through the ``Report``.  Called by ``k8s.validation``.
Specification: pkg/apis/networking/validation of Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any, Final

from switchboard.k8s import objects
from switchboard.k8s.objects import Object, mapping, sequence, text, whole
from switchboard.k8s.validation import formats, metadata
from switchboard.k8s.validation.report import Report
from switchboard.k8s.validation.service import LARGEST_PORT, PROTOCOLS

POLICY_TYPES: Final = ("Ingress", "Egress")


def validate(report: Report, obj: Object, old: Object | None) -> None:
    """All rules for one NetworkPolicy."""
    spec, before = objects.spec(obj), objects.spec(old or {})
    stored = frozenset(_ranges(before))
    metadata.selector(report, "spec.podSelector", spec.get("podSelector"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(sequence(spec.get(direction))):
            field = f"spec.{direction}[{index}]"
            for number, port in enumerate(sequence(mapping(rule).get("ports"))):
                _port(report, f"{field}.ports[{number}]", mapping(port))
            for number, peer in enumerate(sequence(mapping(rule).get(peers))):
                _peer(report, f"{field}.{peers}[{number}]", mapping(peer), stored)
    types = sequence(spec.get("policyTypes"))
    if len(types) > len(POLICY_TYPES):
        report.invalid("spec.policyTypes", types, "at most Ingress and Egress")
        return
    for index, type_ in enumerate(types):
        if type_ not in POLICY_TYPES:
            report.not_supported(f"spec.policyTypes[{index}]", type_, POLICY_TYPES)


def _ranges(spec: dict[str, Any]) -> list[str]:
    """All address ranges that a stored policy names: they stay accepted however they are written."""
    found: list[str] = []
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for rule in sequence(spec.get(direction)):
            for peer in sequence(mapping(rule).get(peers)):
                block = mapping(mapping(peer).get("ipBlock"))
                found += [v for v in [block.get("cidr"), *sequence(block.get("except"))] if isinstance(v, str)]
    return found


def _port(report: Report, field: str, port: dict[str, Any]) -> None:
    protocol, number, end = port.get("protocol"), port.get("port"), port.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        report.not_supported(f"{field}.protocol", protocol, PROTOCOLS)
    if isinstance(number, str):
        report.problems(f"{field}.port", number, formats.port_name(number))
    elif number is not None:
        report.between(f"{field}.port", number, 1, LARGEST_PORT)
    if end is None:
        return
    if number is None:
        report.invalid(f"{field}.endPort", end, "left out without `port`", "Add `port`, the first of the range.")
    elif isinstance(number, str):
        report.invalid(f"{field}.endPort", end, "left out when `port` is a name", "Write `port` as a number.")
    elif isinstance(end, int) and end < whole(number):
        report.invalid(f"{field}.endPort", end, f"`port` ({number}) or greater")
    else:
        report.between(f"{field}.endPort", end, 1, LARGEST_PORT)


def _peer(report: Report, field: str, peer: dict[str, Any], stored: frozenset[str]) -> None:
    selectors = [part for part in ("podSelector", "namespaceSelector") if peer.get(part) is not None]
    block = peer.get("ipBlock")
    for part in selectors:
        metadata.selector(report, f"{field}.{part}", peer[part])
    if isinstance(block, dict):
        _block(report, f"{field}.ipBlock", block, stored)
    if block is None and not selectors:
        hint = "Add `podSelector`, `namespaceSelector` or `ipBlock`; `podSelector: {}` means every pod here."
        report.required(field, "to name a peer", hint)
    elif block is not None and selectors:
        report.forbidden(field, "to hold `ipBlock` and selectors at once", "Make two entries of it.")


def _block(report: Report, field: str, block: dict[str, Any], stored: frozenset[str]) -> None:
    written = text(block.get("cidr"))
    if not written:
        report.required(f"{field}.cidr")
        return
    whole, problems = formats.cidr(written)
    if whole is None or written not in stored:
        report.problems(f"{field}.cidr", written, problems)
    for index, value in enumerate(sequence(block.get("except"))):
        part, problems = formats.cidr(text(value))
        if part is None or text(value) not in stored:
            report.problems(f"{field}.except[{index}]", value, problems)
        if part is None or whole is None:
            continue
        inside = part.version == whole.version and part.prefixlen > whole.prefixlen and part.network_address in whole
        if not inside:
            report.invalid(f"{field}.except[{index}]", value, f"a smaller range inside {whole}")
