"""Every statement type renders in the form in which the kernel's listing has it; the table lists all types."""

from __future__ import annotations

import typing

import pytest

from switchboard.rules.nft_parse import parse_rule
from switchboard.rules.nft_statement import (
    Action,
    Counter,
    Dnat,
    Masquerade,
    Match,
    Reject,
    SetMark,
    Statement,
    Unknown,
    Update,
    Verdict,
    VerdictMap,
    chains_of,
    expressions_of,
    known,
    sets_of,
)

SERVICE = ("ip daddr", "meta l4proto", "th dport")
EXAMPLES = [
    (Match(("ip saddr",), ("10.0.0.0/8",)), "ip saddr 10.0.0.0/8"),
    (Match(("ip saddr",), ("10.0.0.0/8", "192.168.0.1"), True), "ip saddr != { 10.0.0.0/8, 192.168.0.1 }"),
    (Match(("ip6 daddr",), ("@cluster-ips",)), "ip6 daddr @cluster-ips"),
    (Match(("ct state",), ("new",)), "ct state new"),
    (Match(("iifname",), ('"pod*"',)), 'iifname "pod*"'),
    (Match(("numgen random mod 3",), ("0",)), "numgen random mod 3 0"),
    (Match(("meta mark & 0x00004000",), ("0x00000000",), True), "meta mark & 0x00004000 != 0x00000000"),
    (
        Match(("ip saddr", "th dport"), ("1.1.1.1 . 53", "1.1.1.2 . 53")),
        "ip saddr . th dport { 1.1.1.1 . 53, 1.1.1.2 . 53 }",
    ),
    (Verdict(Action.DROP), "drop"),
    (Verdict(Action.GOTO, "tcp-balance-3"), "goto tcp-balance-3"),
    (VerdictMap(SERVICE, "service-ips"), "ip daddr . meta l4proto . th dport vmap @service-ips"),
    (
        VerdictMap(("numgen random mod 2",), "", (("0", Verdict(Action.GOTO, "a")), ("1", Verdict(Action.DROP)))),
        "numgen random mod 2 vmap { 0 : goto a, 1 : drop }",
    ),
    (
        Dnat(family="ip", key=("ip daddr", "tcp dport", "numgen random mod 3"), name="tcp-endpoints"),
        "dnat ip to ip daddr . tcp dport . numgen random mod 3 map @tcp-endpoints",
    ),
    (Dnat(address="10.0.0.1", port=80), "dnat to 10.0.0.1:80"),
    (Dnat(address="fd00::1", port=80), "dnat to [fd00::1]:80"),
    (Dnat(address="fd00::1"), "dnat to fd00::1"),
    (Masquerade(), "masquerade"),
    (Masquerade(("fully-random",)), "masquerade fully-random"),
    (Reject(), "reject"),
    (Reject("tcp reset"), "reject with tcp reset"),
    (SetMark("|", 0x4000), "meta mark set meta mark | 0x00004000"),
    (Update("clients", ("ip saddr",), 30), "update @clients { ip saddr timeout 30s }"),
    (Update("clients", ("ip saddr",)), "update @clients { ip saddr }"),
    (Counter(), "counter"),
    (Unknown("tproxy to :80"), "tproxy to :80"),
]


@pytest.mark.parametrize(("statement", "text"), EXAMPLES)
def test_rendering_and_parsing_are_inverse(statement, text):
    assert statement.render() == text
    assert parse_rule(text).statements == (statement,)


def test_every_type_has_an_example():
    assert {type(s) for s, _ in EXAMPLES} == set(typing.get_args(Statement))


def test_references():
    assert chains_of(Verdict(Action.JUMP, "a")) == ("a",)
    assert chains_of(EXAMPLES[11][0]) == ("a",)
    assert chains_of(Reject()) == ()
    assert sets_of(Match(("ip saddr",), ("@s",))) == ("s",)
    assert sets_of(Match(("ip saddr",), ("1.1.1.1",))) == ()
    assert sets_of(Update("u", ("ip saddr",))) == ("u",)
    assert expressions_of(VerdictMap(SERVICE, "m")) == SERVICE


@pytest.mark.parametrize(
    ("expression", "expected"), [("ip saddr", True), ("numgen random mod 7", True), ("ip ttl", False)]
)
def test_known_expressions(expression, expected):
    assert known(expression) is expected
