"""Whatever the cluster looks like, the probabilities of a path are exact and complete."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.trace.path import trace
from switchboard.trace.request import OutsideRequest, PodRequest
from switchboard.trace.result import Path, Verdict, decode, encode
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node, Pod
from switchboard.view.route import Backend, Canary, Gateway, PathMatch, Route
from switchboard.view.service import Endpoint, ServicePort

NODES = ("n1", "n2", "n3")
SERVICES = ("gateway", "main", "canary")
VIP = "198.51.100.1"


@st.composite
def endpoints(draw: st.DrawFn) -> tuple[Endpoint, ...]:
    count = draw(st.integers(0, 6))
    return tuple(
        Endpoint(
            f"10.244.{draw(st.integers(0, 3))}.{i}",
            8080,
            node=draw(st.sampled_from((*NODES, ""))),
            ready=draw(st.booleans()),
            serving=draw(st.booleans()),
            terminating=draw(st.booleans()),
            zone_hints=draw(st.sampled_from(((), ("za",), ("zb",)))),
            node_hints=draw(st.sampled_from(((), (), ("n1",)))),
            pod=f"t/pod-{i}" if draw(st.booleans()) else "",
        )
        for i in range(count)
    )


@st.composite
def service_ports(draw: st.DrawFn, index: int) -> ServicePort:
    return ServicePort(
        namespace="t",
        name=SERVICES[index],
        port_name="",
        protocol="TCP",
        port=80,
        cluster_ips=(f"10.96.0.{index}",),
        load_balancer_ips=(VIP,) if index == 0 else (),
        node_port=30000 if index == 0 else 0,
        source_ranges=draw(st.sampled_from(((), ("203.0.113.0/24",), ("0.0.0.0/0",)))),
        internal_local=draw(st.booleans()),
        external_local=draw(st.booleans()),
        headless=index == 2 and draw(st.booleans()),
        endpoints=draw(endpoints()),
    )


def backend(name: str) -> Backend:
    return Backend(f"t/{name}", "80", f"t/{name}:/TCP")


@st.composite
def routes(draw: st.DrawFn) -> Route:
    total = draw(st.integers(1, 1000))
    canary = Canary(
        owner="Ingress t/canary", backend=backend("canary"), weight=draw(st.integers(0, total)), weight_total=total
    )
    return Route(
        owner="Ingress t/main",
        field="",
        host=draw(st.sampled_from(("a.test", "*.test", ""))),
        path=draw(st.sampled_from(("/", "/a", "/a/b/"))),
        match=draw(st.sampled_from(PathMatch)),
        backend=draw(st.sampled_from((backend("main"), backend("gone"), None))),
        canary=draw(st.sampled_from((None, canary))),
    )


@st.composite
def views(draw: st.DrawFn) -> View:
    zones = {n: draw(st.sampled_from(("za", "zb", ""))) for n in NODES}
    return View(
        network=ClusterNetwork(service_cidrs=("10.96.0.0/16",), pod_cidrs=("10.244.0.0/16",)),
        nodes=tuple(
            Node(name=n, addresses=(f"172.18.0.{i}",), zone=zones[n], ready=draw(st.booleans()))
            for i, n in enumerate(NODES)
        ),
        pods=(Pod(namespace="t", name="me", node="n1", addresses=("10.244.9.9",), ready=True),),
        services=tuple(draw(service_ports(i)) for i in range(3)),
        gateways=(Gateway(name="g", service="t/gateway", routes=tuple(draw(st.lists(routes(), max_size=4)))),),
    )


REQUESTS = (
    OutsideRequest(url="http://a.test/"),
    OutsideRequest(url="http://a.test/a/b/c", client="203.0.113.4"),
    OutsideRequest(url=f"http://{VIP}/a"),
    OutsideRequest(url="http://172.18.0.2:30000/"),
    OutsideRequest(url="http://a.test/", address=VIP, client="192.0.2.1"),
    PodRequest(pod="t/me", url="http://main/"),
    PodRequest(pod="t/me", url="http://canary:8080/"),
    PodRequest(pod="t/me", url="http://a.test/"),
    PodRequest(pod="t/me", url="http://172.18.0.1:30000/"),
)


@settings(max_examples=300, deadline=None)
@given(views(), st.sampled_from(REQUESTS))
def test_probabilities_sum_to_one(view: View, request: OutsideRequest | PodRequest) -> None:
    path = trace(view, request)
    assert sum(o.probability for o in path.outcomes) == 1
    for hop in path.hops:
        assert sum(c.probability for c in hop.choices) == (1 if hop.choices else 0), hop
    unanswered = sum((o.probability for o in path.outcomes if o.verdict != Verdict.ANSWERED), Fraction(0))
    assert sum((c.probability for c in path.pods), unanswered) == 1
    assert all(o.reason for o in path.outcomes if o.verdict != Verdict.ANSWERED)


@settings(max_examples=100, deadline=None)
@given(views(), st.sampled_from(REQUESTS))
def test_json_says_the_same(view: View, request: OutsideRequest | PodRequest) -> None:
    path = trace(view, request)
    assert decode(encode(path)) == path


def share_of(path: Path, service: str) -> Fraction:
    return next((c.probability for c in path.services if c.name == service), Fraction(0))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 1000), st.integers(1, 5), st.integers(1, 5))
def test_share_of_a_canary_is_its_weight_over_the_total(weight: int, total: int, mains: int, canaries: int) -> None:
    def port(name: str, count: int, **facts: object) -> ServicePort:
        ready = tuple(Endpoint(f"10.244.0.{i}", 80, node="n", pod=f"t/{name}-{i}") for i in range(count))
        fixed = {"namespace": "t", "name": name, "port_name": "", "protocol": "TCP", "port": 80, "endpoints": ready}
        return ServicePort(**(fixed | facts))  # type: ignore[arg-type]

    canary = Canary(owner="Ingress t/c", backend=backend("canary"), weight=weight, weight_total=total)
    route = Route(
        owner="Ingress t/m",
        field="",
        host="a.test",
        path="/",
        match=PathMatch.PREFIX,
        backend=backend("main"),
        canary=canary,
    )
    view = View(
        nodes=(Node(name="n"),),
        services=(port("gateway", 1, load_balancer_ips=(VIP,)), port("main", mains), port("canary", canaries)),
        gateways=(Gateway(name="g", service="t/gateway", routes=(route,)),),
    )
    path = trace(view, OutsideRequest(url="http://a.test/"))
    assert share_of(path, "t/canary") == min(Fraction(weight, total), Fraction(1))
    assert share_of(path, "t/main") == 1 - share_of(path, "t/canary")
