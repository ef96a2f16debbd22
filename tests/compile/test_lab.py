"""The network of the embedded cluster: addresses that meet nobody, routes without which rules see nothing."""

from ipaddress import ip_address, ip_network

import pytest

from switchboard.compile import lab
from switchboard.compile.lab import LabOptions, Ranges
from switchboard.rules.lab import Route
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

RANGES = Ranges()
DOCUMENTATION = [ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")]  # RFC 5737


def test_outside_addresses_are_those_of_documentation() -> None:
    for cidr in (RANGES.load_balancers, RANGES.clients, RANGES.transit):
        assert any(ip_network(cidr).subnet_of(wide) for wide in DOCUMENTATION)


def test_ranges_are_apart() -> None:
    cidrs = [ip_network(str(value)) for value in (getattr(RANGES, name) for name in RANGES.__struct_fields__)]
    assert not [(a, b) for i, a in enumerate(cidrs) for b in cidrs[i + 1 :] if a.overlaps(b)]


def test_zones_are_dealt_in_turn_and_nodes_have_their_own_pods() -> None:
    nodes = LabOptions(nodes=4, zones=("a", "b")).node_facts()
    assert [node.zone for node in nodes] == ["a", "b", "a", "b"]
    assert len({node.pod_cidrs for node in nodes}) == len({node.addresses for node in nodes}) == 4
    assert all(ip_address(node.addresses[0]) in ip_network(RANGES.nodes) for node in nodes)
    assert all(ip_network(node.pod_cidrs[0]).subnet_of(ip_network(RANGES.pods)) for node in nodes)


def test_no_zones_means_none() -> None:
    assert {node.zone for node in LabOptions(zones=()).node_facts()} == {""}


@pytest.fixture
def nodes() -> tuple[Node, ...]:
    return LabOptions().node_facts()


def test_every_namespace_but_the_internet_has_a_default_route(nodes) -> None:
    fabric = lab.fabric(nodes, 2, RANGES)
    routed = {route.namespace for route in fabric.routes if route.destination == "default"}
    assert routed == set(fabric.namespaces) - {lab.INTERNET}


def test_links_and_addresses_are_in_namespaces_that_are_made(nodes) -> None:
    fabric = lab.fabric(nodes, 2, RANGES)
    ends = {end for link in fabric.links for end in (link.left, link.right)}
    assert len(ends) == 2 * len(fabric.links)
    assert {namespace for namespace, _ in ends} <= set(fabric.namespaces)
    bridges = {(bridge.namespace, bridge.name) for bridge in fabric.bridges}
    assert {(a.namespace, a.interface) for a in fabric.addresses} <= ends | bridges


def test_nodes_reach_each_others_pods(nodes) -> None:
    routes = lab.fabric(nodes, 1, RANGES).routes
    for node in nodes:
        others = {(n.pod_cidrs[0], (n.addresses[0],)) for n in nodes if n is not node}
        own = {(r.destination, r.gateways) for r in routes if r.namespace == node.name and r.destination != "default"}
        assert own == others


@pytest.mark.parametrize("name", ["default", "a-very-long-name-of-a-cluster", "x"])
def test_the_hosts_link_has_a_name_that_the_kernel_takes(name: str) -> None:
    assert 0 < len(lab.host_link(name)) <= 15


def test_the_host_gets_three_routes_through_its_link() -> None:
    joined = lab.host("swb-a", RANGES)
    assert {r.destination for r in joined.routes} == {"203.0.113.1/32", RANGES.load_balancers, RANGES.nodes}
    assert {(r.namespace, r.interface) for r in joined.routes} == {(lab.HOST, "swb-a")}


def service(local: bool, *endpoints: Endpoint) -> ServicePort:
    return ServicePort(
        namespace="a",
        name="s",
        port_name="",
        protocol="TCP",
        port=80,
        load_balancer_ips=("198.51.100.1",),
        external_local=local,
        endpoints=endpoints,
    )


def announced(nodes: tuple[Node, ...], *services: ServicePort) -> dict[str, tuple[str, ...]]:
    return lab.announcers(View(nodes=nodes, services=services))


def test_every_ready_node_announces_an_address(nodes) -> None:
    assert announced(nodes, service(False)) == {"198.51.100.1": tuple(n.addresses[0] for n in nodes)}


def test_the_local_policy_leaves_nodes_with_a_ready_endpoint(nodes) -> None:
    endpoints = (
        Endpoint("10.244.2.2", 80, node="node-2"),
        Endpoint("10.244.3.2", 80, node="node-3", ready=False),
        Endpoint("10.244.1.2", 80, node="node-1", terminating=True),
    )
    assert announced(nodes, service(True, *endpoints)) == {"198.51.100.1": (nodes[1].addresses[0],)}


@pytest.mark.parametrize("fact", [{"ready": False}, {"load_balanced": False}, {"addresses": ()}])
def test_a_node_that_cannot_serve_announces_nothing(fact) -> None:
    able = Node(name="node-1", addresses=("172.30.0.11",))
    other = Node(**({"name": "node-2", "addresses": ("172.30.0.12",)} | fact))
    assert announced((able, other), service(False)) == {"198.51.100.1": ("172.30.0.11",)}


def test_an_address_without_nodes_has_no_route() -> None:
    routes = lab.balancer({"198.51.100.1": ("172.30.0.11", "172.30.0.12"), "198.51.100.2": ()})
    assert routes == (Route(lab.CLOUD, "198.51.100.1/32", ("172.30.0.11", "172.30.0.12")),)


def test_a_pod_is_routed_and_never_bridged(nodes) -> None:
    made = lab.pod("a/b", "pod7", "10.244.2.9", nodes[1])
    assert [(link.left, link.right) for link in made.links] == [(("a/b", "eth0"), ("node-2", "pod7"))]
    assert not made.bridges
    assert {(r.namespace, r.destination) for r in made.routes} == {("a/b", "default"), ("node-2", "10.244.2.9/32")}


def test_pods_leave_the_cluster_under_the_nodes_address() -> None:
    (table,) = lab.node_tables(RANGES)
    (leaving,) = table.chains["postrouting"].rules
    text = leaving.render()
    assert text.startswith(f"ip saddr {RANGES.pods} ip daddr != ")
    assert text.endswith("masquerade")
    assert all(cidr in text for cidr in (RANGES.pods, RANGES.services, RANGES.nodes))


def test_clusters_with_long_names_have_links_of_their_own() -> None:
    names = [lab.host_link(f"a-cluster-with-a-long-name-{number}") for number in range(50)]
    assert len(set(names)) == 50
