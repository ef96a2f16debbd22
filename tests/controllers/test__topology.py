from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.controllers import _topology

EVEN = {zone: Fraction(1, 3) for zone in "abc"}


def node(name, zone="a", cpu="4", ready="True", **labels):
    labels = {k.replace("_", "/"): v for k, v in labels.items()}
    if zone:
        labels["topology.kubernetes.io/zone"] = zone
    status = {"conditions": [{"type": "Ready", "status": ready}], "allocatable": {"cpu": cpu} if cpu else {}}
    return {"metadata": {"name": name, "labels": labels}, "status": status}


def piece(zones, name="s"):
    """A slice with an endpoint in each zone: a capital letter is not ready, a dash has no zone."""
    endpoints = []
    for number, zone in enumerate(zones):
        endpoint = {"addresses": [f"10.0.0.{number}"], "conditions": {"ready": not zone.isupper()}}
        endpoints.append(endpoint if zone == "-" else {**endpoint, "zone": zone.lower()})
    return {"metadata": {"name": name}, "endpoints": endpoints}


def hints(*slices):
    zones = [e.get("hints", {}).get("forZones", []) for s in slices for e in s["endpoints"]]
    return ["".join(z["name"] for z in named) or "-" for named in zones]


def test_ratios_are_those_of_the_cpu_of_ready_workers():
    nodes = [
        node("1", "a", "3"),
        node("2", "b", "1000m"),
        node("3", "b", "64", ready="False"),
        node("4", "b", "64", **{"node-role.kubernetes.io_control-plane": ""}),
        node("5", "b", "64", **{"node-role.kubernetes.io_master": ""}),
    ]
    assert _topology.ratios(nodes) == {"a": Fraction(3, 4), "b": Fraction(1, 4)}


@pytest.mark.parametrize("bad", [node("x", ""), node("x", "a", ""), node("x", "a", "0")])
def test_one_node_without_zone_or_cpu_spoils_it(bad):
    assert _topology.ratios([node("1", "a"), node("2", "b"), bad]) == _topology.NO_NODE_INFORMATION


def test_one_zone_is_too_few():
    assert _topology.ratios([node("1", "a"), node("2", "a")]) == _topology.ONE_ZONE
    assert _topology.ratios([]) == _topology.NO_NODE_INFORMATION


def test_three_endpoints_in_two_of_three_equal_zones():
    """One of the two in zone a serves zone c."""
    assert {z: s.minimum for z, s in _topology.shares(EVEN, 3).items()} == {"a": 1, "b": 1, "c": 1}
    hinted = _topology.hint(EVEN, [piece("aab")], [])
    assert Counter(hints(*hinted.slices)) == Counter("abc")
    assert hints(*hinted.slices)[2] == "b"


def test_an_odd_number_in_two_equal_zones_exceeds_the_threshold():
    half = {"a": Fraction(1, 2), "b": Fraction(1, 2)}
    refusal = _topology.shares(half, 3)
    assert refusal == _topology.OVER_THRESHOLD.format(3, 2)
    hinted = _topology.hint(half, [piece("aab")], [])
    assert (hinted.refusal, hints(*hinted.slices)) == (refusal, ["-", "-", "-"])


def test_fewer_endpoints_than_zones():
    assert _topology.hint(EVEN, [piece("ab")], []).refusal == "Insufficient number of endpoints (2 endpoints, 3 zones)"


def test_one_ready_endpoint_without_zone_cancels_all_hints():
    stored = _topology.hint(EVEN, [piece("abc", "old")], []).slices[0]
    hinted = _topology.hint(EVEN, [piece("ab-", "new")], [stored])
    assert hinted.refusal == _topology.NO_ZONE
    assert set(hints(*hinted.slices)) == {"-"}


def test_endpoints_that_are_not_ready_neither_count_nor_get_hints():
    hinted = _topology.hint(EVEN, [piece("aBbc")], [])
    assert hints(*hinted.slices) == ["a", "-", "b", "c"]


def test_unchanged_slices_keep_hints_that_still_hold():
    stored = _topology.hint(EVEN, [piece("aab", "old")], []).slices[0]
    hinted = _topology.hint(EVEN, [piece("abc", "new")], [stored])
    assert hinted.slices[1] is stored
    assert Counter(hints(*hinted.slices)) == Counter("aabbcc")


@pytest.mark.parametrize("other", ["b", "d"])
def test_hints_for_a_zone_that_is_gone_are_made_anew(other):
    zones = {"a": Fraction(1, 2), other: Fraction(1, 2)}
    stored = _topology.hint(EVEN, [piece("aabbcc", "old")], []).slices[0]
    hinted = _topology.hint(zones, [], [stored])
    assert hinted.refusal == ""
    assert Counter(hints(*hinted.slices)) == Counter(dict.fromkeys(zones, 3))


def test_a_zone_over_its_maximum_gives_endpoints_away():
    stored = piece("aaaaaa", "old")
    for endpoint in stored["endpoints"]:
        endpoint["hints"] = {"forZones": [{"name": "a"}]}
    hinted = _topology.hint(EVEN, [], [stored])
    assert Counter(hints(*hinted.slices)) == Counter("aabbcc")


@given(
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 16), min_size=2),
    st.lists(st.text("abcd", min_size=1, max_size=12), min_size=1, max_size=3),
)
def test_every_endpoint_serves_one_zone_and_hints_that_were_made_stay(cpu, slices):
    total = sum(cpu.values())
    zones = {zone: Fraction(cores, total) for zone, cores in cpu.items()}
    hinted = _topology.hint(zones, [piece(text, str(i)) for i, text in enumerate(slices)], [])
    shares = _topology.shares(zones, sum(map(len, slices)))
    if hinted.refusal:
        assert set(hints(*hinted.slices)) == {"-"}
        assert hinted.refusal == shares
        return
    counts = Counter(hints(*hinted.slices))
    # An endpoint of a zone that has no ready node may serve its own zone still, where nobody needs a whole one more.
    assert sum(counts[zone] for zone in set(counts) - set(zones)) <= len(zones)
    assert all(abs(counts[zone] - share.desired) <= max(1, len(zones)) for zone, share in shares.items())
    assert _topology.hint(zones, [], list(hinted.slices)).slices == hinted.slices
