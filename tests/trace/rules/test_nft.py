"""A ruleset in kube-proxy's own manner beside one of the host's, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from switchboard.trace.rules.nft import NftRules
from switchboard.trace.rules.packet import Host, Packet, Verdict

SAMPLE = (Path(__file__).parents[2] / "cases" / "trace" / "kube-proxy-style.nft").read_text()
HOST = Host(("172.20.0.1",))
THIRD, HALF = Fraction(1, 3), Fraction(1, 2)
STICKY = "affinity-BBBBBBBB-shop/sticky/tcp/http__10.244.1.7/80"


def packet(source, destination, port, protocol="TCP", **facts):
    return Packet(source=source, destination=destination, port=port, protocol=protocol, **facts)


def traced(asked, host=HOST, text=SAMPLE):
    return NftRules(text).trace(asked, host)


def web(masquerade, hairpin=""):
    return {
        f"10.244.{i}.5:8080": (Verdict.TRANSLATED, masquerade or f"10.244.{i}.5" == hairpin, THIRD) for i in (1, 2, 3)
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (packet("10.244.9.9", "10.96.0.10", 80), web(False)),
        (packet("10.244.1.5", "10.96.0.10", 80), web(False, "10.244.1.5")),
        (packet("192.168.0.5", "10.96.0.10", 80), web(True)),
        (packet("192.168.0.5", "198.51.100.7", 80), web(True)),
        (packet("10.1.0.9", "198.51.100.7", 80), web(True)),
        (packet("10.1.0.10", "198.51.100.7", 80), {"198.51.100.7:80": (Verdict.DROPPED, False, 1)}),
        (packet("8.8.8.8", "172.20.0.1", 30080), web(True)),
        (packet("8.8.8.8", "172.20.0.1", 30081), {"172.20.0.1:30081": (Verdict.PASSED, False, 1)}),
        (packet("10.244.9.9", "10.96.0.30", 80), {"10.96.0.30:80": (Verdict.REJECTED, False, 1)}),
        (packet("10.244.9.9", "10.96.0.10", 81), {"10.96.0.10:81": (Verdict.REJECTED, False, 1)}),
        (packet("10.244.9.9", "10.96.0.99", 81), {"10.96.0.99:81": (Verdict.DROPPED, False, 1)}),
        (packet("10.244.9.9", "203.0.113.5", 80), {"203.0.113.5:80": (Verdict.PASSED, False, 1)}),
        (packet("10.244.9.9", "203.0.113.5", 80, "UDP"), {"203.0.113.5:80": (Verdict.DROPPED, False, 1)}),
        (packet("10.244.9.9", "203.0.113.5", 22, established=True), {"203.0.113.5:22": (Verdict.PASSED, False, 1)}),
        (
            packet("10.244.9.9", "10.96.0.20", 80),
            {
                "10.244.1.7:80": (Verdict.TRANSLATED, False, HALF),
                "10.244.1.8:80": (Verdict.TRANSLATED, False, HALF),
            },
        ),
    ],
)
def test_outcomes(asked, expected):
    found = traced(asked)
    assert found.findings == ()
    assert {o.endpoint: (o.verdict, o.masquerade, o.probability) for o in found.outcomes} == expected


def test_a_client_that_is_remembered_has_one_way():
    host = Host(("172.20.0.1",), {STICKY: frozenset({"10.244.9.9"})})
    (outcome,) = traced(packet("10.244.9.9", "10.96.0.20", 80), host).outcomes
    assert (outcome.endpoint, outcome.probability) == ("10.244.1.7:80", 1)


def test_steps_name_the_rules():
    (outcome,) = traced(packet("10.244.9.9", "10.96.0.30", 80)).outcomes
    assert [(s.place, s.rule) for s in outcome.steps] == [
        ("ip kube-proxy filter-prerouting-pre-dnat", "ct state new jump firewall-check"),
        ("ip kube-proxy nat-prerouting", "jump services"),
        ("ip kube-proxy filter-forward", "ct state new jump service-endpoints-check"),
        (
            "ip kube-proxy service-endpoints-check",
            "ip daddr . meta l4proto . th dport vmap @no-endpoint-services",
        ),
        ("ip kube-proxy reject-chain", "reject"),
    ]


def test_a_rule_that_is_met_and_not_understood_refuses():
    (finding,) = traced(packet("10.66.0.1", "203.0.113.5", 80)).findings
    line = 1 + SAMPLE.splitlines().index("\t\tip saddr 10.66.0.0/16 ip dscp 5 accept")
    assert (finding.reference, finding.object) == ("rule-not-understood", f"line {line}")
    assert "ip dscp 5 accept" in finding.message
    assert [f.object for f in NftRules(SAMPLE).findings] == [f"line {line}"]


BASE = "table ip t {{\n\tchain c {{\n\t\ttype filter hook forward priority 0; policy accept;\n\t\t{}\n\t}}\n}}\n"


@pytest.mark.parametrize(
    "rule",
    [
        'iifname "eth0" drop',
        'oifname "eth0" drop',
        "tcp sport 5 drop",
        "jump gone",
        "jump c",
        "tcp dport http drop",
        "ip saddr @gone drop",
        "ip saddr . ip daddr 10.0.0.1 drop",
        "ct mark 5 drop",
        "queue num 1",
    ],
)
def test_refusals(rule):
    found = traced(packet("10.0.0.1", "10.0.0.2", 80), text=BASE.format(rule))
    assert (found.outcomes, [f.reference for f in found.findings]) == ((), ["rule-not-understood"])


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ('iifname "eth*" oifname != "eth0" drop', Verdict.DROPPED),
        ("tcp sport 1000-2000 reject", Verdict.REJECTED),
        ("ip6 saddr ::1 drop", Verdict.PASSED),
        ("ip protocol 6 drop", Verdict.DROPPED),
        ("meta nfproto ipv4 fib saddr type local drop", Verdict.PASSED),
        ("fib daddr type != local drop", Verdict.DROPPED),
        ("meta mark set meta mark | 0x00000003 meta mark set meta mark & 0x00000001 meta mark 0x00000001 drop",
         Verdict.DROPPED),
        ("ip daddr vmap { 10.0.0.0/24 : drop }", Verdict.DROPPED),
        ("ip daddr vmap { 10.0.0.2 : return, 10.0.0.3 : drop }", Verdict.PASSED),
        ("udp dport != 5 drop", Verdict.PASSED),
        ("numgen random mod 4 != { 0, 1, 2, 3 } drop", Verdict.PASSED),
        ("continue", Verdict.PASSED),
    ],
)  # fmt: skip
def test_matches(rule, verdict):
    asked = packet("10.0.0.1", "10.0.0.2", 80, source_port=1500, interface="eth7", out_interface="up0")
    found = traced(asked, text=BASE.format(rule))
    assert (found.findings, [o.verdict for o in found.outcomes]) == ((), [verdict])


def test_random_numbers_have_their_probability():
    found = traced(packet("10.0.0.1", "10.0.0.2", 80), text=BASE.format("numgen random mod 5 < 2 drop"))
    assert found.findings
    found = traced(packet("10.0.0.1", "10.0.0.2", 80), text=BASE.format("numgen random mod 5 { 0, 3 } drop"))
    assert {o.verdict: o.probability for o in found.outcomes} == {
        Verdict.DROPPED: Fraction(2, 5),
        Verdict.PASSED: Fraction(3, 5),
    }


def test_hooks_run_by_priority_and_nat_translates_once():
    text = """table ip b {
	chain late {
		type nat hook prerouting priority -90; policy accept;
		dnat to 10.0.0.9:9
	}
	chain early {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 10.0.0.2 dnat to 10.0.0.8:8
	}
}
"""
    for destination, endpoint in (("10.0.0.2", "10.0.0.8:8"), ("10.0.0.3", "10.0.0.9:9")):
        (outcome,) = traced(packet("10.0.0.1", destination, 80), text=text).outcomes
        assert outcome.endpoint == endpoint
    (outcome,) = traced(packet("10.0.0.1", "10.0.0.2", 80, established=True), text=text).outcomes
    assert outcome.verdict is Verdict.PASSED
