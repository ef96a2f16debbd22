from __future__ import annotations

from switchboard.compile.modes._nft_affinity import objects
from switchboard.compile.modes._nft_frame import Words
from switchboard.view.choice import Choice
from switchboard.view.service import Endpoint, ServicePort

PORT = ServicePort(namespace="d", name="s", port_name="", protocol="UDP", port=80, affinity_seconds=30)
ENDPOINTS = tuple(Endpoint(f"fd00::{i}", 8080) for i in (1, 2, 3))


def rendered(choice):
    chains, sets = objects(Words(6), PORT, choice)
    return {name: [r.render() for r in c.rules] for name, c in chains.items()}, sets


def test_first_the_same_endpoint_then_any_with_equal_probability():
    chains, sets = rendered(Choice(ENDPOINTS, (), True))
    (service,) = [c for c in chains if c.startswith("service-")]
    rules = chains[service]
    assert all(r.startswith("ip6 saddr @affinity-") for r in rules[:3])
    assert [r.partition(" goto")[0] for r in rules[3:5]] == ["numgen random mod 3 0", "numgen random mod 2 0"]
    assert rules[5].startswith("goto endpoint-")
    assert len(sets) == 3
    assert all(s.dynamic and s.size for s in sets.values())


def test_endpoint_remembers_the_client_for_the_time_out_and_translates():
    chains, _ = rendered(Choice(ENDPOINTS[:1], (), True))
    (endpoint,) = [c for c in chains if c.startswith("endpoint-")]
    assert chains[endpoint][0].endswith("{ ip6 saddr timeout 30s }")
    assert chains[endpoint][1] == "meta l4proto udp dnat to [fd00::1]:8080"


def test_both_lists_share_the_sets():
    chains, sets = rendered(Choice(ENDPOINTS[:2], ENDPOINTS[1:], True))
    assert len(sets) == 3
    assert len([c for c in chains if c.startswith("endpoint-")]) == 3
    assert len([c for c in chains if c.startswith("local-")]) == 1


def test_no_endpoint_no_object():
    assert rendered(Choice((), (), False)) == ({}, {})
