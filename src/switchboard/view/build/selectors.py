"""Label selectors and CIDRs of policies become neutral facts; what the API server would refuse becomes None.

In go values as decoded and a ``Faults`` that collects what is wrong with one object; out come facts of ``view.policy``.
Called by ``view.build.policies`` and ``view.build.cluster_policies``.
Specification: meta/v1 LabelSelector; a selector with a fault selects nothing, because guessing could open a door.
"""

from __future__ import annotations

import ipaddress
from typing import Any, TypeGuard

from switchboard.base.findings import Finding
from switchboard.k8s.objects import Object, mapping, reference, sequence, text
from switchboard.view.build.addresses import canonical_range
from switchboard.view.policy import HIGHEST_PORT, AddressPeer, Operator, Requirement, Selector

_WITH_VALUES = (Operator.IN, Operator.NOT_IN)


class Faults:
    """Collects the findings about one object."""

    def __init__(self, obj: Object, findings: list[Finding]) -> None:
        self._object = reference(obj)
        self._findings = findings

    def tell(self, field: str, message: str, hint: str = "") -> None:
        """One fault at one field."""
        found = Finding(reference="unusable-field", message=message, object=self._object, field=field, hint=hint)
        self._findings.append(found)


def selector(value: object, field: str, faults: Faults) -> Selector | None:
    """The requirements of a ``LabelSelector``, everything for a missing one; None when it cannot be honoured."""
    if value is None:
        return ()
    parts = [value.get(part) for part in ("matchLabels", "matchExpressions")] if isinstance(value, dict) else [0, 0]
    labels, expressions = ({} if parts[0] is None else parts[0]), ([] if parts[1] is None else parts[1])
    if not isinstance(labels, dict) or not isinstance(expressions, list):
        faults.tell(field, f"{value!r} is not a label selector, so it selects nothing.")
        return None
    found: set[Requirement] = set()
    for key, wanted in labels.items():
        if not isinstance(key, str) or not isinstance(wanted, str):
            faults.tell(f"{field}.matchLabels", f"{key!r}: {wanted!r} is not a label, so nothing is selected.")
            return None
        found.add(Requirement(key, Operator.IN, (wanted,)))
    for index, expression in enumerate(expressions):
        requirement = _requirement(mapping(expression))
        if requirement is None:
            where = f"{field}.matchExpressions[{index}]"
            faults.tell(where, f"{expression!r} is not a requirement, so nothing is selected.")
            return None
        found.add(requirement)
    return tuple(sorted(found))


def _requirement(expression: dict[str, Any]) -> Requirement | None:
    key, operator, values = expression.get("key"), expression.get("operator"), sequence(expression.get("values"))
    if not isinstance(key, str) or not key or not isinstance(operator, str) or operator not in set(Operator):
        return None
    wanted = Operator(operator)
    if bool(values) != (wanted in _WITH_VALUES) or not all(isinstance(v, str) for v in values):
        return None
    return Requirement(key, wanted, tuple(sorted(set(values))))


def address_peer(value: object, field: str, faults: Faults) -> AddressPeer | None:
    """The addresses of an ``ipBlock``; None when a part of it is no CIDR or the exceptions are not inside."""
    block = mapping(value)
    whole = canonical_range(text(block.get("cidr")))
    if whole is None:
        faults.tell(f"{field}.cidr", f"{block.get('cidr')!r} is not a CIDR, so the peer matches nothing.")
        return None
    excluded: set[str] = set()
    for index, each in enumerate(sequence(block.get("except"))):
        part = canonical_range(text(each))
        if part is None or not _inside(part, whole):
            message = f"{each!r} is not a smaller range inside {whole}, so the peer matches nothing."
            faults.tell(f"{field}.except[{index}]", message)
            return None
        excluded.add(part)
    return AddressPeer(whole, tuple(sorted(excluded)))


def _inside(part: str, whole: str) -> bool:
    small, large = ipaddress.ip_network(part), ipaddress.ip_network(whole)
    return small.version == large.version and small.prefixlen > large.prefixlen and small.network_address in large


def is_port(value: object) -> TypeGuard[int]:
    """Whether the value is a port number."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= HIGHEST_PORT
