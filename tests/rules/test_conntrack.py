from __future__ import annotations

from switchboard.rules.conntrack import Flow, parse, render_deletions

LISTING = """\
udp 17 99 src=fd00::1 dst=fd00::2 sport=1000 dport=53 [UNREPLIED] src=fd00::2 dst=fd00::1 sport=53 dport=1000
udp 17 29 src=10.0.0.1 dst=10.96.0.1 sport=1001 dport=53 [ASSURED] src=10.244.0.1 dst=10.0.0.1 sport=5353 dport=1001
icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=1 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=1
udp      17 29 src=10.0.0.1 dst=10.96.0.1 sport=1001 dp
"""
SIX = Flow("udp", "fd00::1", "fd00::2", 1000, 53, "fd00::2", 53)
FOUR = Flow("udp", "10.0.0.1", "10.96.0.1", 1001, 53, "10.244.0.1", 5353)


def test_listing():
    assert parse(LISTING) == (SIX, FOUR)


def test_deletions():
    assert render_deletions([SIX, FOUR]).splitlines() == [
        "-D -p udp -f ipv6 -s fd00::1 -d fd00::2 --sport 1000 --dport 53",
        "-D -p udp -s 10.0.0.1 -d 10.96.0.1 --sport 1001 --dport 53",
    ]
