"""The embedded cluster's network: outside clients, internet, cloud, nodes, pods.

In go nodes (view) and address ranges, out goes a ``rules.lab.Lab``; ``run`` hands it to ``apply.fabric``.

    client-1 … ── bridge clients ─ [internet] ── [cloud] ─ bridge nodes ── node-1 … node-N ── pods

The cloud holds the load balancer: one multipath route for each of its addresses, towards the nodes.  Outside and
load balancer addresses are the documentation ranges of RFC 5737, which no real network uses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network

import msgspec

from switchboard.rules.lab import Address, Bridge, Lab, Link, Route, Setting
from switchboard.rules.nft import Chain, Hook, Rule, Table
from switchboard.rules.nft_statement import Masquerade, Match
from switchboard.view.model import View
from switchboard.view.node import Node

INTERNET = "internet"
CLOUD = "cloud"
_LINK_ROOM = 11
HOST = "host"
POD_GATEWAY = "169.254.1.1"
DOMAIN = "cluster.local"


class Ranges(msgspec.Struct, frozen=True, kw_only=True):
    """Address ranges of the lab (IPv4 CIDRs)."""

    nodes: str = "172.30.0.0/24"
    pods: str = "10.244.0.0/16"
    services: str = "10.96.0.0/12"
    load_balancers: str = "198.51.100.0/24"
    clients: str = "203.0.113.0/24"
    transit: str = "192.0.2.0/30"

    def node_address(self, index: int) -> str:
        """Address of node ``index`` (from 0): .11, .12, …"""
        return str(ip_network(self.nodes)[11 + index])

    def pod_cidr(self, index: int) -> str:
        """The /24 of node ``index`` (from 0): the first one is left free, as kubeadm's allocation does."""
        return str(list(ip_network(self.pods).subnets(new_prefix=24))[index + 1])

    def client_address(self, index: int) -> str:
        """Address of outside client ``index`` (from 0)."""
        return str(ip_network(self.clients)[10 + index])

    @property
    def dns(self) -> str:
        """Address of the Service of the cluster's DNS: the tenth of the range, as kubeadm has it."""
        return str(ip_network(self.services)[10])

    @property
    def host_address(self) -> str:
        """The host's own address on its link to the internet namespace."""
        return str(ip_network(self.clients)[200])


class LabOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a person asked for when starting an embedded cluster.

    ``zones`` are dealt to the nodes in turn.  ``http_port`` and ``https_port`` (the gateway)
    and ``api_port`` (the Kubernetes API) are tried first on 127.0.0.1; when one is taken a free port is used and told;
    0 is none.  ``host_link`` joins the host to the cluster (root only).
    """

    name: str = "default"
    nodes: int = 3
    zones: tuple[str, ...] = ("zone-a", "zone-b", "zone-c")
    clients: int = 2
    http_port: int = 8080
    https_port: int = 8443
    api_port: int = 6443
    host_link: bool = True
    ranges: Ranges = Ranges()

    @property
    def node_names(self) -> tuple[str, ...]:
        """``node-1`` … ``node-N``."""
        return tuple(f"node-{index + 1}" for index in range(self.nodes))

    @property
    def client_names(self) -> tuple[str, ...]:
        """``client-1`` … ``client-N``, the outside users."""
        return tuple(f"client-{index + 1}" for index in range(self.clients))

    def node_facts(self) -> tuple[Node, ...]:
        """The nodes with their addresses, pod ranges and zones."""
        return tuple(
            Node(
                name=name,
                addresses=(self.ranges.node_address(index),),
                zone=self.zones[index % len(self.zones)] if self.zones else "",
                pod_cidrs=(self.ranges.pod_cidr(index),),
            )
            for index, name in enumerate(self.node_names)
        )


def fabric(nodes: Sequence[Node], clients: int, ranges: Ranges) -> Lab:
    """Everything but the pods; ``nodes`` have one address and one pod CIDR each."""
    names = [f"client-{i + 1}" for i in range(clients)]
    internet_router = str(ip_network(ranges.clients)[1])
    cloud_router = str(ip_network(ranges.nodes)[1])
    transit = [str(ip_network(ranges.transit)[i]) for i in (1, 2)]
    clients_prefix = ip_network(ranges.clients).prefixlen
    nodes_prefix = ip_network(ranges.nodes).prefixlen

    links = [Link((name, "eth0"), (INTERNET, name)) for name in names]
    links += [Link((INTERNET, "cloud"), (CLOUD, "internet"))]
    links += [Link((node.name, "eth0"), (CLOUD, f"node{i}")) for i, node in enumerate(nodes)]
    addresses = [
        Address(INTERNET, "clients", f"{internet_router}/{clients_prefix}"),
        Address(INTERNET, "cloud", f"{transit[0]}/30"),
        Address(CLOUD, "internet", f"{transit[1]}/30"),
        Address(CLOUD, "nodes", f"{cloud_router}/{nodes_prefix}"),
    ]
    addresses += [
        Address(name, "eth0", f"{ranges.client_address(i)}/{clients_prefix}") for i, name in enumerate(names)
    ]
    addresses += [Address(node.name, "eth0", f"{node.addresses[0]}/{nodes_prefix}") for node in nodes]
    routes = [
        Route(INTERNET, ranges.load_balancers, (transit[1],)),
        Route(INTERNET, ranges.nodes, (transit[1],)),
        Route(CLOUD, "default", (transit[0],)),
        # An address that no Service has must not travel to and fro between cloud and internet.
        Route(CLOUD, ranges.load_balancers),
    ]
    routes += [Route(name, "default", (internet_router,)) for name in names]
    for node in nodes:
        # Without a default route a node refuses traffic to a Service address before its rules see it.
        routes.append(Route(node.name, "default", (cloud_router,)))
        routes += [
            Route(node.name, cidr, (peer.addresses[0],))
            for peer in nodes
            if peer is not node
            for cidr in peer.pod_cidrs
        ]
    return Lab(
        namespaces=(INTERNET, CLOUD, *names, *(node.name for node in nodes)),
        links=tuple(links),
        bridges=(
            Bridge(INTERNET, "clients", tuple(names)),
            Bridge(CLOUD, "nodes", tuple(f"node{i}" for i in range(len(nodes)))),
        ),
        addresses=tuple(addresses),
        routes=tuple(routes),
        settings=(*_router_settings([INTERNET, CLOUD, *(node.name for node in nodes)]),),
    )


def host_link(cluster: str) -> str:
    """Name of the host's link to a cluster: at most 15 characters, as the kernel wants; different for each cluster."""
    if len(cluster) <= _LINK_ROOM:
        return f"swb-{cluster}"
    return f"swb-{hashlib.sha256(cluster.encode()).hexdigest()[:_LINK_ROOM]}"


