"""The view, indexed for questions: who has this address, this name, this host?

Comes in: a ``View``.  Goes out: tables, built once and never changed; each answer takes constant time.
Called by ``trace.path`` and its parts; keep one ``Lookup`` for many traces of one view.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from switchboard.compile.gateway.annotate import annotate
from switchboard.compile.gateway.entries import unusable
from switchboard.trace.request import canonical_address
from switchboard.trace.route import RouteTable
from switchboard.view.model import View
from switchboard.view.node import Node, Pod
from switchboard.view.policy_decision import PolicyIndex
from switchboard.view.route import Gateway
from switchboard.view.service import ServicePort


class Destination(StrEnum):
    """As what an address leads to a Service."""

    CLUSTER_IP = "ClusterIP"
    LOAD_BALANCER = "load balancer address"
    EXTERNAL_IP = "externalIP"
    NODE_PORT = "NodePort"


class Entry(msgspec.Struct, frozen=True):
    """A service port, and as what the address that was looked up leads to it."""

    kind: Destination
    port: ServicePort
    address: str


class Lookup:
    """Tables over one view."""

    def __init__(self, view: View) -> None:
        """Reads everything once; two Services that claim one address and port: the first in the view has it."""
        self.view = view
        self.nodes: dict[str, Node] = {n.name: n for n in view.nodes}
        self.pods: dict[str, Pod] = {p.key: p for p in view.pods}
        self.ports: dict[str, ServicePort] = {s.key: s for s in view.services}
        self.services: dict[str, list[ServicePort]] = {}
        self.node_addresses: dict[str, Node] = {a: n for n in view.nodes for a in n.addresses}
        self.pod_addresses: dict[str, Pod] = {a: p for p in view.pods if not p.host_network for a in p.addresses}
        self.policies = PolicyIndex(view)
        self.gateways: dict[str, Gateway] = {g.service: g for g in view.gateways if g.service}
        self.routes: dict[str, RouteTable] = {g.name: RouteTable(_served(g)) for g in view.gateways}
        self.balanced: dict[str, list[ServicePort]] = {}
        self._entries: dict[tuple[str, int, str], Entry] = {}
        self._node_ports: dict[tuple[int, str], ServicePort] = {}
        self._kinds: dict[str, Destination] = {}
        for port in view.services:
            self.services.setdefault(f"{port.namespace}/{port.name}", []).append(port)
            self._add(port)

    def _add(self, port: ServicePort) -> None:
        if port.headless:
            return
        for kind, addresses in (
            (Destination.CLUSTER_IP, port.cluster_ips),
            (Destination.LOAD_BALANCER, port.load_balancer_ips),
            (Destination.EXTERNAL_IP, port.external_ips),
        ):
            for written in addresses:
                address = canonical_address(written)
                self._kinds.setdefault(address, kind)
                self._entries.setdefault((address, port.port, port.protocol), Entry(kind, port, address))
        for written in port.load_balancer_ips:
            self.balanced.setdefault(canonical_address(written), []).append(port)
        if port.node_port:
            self._node_ports.setdefault((port.node_port, port.protocol), port)

    def entry(self, address: str, port: int, protocol: str) -> Entry | None:
        """The service port behind a canonical address and port, NodePorts of node addresses included."""
        found = self._entries.get((address, port, protocol))
        if found or address not in self.node_addresses:
            return found
        by_node_port = self._node_ports.get((port, protocol))
        return Entry(Destination.NODE_PORT, by_node_port, address) if by_node_port else None

    def kind(self, address: str) -> Destination | None:
        """As what some Service has this address, on whatever port; None when none has."""
        return self._kinds.get(address)

    def ports_of(self, address: str) -> tuple[int, ...]:
        """The ports that are published on an address, ascending."""
        return tuple(sorted({port for known, port, _ in self._entries if known == address}))

    def gateways_of(self, host: str) -> tuple[Gateway, ...]:
        """The gateways with a rule for this very host or a wildcard over it; rules for any host publish no name."""
        return tuple(g for g in self.view.gateways if self.routes[g.name].host_of(host))


def _served(gateway: Gateway) -> Gateway:
    """A gateway without the routes that its data plane cannot hold, which the compiler leaves out too."""
    routes = tuple(r for r in gateway.routes if not unusable(r) and (not r.options or annotate(r)[0] is not None))
    return msgspec.structs.replace(gateway, routes=routes)
