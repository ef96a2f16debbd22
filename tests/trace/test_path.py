"""Whole paths over the payment example, and how they end when something is missing."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from switchboard.trace.lookup import Lookup
from switchboard.trace.path import trace
from switchboard.trace.request import OutsideRequest, PodRequest
from switchboard.trace.result import HopKind, Path, Verdict
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort


def outside(view: View, url: str, **facts: Any) -> Path:
    return trace(view, OutsideRequest(url=url, **facts))


def inside(view: View, url: str, pod: str = "payments/app-v1-0") -> Path:
    return trace(view, PodRequest(pod=pod, url=url))


def change(view: View, service: str, **facts: Any) -> View:
    return replace(view, services=tuple(replace(s, **facts) if s.name == service else s for s in view.services))


def pods(path: Path) -> dict[str, Fraction]:
    return {c.name: c.probability for c in path.pods}


def hop(path: Path, kind: HopKind) -> Any:
    return next(h for h in path.hops if h.kind is kind)


def test_outside_client_to_canary(payments: View) -> None:
    path = outside(payments, "https://api.example.com/")
    assert path.verdict is Verdict.ANSWERED
    assert [h.kind for h in path.hops] == [
        HopKind.CLIENT,
        HopKind.NAME,
        HopKind.LOAD_BALANCER,
        HopKind.NODE,
        HopKind.GATEWAY,
        HopKind.TLS,
        HopKind.ROUTE,
        HopKind.CANARY,
        HopKind.PODS,
    ]
    assert {c.name: c.probability for c in path.services} == {
        "payments/app-v1": Fraction(9, 10),
        "payments/app-v2": Fraction(1, 10),
    }
    assert len(path.pods) == 6


def test_local_policy_uses_nodes_with_endpoints_and_keeps_the_source(payments: View) -> None:
    path = outside(payments, "https://api.example.com/")
    assert [c.name for c in hop(path, HopKind.LOAD_BALANCER).choices] == ["node-1", "node-2"]
    assert [(c.name, c.why) for c in hop(path, HopKind.NODE).choices] == [
        ("gateway/gateway-0", "through node-1"),
        ("gateway/gateway-1", "through node-2"),
    ]
    assert "source address kept" in hop(path, HopKind.NODE).what
    assert "ClientIP affinity" in hop(path, HopKind.NODE).why


def test_cluster_policy_uses_every_node_and_replaces_the_source(payments: View) -> None:
    path = outside(change(payments, "gateway", external_local=False), "https://api.example.com/")
    assert [c.probability for c in hop(path, HopKind.LOAD_BALANCER).choices] == [Fraction(1, 3)] * 3
    assert "source address replaced by the node's" in hop(path, HopKind.NODE).what


def test_nodes_that_are_unready_or_excluded_get_nothing(payments: View) -> None:
    nodes = (
        replace(payments.nodes[0], ready=False),
        replace(payments.nodes[1], load_balanced=False),
        payments.nodes[2],
    )
    path = outside(change(replace(payments, nodes=nodes), "gateway", external_local=False), "https://api.example.com/")
    assert [c.name for c in hop(path, HopKind.LOAD_BALANCER).choices] == ["node-3"]


def test_health_check_counts_all_ports_so_a_node_may_be_asked_in_vain(payments: View) -> None:
    first, second = payments.services[2].endpoints
    services = [replace(s, endpoints=(first,)) if s.port == 443 else s for s in payments.services]
    path = outside(replace(payments, services=tuple(services)), "https://api.example.com/")
    assert second.node == "node-2"
    assert path.verdict is Verdict.MIXED
    assert {o.verdict: o.probability for o in path.outcomes if not o.target} == {Verdict.DROPPED: Fraction(1, 2)}
    assert sum(pods(path).values()) == Fraction(1, 2)
    assert path.services[0].probability == Fraction(9, 20)


def test_an_address_shared_with_a_cluster_policy_service_goes_to_every_node(payments: View) -> None:
    view = change(payments, "app-v1", load_balancer_ips=("198.51.100.10",), port=8080)
    path = outside(view, "https://api.example.com/")
    assert len(hop(path, HopKind.LOAD_BALANCER).choices) == 3
    assert {o.verdict: o.probability for o in path.outcomes if not o.target} == {Verdict.DROPPED: Fraction(1, 3)}


def test_both_families_of_a_service(payments: View) -> None:
    six = tuple(Endpoint(f"2001:db8::{i}", 8443, node=f"node-{i}") for i in (1, 2, 3))
    four = payments.services[2].endpoints
    view = change(payments, "gateway", load_balancer_ips=("198.51.100.10", "2001:DB8::99"), endpoints=(*four, *six))
    path = outside(view, "tcp://[2001:db8:0::99]:443")
    assert pods(path) == {f"[2001:db8::{i}]:8443": Fraction(1, 3) for i in (1, 2, 3)}
    assert set(pods(outside(view, "tcp://198.51.100.10:443"))) == {"gateway/gateway-0", "gateway/gateway-1"}


def test_direct_load_balancer_without_gateway(payments: View) -> None:
    view = change(payments, "app-v1", type="LoadBalancer", load_balancer_ips=("198.51.100.11",), port=443)
    path = outside(view, "https://198.51.100.11/")
    assert pods(path) == {f"payments/app-v1-{i}": Fraction(1, 4) for i in range(4)}


def test_address_overrides_the_name(payments: View) -> None:
    path = outside(payments, "https://api.example.com:30443/", address="172.18.0.2")
    assert path.verdict is Verdict.ANSWERED
    assert hop(path, HopKind.NODE).where == "rules of node node-2"


def test_host_header_decides_about_the_route(payments: View) -> None:
    path = outside(payments, "https://198.51.100.10/", headers={"HOST": "api.example.com"})
    assert path.verdict is Verdict.ANSWERED
    assert outside(payments, "https://198.51.100.10/").verdict is Verdict.NOT_FOUND


@pytest.mark.parametrize(
    ("url", "verdict", "says"),
    [
        ("https://nobody.example.com/", Verdict.UNRESOLVED, "No gateway has a rule"),
        ("https://api.example.com:8443/", Verdict.UNREACHABLE, "No Service publishes"),
        ("http://api.example.com:443/", Verdict.REFUSED, "speaks https"),
        ("http://api.example.com/", Verdict.REDIRECTED, "https://api.example.com/"),
        ("https://10.96.0.13/", Verdict.UNREACHABLE, "ClusterIP"),
        ("https://172.18.0.3:30443/", Verdict.DROPPED, "externalTrafficPolicy is Local"),
        ("https://172.18.0.3:31000/", Verdict.UNKNOWN, "No Service has NodePort 31000"),
        ("http://10.244.1.10:8080/", Verdict.UNREACHABLE, "pod payments/app-v1-0"),
        ("http://192.0.2.77/", Verdict.UNKNOWN, "belongs to nothing"),
        ("https://", Verdict.INVALID, "names no host"),
    ],
)
def test_outside_ends(payments: View, url: str, verdict: Verdict, says: str) -> None:
    path = outside(payments, url)
    assert path.verdict is verdict
    assert says in path.reason
    assert path.pods == ()


def test_gateway_pods_gone(payments: View) -> None:
    none = change(payments, "gateway", endpoints=())
    assert outside(none, "https://api.example.com/").verdict is Verdict.UNREACHABLE
    cluster = change(none, "gateway", external_local=False)
    assert outside(cluster, "https://api.example.com/").verdict is Verdict.REFUSED


def test_source_ranges_need_the_client(payments: View) -> None:
    view = change(payments, "gateway", source_ranges=("203.0.113.0/24",))
    url = "https://api.example.com/"
    assert outside(view, url).verdict is Verdict.UNKNOWN
    assert outside(view, url, client="203.0.113.7").verdict is Verdict.ANSWERED
    assert outside(view, url, client="192.0.2.7").verdict is Verdict.DROPPED


def test_node_ports_answer_on_the_primary_address_only(payments: View) -> None:
    node = replace(payments.nodes[0], addresses=("172.18.0.1", "172.19.0.1", "2001:db8::1"))
    view = replace(payments, nodes=(node, *payments.nodes[1:]))
    assert outside(view, "https://172.19.0.1:30443/").verdict is Verdict.UNREACHABLE


def test_external_ips_are_known_only_on_a_node(payments: View) -> None:
    view = change(payments, "app-v1", external_ips=("192.0.2.5", "172.18.0.2"))
    assert outside(view, "http://192.0.2.5/").verdict is Verdict.UNKNOWN
    assert len(outside(view, "http://172.18.0.2/").pods) == 4


def test_bad_input_is_a_finding(payments: View) -> None:
    for path in (
        outside(payments, "ftp://x/"),
        outside(payments, "https://api.example.com/", client="nonsense"),
        inside(payments, "http://app-v2/", pod="payments/nobody"),
    ):
        assert path.verdict is Verdict.INVALID
        assert len(path.findings) == 1


def test_pod_to_service_name(payments: View) -> None:
    path = inside(payments, "http://app-v2/")
    assert pods(path) == {"payments/app-v2-0": Fraction(1, 2), "payments/app-v2-1": Fraction(1, 2)}
    assert "source address kept" in hop(path, HopKind.NODE).what


def test_pod_to_published_host_passes_its_own_node_and_the_gateway(payments: View) -> None:
    path = inside(payments, "https://api.example.com/", pod="payments/app-v1-2")
    assert hop(path, HopKind.NODE).where == "rules of node node-3"
    assert "Local, but a connection from a pod may use every endpoint" in hop(path, HopKind.NODE).why
    assert path.services[1].probability == Fraction(1, 10)


@pytest.mark.parametrize(
    ("url", "verdict", "says"),
    [
        ("http://app-v2:81/", Verdict.REFUSED, "has no port TCP 81"),
        ("http://10.96.0.99/", Verdict.DROPPED, "unused addresses"),
        ("http://nobody.payments.svc/", Verdict.UNRESOLVED, "no Service"),
        ("http://10.244.2.10:9/", Verdict.UNKNOWN, "declares no port"),
        ("http://10.244.2.10:8080/", Verdict.ANSWERED, ""),
        ("http://192.0.2.1/", Verdict.UNKNOWN, "belongs to nothing"),
        ("udp://app-v2:80", Verdict.REFUSED, "no port UDP 80"),
    ],
)
def test_pod_ends(payments: View, url: str, verdict: Verdict, says: str) -> None:
    path = inside(payments, url)
    assert path.verdict is verdict
    assert says in path.reason


def test_headless_service(payments: View) -> None:
    view = change(payments, "app-v2", headless=True, cluster_ips=())
    assert pods(inside(view, "http://app-v2:8080/")) == {
        "payments/app-v2-0": Fraction(1, 2),
        "payments/app-v2-1": Fraction(1, 2),
    }
    assert "translates no ports" in inside(view, "http://app-v2/").reason
    assert inside(change(view, "app-v2", endpoints=()), "http://app-v2:8080/").verdict is Verdict.UNRESOLVED


def test_pod_without_node_and_node_without_facts(payments: View) -> None:
    waiting = replace(payments, pods=(replace(payments.pods[0], node=""), *payments.pods[1:]))
    assert inside(waiting, "http://app-v2/").verdict is Verdict.UNKNOWN
    assert inside(replace(payments, nodes=()), "http://app-v2/").verdict is Verdict.UNKNOWN


def test_host_network_pod_counts_as_its_node(payments: View) -> None:
    view = replace(payments, pods=(replace(payments.pods[0], host_network=True), *payments.pods[1:]))
    assert "replaced by the node's" in hop(inside(view, "http://app-v2/"), HopKind.NODE).what


def test_one_lookup_serves_many_requests(payments: View) -> None:
    lookup, request = Lookup(payments), OutsideRequest(url="https://api.example.com/")
    assert trace(lookup, request) == trace(payments, request)


def test_endpoint_outside_the_cluster_is_named_by_address() -> None:
    port = ServicePort(
        namespace="t",
        name="db",
        port_name="",
        protocol="TCP",
        port=5432,
        load_balancer_ips=("198.51.100.3",),
        endpoints=(Endpoint("192.0.2.50", 5432),),
    )
    url = "tcp://198.51.100.3:5432"
    assert pods(outside(View(nodes=(Node(name="n"),), services=(port,)), url)) == {"192.0.2.50:5432": Fraction(1)}
    assert outside(View(services=(port,)), url).verdict is Verdict.UNREACHABLE
