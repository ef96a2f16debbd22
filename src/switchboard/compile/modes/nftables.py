"""Proxy mode nftables: the desired tables ``ip kube-proxy`` and ``ip6 kube-proxy`` of one node.

In go the view, a node's name and settings; out come a ``Ruleset`` and findings.
Called by ``run`` and ``cli``; ``rules.nft_difference`` tells the kernel.
Specification: K1 to K149 of the behaviour list (kube-proxy 1.36), in another layout: the number that chooses an
endpoint is part of the key of one named map, so there is a chain per count of endpoints and an element per endpoint.
"""

from __future__ import annotations

import ipaddress

import msgspec

from switchboard.base.findings import Finding
from switchboard.compile.modes import _nft_affinity as affinity
from switchboard.compile.modes import _nft_names as names
from switchboard.compile.modes._mode import Mode, ProxyOptions
from switchboard.compile.modes._nft_comments import render
from switchboard.compile.modes._nft_frame import (
    DROP,
    REJECT_CHAIN,
    Frame,
    any_of,
    balance_chain,
    base_chains,
    chain,
    collapsed,
    empty_sets,
    endpoint_map,
    external_chain,
    fixed_chains,
    frame,
    goto,
    node_port_ips,
    rule,
)
from switchboard.compile.modes._owners import key_of, node_key_of, owners_of
from switchboard.rules.nft import Chain, Ruleset, Set, Table
from switchboard.view.choice import Choice, addresses_of, choose, externally_accessible
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

TABLE = "kube-proxy"
FAMILIES = (4, 6)
_REJECT = goto(REJECT_CHAIN).render()
_DROP = DROP.render()


def compile_node(view: View, node_name: str, options: ProxyOptions) -> tuple[Ruleset, tuple[Finding, ...]]:
    """The two tables of one node; one that the view lacks gets rules without NodePorts and local endpoints."""
    findings: list[Finding] = []
    node = next((n for n in view.nodes if n.name == node_name), None)
    if node is None:
        findings.append(
            Finding(reference="unknown-node", message=f"There is no Node {node_name}.", object=f"Node {node_name}")
        )
    tables = []
    for family in FAMILIES:
        table, found = _table(family, view, node or Node(name=node_name), options)
        tables.append(table)
        findings += found
    return Ruleset(tuple(tables)), tuple(dict.fromkeys(findings))


def _table(family: int, view: View, node: Node, options: ProxyOptions) -> tuple[Table, tuple[Finding, ...]]:
    shared = frame(family, view, node, options)
    accepting, findings = node_port_ips(family, node, options)
    draft = _Draft(shared)
    if accepting is not None:
        draft.elements["nodeport-ips"] = dict.fromkeys(sorted(accepting), "")
    ports = sorted((p for p in view.services if p.proxied), key=lambda p: p.key)
    owners, conflicts = owners_of(family, ports)
    for port in ports:
        draft.add(port, owners)
    sets = empty_sets(family) | draft.sets
    if accepting is not None:
        sets["nodeport-ips"] = Set(key=sets["cluster-ips"].key)
    sets |= {n: msgspec.structs.replace(sets[n], elements=e) for n, e in draft.elements.items()}
    chains = base_chains() | fixed_chains(shared, view, options, listed=accepting is not None) | draft.chains
    table = Table(family=shared.words.table, name=TABLE, chains=chains, sets=sets)
    return table, (*findings, *conflicts)


