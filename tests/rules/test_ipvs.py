from __future__ import annotations

import pytest

from switchboard.rules import iptables
from switchboard.rules.ipvs import (
    AddressSet,
    RealServer,
    Ruleset,
    VirtualServer,
    parse_servers,
    parse_sets,
    place,
    render_servers,
    render_sets,
    validate,
)

SERVERS = (
    VirtualServer(address="10.96.0.1", port=80, protocol="TCP", servers=(RealServer("10.244.1.5", 8080),)),
    VirtualServer(address="10.96.0.1", port=53, protocol="UDP", scheduler="wrr", persistence=600),
    VirtualServer(
        address="fd00:10::1",
        port=80,
        protocol="SCTP",
        scheduler="mh",
        flags=("mh-port",),
        servers=(RealServer("fd00:244::5", 8080, 0), RealServer("fd00:244::6", 8080, 3)),
    ),
)
TEXT = """\
-A -t 10.96.0.1:80 -s rr
-a -t 10.96.0.1:80 -r 10.244.1.5:8080 -m -w 1
-A -u 10.96.0.1:53 -s wrr -p 600
-A --sctp-service [fd00:10::1]:80 -s mh -b mh-port
-a --sctp-service [fd00:10::1]:80 -r [fd00:244::5]:8080 -m -w 0
-a --sctp-service [fd00:10::1]:80 -r [fd00:244::6]:8080 -m -w 3
"""
SETS = (
    AddressSet("KUBE-A", "hash:ip,port", 4, ("10.96.0.1,tcp:80", "10.96.0.2,tcp:80")),
    AddressSet("KUBE-6-A", "hash:ip", 6),
    AddressSet("KUBE-P", "bitmap:port", 4, ("30080",)),
)


def test_servers():
    assert render_servers(SERVERS) == TEXT
    assert parse_servers(TEXT) == (SERVERS, ())
    said = VirtualServer(address="10.96.0.1", port=80, protocol="TCP", comment="d/s")
    assert render_servers((said,), comments=True) == "# d/s\n-A -t 10.96.0.1:80 -s rr\n"
    assert render_servers((said,)) == "-A -t 10.96.0.1:80 -s rr\n"


@pytest.mark.parametrize(
    "line",
    [
        "-A -f 5 -s rr",
        "-A -t 10.0.0.1 -s rr",
        "-A -t 10.0.0.1:80 -s rr --pe sip",
        "-A -t 10.0.0.1:80 -s",
        "-a -t 10.0.0.9:80 -r 10.0.0.1:80 -m -w 1",
        "-a -t 10.96.0.1:80 -r 10.0.0.1:80 -g -w 1",
        "-Z",
    ],
)
def test_servers_that_are_not_understood(line):
    servers, (finding,) = parse_servers(f"{TEXT}{line}\n")
    assert (servers, finding.reference, finding.object) == (SERVERS, "ipvs-unknown", "line 7")


def test_sets():
    text = render_sets(SETS)
    assert text.splitlines()[:4] == [
        "create KUBE-A hash:ip,port family inet",
        "flush KUBE-A",
        "add KUBE-A 10.96.0.1,tcp:80",
        "add KUBE-A 10.96.0.2,tcp:80",
    ]
    assert "create KUBE-P bitmap:port range 0-65535\n" in text
    assert parse_sets(text) == (SETS, ())
    saved = text.replace("family inet6", "family inet6 hashsize 1024 maxelem 65536")
    assert parse_sets(saved) == (SETS, ())
    assert [f.object for f in parse_sets("add GONE 1\nswap a b\n\n# x\n")[1]] == ["line 1", "line 2"]


def chains(name):
    option = iptables.Option("--match-set", (name, "dst"))
    rule = iptables.Rule((iptables.Match("set", (option,)),), "ACCEPT")
    return iptables.Ruleset(4, {"filter": {"INPUT": iptables.Chain((rule,), "ACCEPT")}})


@pytest.mark.parametrize(
    ("ruleset", "references"),
    [
        (Ruleset(SERVERS, SETS, (), (chains("KUBE-A"),)), []),
        (Ruleset((SERVERS[0], SERVERS[0])), ["ipvs-twice"]),
        (Ruleset((VirtualServer(address="::1", port=1, protocol="TCP", scheduler="x"),)), ["ipvs-scheduler"]),
        (Ruleset(sets=(AddressSet("K" * 32, "hash:ip"),)), ["ipvs-name"]),
        (Ruleset(chains=(chains("KUBE-B"),)), ["ipvs-reference"]),
        (Ruleset(chains=(iptables.Ruleset(4, {"nat": {"A" * 40: iptables.Chain()}}),)), ["iptables-name"]),
    ],
)
def test_faults(ruleset, references):
    assert [f.reference for f in validate(ruleset)] == references


def test_places():
    assert (place("10.0.0.1", 80), place("fd00::1", 80)) == ("10.0.0.1:80", "[fd00::1]:80")
    assert SERVERS[1].key == ("10.96.0.1", 53, "UDP")
