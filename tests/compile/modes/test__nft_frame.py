from __future__ import annotations

import pytest

from switchboard.compile.modes._nft_frame import Words, base_chains, collapsed, empty_sets, endpoint_map


@pytest.mark.parametrize(
    ("family", "ranges", "expected"),
    [
        (4, ("10.0.1.0/24", "10.0.0.0/24", "fd00::/8"), ("10.0.0.0/23",)),
        (4, ("10.0.0.7", "10.0.0.0/8"), ("10.0.0.0/8",)),
        (4, ("192.0.2.9", "10.0.0.0/8"), ("10.0.0.0/8", "192.0.2.9")),
        (6, ("fd00::1", "10.0.0.0/8"), ("fd00::1",)),
    ],
)
def test_ranges_without_overlap(family, ranges, expected):
    assert collapsed(family, ranges) == expected


def test_hooks_are_in_the_order_of_the_specification():
    hooks = {(c.hook.hook, c.hook.priority): (c.hook.type, n) for n, c in base_chains().items()}
    assert hooks == {
        ("prerouting", -110): ("filter", "filter-prerouting-pre-dnat"),
        ("output", -110): ("filter", "filter-output-pre-dnat"),
        ("input", 0): ("filter", "filter-input"),
        ("forward", 0): ("filter", "filter-forward"),
        ("output", 0): ("filter", "filter-output"),
        ("prerouting", -100): ("nat", "nat-prerouting"),
        ("output", -100): ("nat", "nat-output"),
        ("postrouting", 100): ("nat", "nat-postrouting"),
    }


def test_words_and_keys_of_a_family():
    assert Words(6).service == ("ip6 daddr", "meta l4proto", "th dport")
    assert empty_sets(6)["cluster-ips"].key == "ipv6_addr"
    keyed = endpoint_map(Words(4), "udp", node_port=True)
    assert (keyed.key, keyed.data) == ("udp dport . numgen random mod 2", "ip daddr . udp dport")
