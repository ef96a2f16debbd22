"""Nodes and the address ranges of the cluster become neutral facts.

In go objects by kind; out come ``Node`` facts sorted by name, the ``ClusterNetwork`` and findings.
Called by ``view.build``.
Specification: Node v1, ServiceCIDR networking.k8s.io/v1; K30, K49, K73 of the behaviour list.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from switchboard.base.findings import Finding
from switchboard.k8s import names
from switchboard.k8s.objects import Object, condition, key, labels, mapping, name, sequence, spec, status, text
from switchboard.view.build.addresses import canonical_address, canonical_range
from switchboard.view.choice import addresses_of
from switchboard.view.model import ClusterNetwork
from switchboard.view.node import Node

_ADDRESS_TYPES = ("InternalIP", "ExternalIP")


def build(objects: Mapping[str, Sequence[Object]]) -> tuple[ClusterNetwork, tuple[Node, ...], tuple[Finding, ...]]:
    """The network and the nodes; reads kinds ``Node`` and ``ServiceCIDR``.

    The pod ranges are those of all nodes, joined where they touch.
    """
    findings: list[Finding] = []
    nodes: dict[str, Node] = {}
    for node in sorted((o for o in objects.get("Node", ()) if isinstance(o, dict)), key=key):
        if name(node):
            nodes.setdefault(name(node), _node(node, findings))
        else:
            findings.append(_finding("Node", "metadata.name", "A Node without a name is left out."))
    service_ranges: list[str] = []
    for found in sorted((o for o in objects.get("ServiceCIDR", ()) if isinstance(o, dict)), key=key):
        values = sequence(spec(found).get("cidrs"))
        service_ranges += _ranges(f"ServiceCIDR {name(found)}", "spec.cidrs", values, findings)
    network = ClusterNetwork(
        service_cidrs=_joined(service_ranges), pod_cidrs=_joined(c for n in nodes.values() for c in n.pod_cidrs)
    )
    return network, tuple(nodes.values()), tuple(findings)


def _finding(obj: str, field: str, message: str) -> Finding:
    return Finding(reference="unusable-field", message=message, object=obj.strip(), field=field)


def _node(node: Object, findings: list[Finding]) -> Node:
    """One node; the internal addresses come before the external ones, as in kube-proxy's choice of the primary."""
    where = f"Node {name(node)}"
    given = [mapping(a) for a in sequence(status(node).get("addresses"))]
    addresses: dict[str, None] = {}
    for kind in _ADDRESS_TYPES:
        for entry in (a for a in given if a.get("type") == kind):
            value = entry.get("address")
            address = canonical_address(value) if isinstance(value, str) else None
            if address:
                addresses[address] = None
            else:
                findings.append(_finding(where, "status.addresses", f"{value!r} is not an IP address."))
    ranges = sequence(spec(node).get("podCIDRs")) or [r for r in (spec(node).get("podCIDR"),) if r]
    taints = {text(mapping(t).get("key")) for t in sequence(spec(node).get("taints"))}
    marked = {k: v for k, v in labels(node).items() if isinstance(k, str) and isinstance(v, str)}
    return Node(
        name=name(node),
        addresses=tuple(addresses),
        zone=text(marked.get(names.ZONE_LABEL)),
        pod_cidrs=_ranges(where, "spec.podCIDRs", ranges, findings),
        ready=condition(node, "Ready") in ("True", ""),
        load_balanced=names.EXCLUDE_BALANCER_LABEL not in marked and names.AUTOSCALER_DELETE_TAINT not in taints,
        labels=marked,
    )


def _ranges(where: str, field: str, values: Iterable[object], findings: list[Finding]) -> tuple[str, ...]:
    ranges = []
    for value in values:
        found = canonical_range(value) if isinstance(value, str) else None
        if found:
            ranges.append(found)
        else:
            findings.append(_finding(where, field, f"{value!r} is not a CIDR."))
    return tuple(ranges)


def _joined(ranges: Iterable[str]) -> tuple[str, ...]:
    """The smallest list of ranges that covers the same addresses, IPv4 first."""
    found = tuple(ranges)
    four = ipaddress.collapse_addresses(ipaddress.IPv4Network(r) for r in addresses_of(found, 4))
    six = ipaddress.collapse_addresses(ipaddress.IPv6Network(r) for r in addresses_of(found, 6))
    return (*map(str, four), *map(str, six))
