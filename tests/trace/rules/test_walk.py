from __future__ import annotations

from fractions import Fraction

import pytest

from switchboard.trace.rules import walk
from switchboard.trace.rules.packet import Host, Origin, Packet, Verdict
from switchboard.trace.rules.walk import ACCEPT, DROP, RefusedError, trace

HOST = Host(("172.20.0.1",))


def packet(destination="10.0.0.1", **facts):
    base = {"source": "192.168.0.5", "protocol": "TCP", "port": 80}
    return Packet(destination=destination, **(base | facts))


def hooks(asked, host=HOST, translate=""):
    seen = []

    def evaluate(flow):
        seen.append(flow.hook)
        if translate and len(seen) == 1:
            flow.destination, flow.translated = translate, True
        return ACCEPT

    return seen, trace(asked, host, evaluate, lambda text: 0).outcomes[0].verdict


@pytest.mark.parametrize(
    ("asked", "translate", "expected"),
    [
        (packet(), "", ["prerouting", "forward", "postrouting"]),
        (packet("172.20.0.1"), "", ["prerouting", "input"]),
        (packet("172.20.0.1"), "10.0.0.9", ["prerouting", "forward", "postrouting"]),
        (packet(origin=Origin.PROCESS), "", ["output", "postrouting"]),
        (packet("127.0.0.1", origin=Origin.PROCESS), "", ["output", "postrouting", "prerouting", "input"]),
    ],
)
def test_hooks_in_order(asked, translate, expected):
    seen, verdict = hooks(asked, translate=translate)
    assert seen == expected
    assert verdict is (Verdict.TRANSLATED if translate else Verdict.PASSED)


@pytest.mark.parametrize(("routed", "verdict"), [(False, Verdict.DROPPED), (True, Verdict.TRANSLATED)])
def test_loopback_leaves_only_where_it_is_routed(routed, verdict):
    asked = packet("172.20.0.1", source="127.0.0.1", origin=Origin.PROCESS)
    assert hooks(asked, Host(("172.20.0.1",), route_loopback=routed), "10.0.0.9")[1] is verdict


def test_loopback_does_not_come_in_from_outside():
    assert hooks(packet("127.0.0.1"))[1] is Verdict.DROPPED


def test_every_choice_is_followed_and_equal_ends_are_joined():
    def evaluate(flow):
        if flow.hook == "prerouting":
            first = flow.pick((Fraction(1, 4), Fraction(3, 4), Fraction(0)))
            if first == 0:
                return DROP
            flow.port = 8080 + flow.pick((Fraction(1, 3),) * 3) // 2
        return ACCEPT

    found = trace(packet(), HOST, evaluate, lambda text: 0).outcomes
    assert [(o.verdict, o.port, o.probability) for o in found] == [
        (Verdict.DROPPED, 80, Fraction(1, 4)),
        (Verdict.PASSED, 8080, Fraction(1, 2)),
        (Verdict.PASSED, 8081, Fraction(1, 4)),
    ]


def test_a_refusal_is_a_finding_with_its_line():
    def evaluate(flow):
        flow.interface("oifname", out=False)
        return ACCEPT

    traced = trace(packet(), HOST, evaluate, {"oifname": 7}.get)
    assert traced.outcomes == ()
    assert (traced.findings[0].reference, traced.findings[0].object) == ("rule-not-understood", "line 7")


def test_ways_are_bounded(monkeypatch):
    monkeypatch.setattr(walk, "_MOST", 100)

    def evaluate(flow):
        for _ in range(20):
            flow.pick((Fraction(1, 2),) * 2)
        return ACCEPT

    assert "more than" in trace(packet(), HOST, evaluate, lambda text: 0).findings[0].message


def test_nat_is_decided_once():
    seen = []

    def evaluate(flow):
        seen.append((flow.hook, flow.nat))
        return ACCEPT

    trace(packet("172.20.0.1", origin=Origin.PROCESS), HOST, evaluate, lambda text: 0)
    assert seen == [("output", True), ("postrouting", True), ("prerouting", False), ("input", False)]
    assert issubclass(RefusedError, Exception)
