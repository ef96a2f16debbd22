"""Rulesets: render as the kernel lists, validate what the kernel would refuse."""

from __future__ import annotations

import pytest

from switchboard.rules.nft import Chain, Hook, Rule, Ruleset, Set, Table, render, validate
from switchboard.rules.nft_parse import parse
from switchboard.rules.nft_statement import Action, Match, Unknown, Update, Verdict, VerdictMap

GOOD = Table(
    family="ip",
    name="kube-proxy",
    chains={
        "nat-output": Chain((Rule((VerdictMap(("ip daddr",), "m"),)),), Hook("nat", "output", -100)),
        "a": Chain((Rule((Match(("ip saddr",), ("@s",)), Verdict(Action.DROP)), "why not"),), comment="here"),
    },
    sets={
        "m": Set(key="ipv4_addr", data="verdict", elements={"10.0.0.2": "drop", "10.0.0.1": "goto a"}),
        "s": Set(typeof=True, key="ip saddr", flags=("dynamic", "timeout"), size=100, comment="clients"),
    },
)
TEXT = """table ip kube-proxy {
	map m {
		type ipv4_addr : verdict
		elements = { 10.0.0.1 : goto a,
			10.0.0.2 : drop }
	}
	set s {
		typeof ip saddr
		size 100
		flags dynamic,timeout
		comment "clients"
	}
	chain a {
		comment "here"
		ip saddr @s drop comment "why not"
	}
	chain nat-output {
		type nat hook output priority -100; policy accept;
		ip daddr vmap @m
	}
}
"""


def test_render_and_parse():
    assert render(Ruleset((GOOD,))) == TEXT
    assert parse(TEXT) == (Ruleset((GOOD,)), ())
    assert validate(Ruleset((GOOD,))) == ()
    assert Ruleset((GOOD,)).table("ip", "kube-proxy") is GOOD
    assert Ruleset((GOOD,)).table("ip6", "kube-proxy") is None


def table(chains=None, sets=None, **rest):
    return Table(**({"family": "ip", "name": "t"} | rest), chains=chains or {}, sets=sets or {})


def chain(*statements, comment=""):
    return {"c": Chain((Rule(statements, comment),))}


@pytest.mark.parametrize(
    ("faulty", "reference"),
    [
        (table(family="arp6"), "nft-family"),
        (table(name="1 t"), "nft-name"),
        (table(chains={"a b": Chain()}), "nft-name"),
        (table(chains=chain(Verdict(Action.GOTO, "x"))), "nft-reference"),
        (table(chains=chain(Update("x", ("ip saddr",)))), "nft-reference"),
        (table(chains=chain(Match(("ip ttl",), ("1",)))), "nft-unknown"),
        (table(chains=chain(Unknown("tproxy"))), "nft-unknown"),
        (table(chains=chain(comment='a"b')), "nft-comment"),
        (table(sets={"s": Set(key="ipv4_addr . inet_service", elements={"10.0.0.1": ""})}), "nft-element"),
        (table(sets={"s": Set(key="ipv4_addr", elements={"10.0.0.1": "drop"})}), "nft-element"),
        (table(sets={"s": Set(key="ipv4_addr", data="verdict", elements={"10.0.0.1": "goto x"})}), "nft-reference"),
    ],
)
def test_faults(faulty, reference):
    assert [f.reference for f in validate(Ruleset((faulty,)))] == [reference]
