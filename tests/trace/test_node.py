"""The packet-flow matrix of kube-proxy: who gets which endpoints, and whether the source address is kept."""

from __future__ import annotations

from typing import Any

import pytest

from switchboard.trace.lookup import Destination, Entry
from switchboard.trace.node import Source, rule
from switchboard.trace.result import Verdict
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

HERE, THERE = Node(name="here", zone="a"), Node(name="there", zone="b")
NEAR, FAR = Endpoint("10.0.1.1", 80, node="here"), Endpoint("10.0.2.1", 80, node="there")
VIP, CIP, NPT = Destination.LOAD_BALANCER, Destination.CLUSTER_IP, Destination.NODE_PORT
POD, NODE, OUTSIDE = Source.POD, Source.NODE, Source.OUTSIDE


def port(*endpoints: Endpoint, **facts: Any) -> ServicePort:
    defaults: dict[str, Any] = {
        "cluster_ips": ("10.96.0.1",),
        "load_balancer_ips": ("198.51.100.1",),
        "node_port": 30000,
    }
    fixed: dict[str, Any] = {"namespace": "t", "name": "s", "port_name": "", "protocol": "TCP", "port": 80}
    return ServicePort(**fixed, **(defaults | facts), endpoints=endpoints)


def entry(kind: Destination, service: ServicePort) -> Entry:
    return Entry(kind, service, "10.96.0.1" if kind is CIP else "198.51.100.1")


@pytest.mark.parametrize(
    ("external", "internal", "source", "kind", "endpoints", "masquerade"),
    [
        (False, False, POD, CIP, "all", False),
        (False, False, NODE, CIP, "all", True),
        (False, False, OUTSIDE, CIP, "all", True),
        (False, False, POD, VIP, "all", True),
        (False, False, OUTSIDE, VIP, "all", True),
        (False, False, OUTSIDE, NPT, "all", True),
        (True, False, POD, CIP, "all", False),
        (True, False, POD, VIP, "all", False),
        (True, False, NODE, VIP, "all", True),
        (True, False, OUTSIDE, VIP, "local", False),
        (True, False, OUTSIDE, NPT, "local", False),
        (False, True, POD, CIP, "local", False),
        (False, True, NODE, CIP, "local", True),
        (False, True, POD, VIP, "all", True),
        (False, True, OUTSIDE, VIP, "all", True),
        (True, True, POD, VIP, "all", False),
        (True, True, NODE, VIP, "all", True),
        (True, True, OUTSIDE, VIP, "local", False),
        (True, True, OUTSIDE, CIP, "local", True),
    ],
)
def test_matrix(
    external: bool, internal: bool, source: Source, kind: Destination, endpoints: str, masquerade: bool
) -> None:
    service = port(NEAR, FAR, external_local=external, internal_local=internal)
    ruling = rule(entry(kind, service), HERE, source, "192.0.2.1")
    assert ruling.endpoints == ((NEAR, FAR) if endpoints == "all" else (NEAR,))
    assert ruling.masquerade is masquerade
    assert ruling.end is None


@pytest.mark.parametrize(
    ("endpoints", "facts", "source", "kind", "verdict"),
    [
        ((), {}, POD, CIP, Verdict.REFUSED),
        ((), {}, OUTSIDE, VIP, Verdict.REFUSED),
        ((), {"external_local": True}, OUTSIDE, VIP, Verdict.REFUSED),
        ((FAR,), {"internal_local": True}, POD, CIP, Verdict.DROPPED),
        ((FAR,), {"external_local": True}, OUTSIDE, VIP, Verdict.DROPPED),
        ((FAR,), {"external_local": True}, OUTSIDE, NPT, Verdict.DROPPED),
        ((FAR,), {"external_local": True}, POD, VIP, None),
        ((FAR,), {"external_local": True}, NODE, VIP, None),
        ((Endpoint("10.0.1.1", 80, node="here", ready=False),), {}, POD, CIP, Verdict.REFUSED),
        ((Endpoint("10.0.1.1", 80, node="here", ready=False, terminating=True),), {}, POD, CIP, None),
    ],
)
def test_without_endpoints(
    endpoints: tuple[Endpoint, ...], facts: dict[str, Any], source: Source, kind: Destination, verdict: Verdict | None
) -> None:
    ruling = rule(entry(kind, port(*endpoints, **facts)), HERE, source, "192.0.2.1")
    assert (ruling.end.verdict if ruling.end else None) == verdict
    assert bool(ruling.endpoints) is (verdict is None)


@pytest.mark.parametrize(
    ("ranges", "client", "kind", "verdict"),
    [
        (("203.0.113.0/24",), "203.0.113.9", VIP, None),
        (("203.0.113.0/24",), "192.0.2.1", VIP, Verdict.DROPPED),
        (("203.0.113.0/24",), "", VIP, Verdict.UNKNOWN),
        (("203.0.113.0/24",), "192.0.2.1", NPT, None),
        (("203.0.113.0/24",), "192.0.2.1", CIP, None),
        (("203.0.113.0/24", "0.0.0.0/0"), "192.0.2.1", VIP, None),
        (("2001:db8::/32",), "192.0.2.1", VIP, None),
    ],
)
def test_source_ranges(ranges: tuple[str, ...], client: str, kind: Destination, verdict: Verdict | None) -> None:
    ruling = rule(entry(kind, port(NEAR, source_ranges=ranges)), HERE, OUTSIDE, client)
    assert (ruling.end.verdict if ruling.end else None) == verdict


def test_source_ranges_come_before_the_refusal_of_an_empty_service() -> None:
    service = port(source_ranges=("203.0.113.0/24",))
    found = [rule(entry(VIP, service), HERE, OUTSIDE, c).end for c in ("192.0.2.1", "203.0.113.1")]
    assert [o.verdict for o in found if o] == [Verdict.DROPPED, Verdict.REFUSED]


def test_hints_choose_and_the_reason_says_so() -> None:
    hinted = (
        Endpoint("10.0.1.1", 80, node="here", zone_hints=("a",)),
        Endpoint("10.0.2.1", 80, node="there", zone_hints=("b",)),
    )
    ruling = rule(entry(CIP, port(*hinted)), THERE, POD, "10.0.2.9")
    assert ruling.endpoints == hinted[1:]
    assert ruling.why == "internalTrafficPolicy Cluster: hints choose 1 of 2 ready endpoints"