class _Draft:
    """What the service ports add to one table: chains by name, sets by name, elements by set."""

    def __init__(self, shared: Frame) -> None:
        self.frame = shared
        self.words = shared.words
        self.chains: dict[str, Chain] = {}
        self.sets: dict[str, Set] = {}
        self.elements: dict[str, dict[str, str]] = {name: {} for name in empty_sets(shared.words.family)}

    def add(self, port: ServicePort, owners: dict[str, str]) -> None:
        """Everything for one service port; a family in which it has no cluster address gets nothing (K4)."""
        family = self.words.family
        cluster_ips = addresses_of(port.cluster_ips, family)
        if not cluster_ips:
            return
        choice = choose(port, self.frame.node, family)
        self._hairpin(port, choice)
        if port.affinity_seconds:
            chains, sets = affinity.objects(self.words, port, choice)
            self.chains |= chains
            self.sets |= sets
        self.elements["cluster-ips"][cluster_ips[0]] = ""
        if owners[key_of(cluster_ips[0], port)] == port.key:
            self._internal(cluster_ips[0], port, choice)
        self._firewall(port, owners)
        if not externally_accessible(port, family):
            return
        outside = addresses_of((*port.load_balancer_ips, *port.external_ips), family)
        for address in dict.fromkeys(outside):
            if owners[key_of(address, port)] == port.key:
                self._external(address, port, choice)
        if port.node_port and owners[node_key_of(port)] == port.key:
            self._external("", port, choice)

    def _hairpin(self, port: ServicePort, choice: Choice) -> None:
        """The endpoints of this node that may be reached by themselves (K43, K45)."""
        for e in choice.reachable:
            if e.node == self.frame.node.name:
                key = f"{e.address} . {e.address} . {port.protocol.lower()} . {e.port}"
                self.elements["hairpin-connections"][key] = ""

    def _internal(self, address: str, port: ServicePort, choice: Choice) -> None:
        """The cluster address under the internal policy (K38, K55 to K57)."""
        endpoints = choice.local if port.internal_local else choice.cluster
        key = key_of(address, port)
        if not endpoints:
            self.elements["no-endpoint-services"][key] = _DROP if choice.any_endpoints else _REJECT
            return
        kind = "local" if port.internal_local else "service"
        target = self._balanced(address, port, endpoints, kind, "endpoints")
        self.elements["service-ips"][key] = goto(target).render()

    def _external(self, address: str, port: ServicePort, choice: Choice) -> None:
        """One external destination under the external policy (K60 to K71); an empty address means the NodePort."""
        key, prefix = (key_of(address, port), "") if address else (node_key_of(port), "nodeport-")
        none = "no-endpoint-services" if address else "no-endpoint-nodeports"
        if not choice.any_endpoints:
            self.elements[none][key] = _REJECT
            return
        cluster = self._balanced(address, port, choice.cluster, "service", f"{prefix}endpoints")
        local = ""
        name = f"{port.protocol.lower()}-{prefix}external-{len(choice.cluster)}"
        if port.external_local:
            name += f"-local-{len(choice.local)}"
            if choice.local:
                local = self._balanced(address, port, choice.local, "local", f"{prefix}local-endpoints")
            else:
                self.elements[none][key] = _DROP
        if port.affinity_seconds:
            name = names.of_port("external", port)
        if name not in self.chains:
            self.chains[name] = external_chain(self.frame, cluster, short_circuit=port.external_local, local=local)
        self.elements["service-ips" if address else "service-nodeports"][key] = goto(name).render()

    def _balanced(
        self, address: str, port: ServicePort, endpoints: tuple[Endpoint, ...], kind: str, suffix: str
    ) -> str:
        """The chain that spreads over the endpoints: one of its own with affinity, else one per protocol and count.

        ``suffix`` tells the maps apart: two lists of one destination cannot share keys.
        """
        if port.affinity_seconds:
            return names.of_port(kind, port)
        protocol, count, node_port = port.protocol.lower(), len(endpoints), not address
        name = f"{protocol}-{suffix}"
        if name not in self.sets:
            self.sets[name] = endpoint_map(self.words, protocol, node_port=node_port)
            self.elements[name] = {}
        elements = self.elements[name]
        key = str(port.node_port) if node_port else f"{address} . {port.port}"
        for index, endpoint in enumerate(endpoints):
            elements[f"{key} . {index}"] = f"{endpoint.address} . {endpoint.port}"
        balance = f"{name.removesuffix('endpoints')}balance-{count}"
        if balance not in self.chains:
            self.chains[balance] = balance_chain(self.words, protocol, count, node_port=node_port, name=name)
        return balance

    def _firewall(self, port: ServicePort, owners: dict[str, str]) -> None:
        """Sources outside of the ranges are dropped before translation, endpoints or none (K83 to K88)."""
        family = self.words.family
        addresses = addresses_of(port.load_balancer_ips, family)
        ranges = addresses_of(port.source_ranges, family)
        if not addresses or not ranges:
            return
        primary = addresses_of(self.frame.node.addresses, family)[:1]
        inside = any(ipaddress.ip_address(a) in ipaddress.ip_network(r) for a in primary for r in ranges)
        # A node that has the address itself uses it as its source (K85).
        allowed = collapsed(family, (*ranges, *(addresses if inside else ())))
        name = names.of_content("firewall", " ".join(allowed))
        self.chains[name] = chain(rule(any_of(self.words.saddr, allowed, negate=True), DROP))
        for key in (key_of(a, port) for a in addresses):
            if owners[key] == port.key:
                self.elements["firewall-ips"][key] = goto(name).render()


MODE = Mode(
    name="nftables",
    compile=compile_node,
    render=render,
    features=frozenset(
        {
            *("cluster-ip", "node-port", "load-balancer-vip", "external-ip", "internal-local", "external-local"),
            *("hairpin", "source-ranges", "client-ip-affinity", "reject-unused-port", "drop-unused-address"),
            *("topology", "dual-stack", "udp", "sctp", "node-port-primary-address"),
        }
    ),
)