def host(interface: str, ranges: Ranges) -> Lab:
    """Joins the host, as one more outside client, by one link and the routes through it."""
    router = str(ip_network(ranges.clients)[1])
    return Lab(
        links=(Link((HOST, interface), (INTERNET, HOST)),),
        addresses=(Address(HOST, interface, f"{ranges.host_address}/32"),),
        bridge_ports=((INTERNET, "clients", HOST),),
        routes=(
            Route(HOST, f"{router}/32", interface=interface, source=ranges.host_address),
            Route(HOST, ranges.load_balancers, (router,), interface=interface, source=ranges.host_address, onlink=True),
            Route(HOST, ranges.nodes, (router,), interface=interface, source=ranges.host_address, onlink=True),
        ),
    )


def _router_settings(namespaces: Iterable[str]) -> Iterable[Setting]:
    for namespace in namespaces:
        yield Setting(namespace, "ipv4/ip_forward", "1")
        if namespace == CLOUD:
            # Balance by connection (addresses and ports), not by client address.
            yield Setting(namespace, "ipv4/fib_multipath_hash_policy", "1")


def pod(name: str, interface: str, address: str, node: Node) -> Lab:
    """One pod ``name`` on ``node``, joined by the node's ``interface``; routed, so that rules see all its traffic."""
    return Lab(
        links=(Link((name, "eth0"), (node.name, interface)),),
        addresses=(
            Address(name, "eth0", f"{address}/32"),
            Address(node.name, interface, f"{POD_GATEWAY}/32", local=True),
        ),
        routes=(
            Route(name, "default", (POD_GATEWAY,), interface="eth0", onlink=True),
            Route(node.name, f"{address}/32", interface=interface, source=node.addresses[0]),
        ),
        settings=(
            Setting(name, "ipv4/ip_unprivileged_port_start", "0"),
            # Policies judge by source address, so a pod must not send with another's.
            Setting(node.name, f"ipv4/conf/{interface}/rp_filter", "1"),
        ),
    )


def announcers(view: View) -> dict[str, tuple[str, ...]]:
    """Load balancer address to the addresses of the nodes that get its traffic.

    With externalTrafficPolicy Local these are the nodes with a ready endpoint of their own, which is what the health
    check node port answers; otherwise every ready node.  Nodes excluded from load balancers never get any.
    """
    found: dict[str, set[str]] = {}
    able = [node for node in view.nodes if node.ready and node.load_balanced and node.addresses]
    for port in view.services:
        for node in able if port.load_balancer_ips else ():
            local = any(e.ready and not e.terminating and e.node == node.name for e in port.endpoints)
            if local or not port.external_local:
                for address in port.load_balancer_ips:
                    found.setdefault(address, set()).add(node.addresses[0])
    return {address: tuple(sorted(nodes, key=ip_address)) for address, nodes in found.items()}


def balancer(announcers: Mapping[str, Sequence[str]]) -> tuple[Route, ...]:
    """The cloud's routes for load balancer addresses: address to node addresses; no node means no route."""
    return tuple(
        Route(CLOUD, f"{address}/32", tuple(gateways)) for address, gateways in sorted(announcers.items()) if gateways
    )


def node_tables(ranges: Ranges) -> tuple[Table, ...]:
    """What a pod network adds to a node: pods that leave the cluster do so under the node's address."""
    leaving = Rule(
        (
            Match(("ip saddr",), (ranges.pods,)),
            Match(("ip daddr",), (ranges.pods, ranges.services, ranges.nodes), negate=True),
            Masquerade(),
        )
    )
    hook = Hook("nat", "postrouting", 110)
    return (Table(family="ip", name="switchboard-pods", chains={"postrouting": Chain((leaving,), hook)}),)
