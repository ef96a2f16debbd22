"""Reading listings: normal forms of the kernel, and never a guess."""

from __future__ import annotations

import pytest

from switchboard.rules.nft import Hook
from switchboard.rules.nft_parse import parse, parse_rule, seconds
from switchboard.rules.nft_statement import Action, Match, Unknown, Update, Verdict


@pytest.mark.parametrize(
    ("text", "expected"), [("3h", 10800), ("2h59m30s", 10770), ("1d", 86400), ("1s500ms", 1), ("", 0)]
)
def test_durations(text, expected):
    assert seconds(text) == expected


def test_listing_of_a_kernel():
    text = """table ip6 t { # handle 4
	set clients {
		typeof ip6 saddr
		size 65535
		flags dynamic,timeout
		elements = { fd00::1 timeout 3h expires 2h59m, fd00::2 timeout 3h expires 1m }
	}

	map m {
		type inet_proto . inet_service : verdict
		elements = { tcp . 80 : goto c, udp . 53 comment "x" : drop,
			tcp . 81 : goto c }
	}

	chain prerouting { # handle 1
		type nat hook prerouting priority dstnat - 10; policy accept;
		counter packets 5 bytes 300 update @clients { ip6 saddr timeout 3h } drop # handle 9
	}

	chain c {
	}
}
"""
    ruleset, _ = parse(text)
    table = ruleset.tables[0]
    assert table.sets["clients"].elements == {}
    assert table.sets["m"].elements["tcp . 81"] == "goto c"
    assert table.chains["prerouting"].hook == Hook("nat", "prerouting", -110)
    assert table.chains["prerouting"].rules[0].statements[1:] == (
        Update("clients", ("ip6 saddr",), 10800),
        Verdict(Action.DROP),
    )
    assert table.chains["c"].rules == ()


@pytest.mark.parametrize(
    "line",
    [
        "ip ttl 64 drop",
        "tcp flags & (fin | syn) == syn drop",
        "dnat ip to ip daddr map { 1.1.1.1 : 2.2.2.2",
        "ip saddr {",
        "meta mark set 0x1",
        "jump",
        "update clients { ip saddr }",
        "reject with teapot",
    ],
)
def test_what_is_not_understood_is_kept_and_reported(line):
    statement = parse_rule(line).statements[0]
    assert isinstance(statement, Unknown)
    _, findings = parse(f"table ip t {{\n\tchain c {{\n\t\t{line}\n\t}}\n}}\n")
    assert [f.reference for f in findings] == ["nft-unknown"]


def test_understood_part_before_the_unknown_one_is_kept():
    assert parse_rule("ip saddr 10.0.0.1 tproxy to :80").statements == (
        Match(("ip saddr",), ("10.0.0.1",)),
        Unknown("tproxy to :80"),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "table",
        "table ip t {",
        "table ip t {\n\tchain c {",
        "table ip t {\n\tset s {\n\t\telements = { a",
        "}\n}",
        "hello\n",
        "table ip t {\n\tset s {\n\t\tgc-interval 3h\n\t}\n}",
        "table ip t {\n\tflowtable f {\n\t}\n}",
    ],
)
def test_broken_texts_never_raise(text):
    parse(text)
