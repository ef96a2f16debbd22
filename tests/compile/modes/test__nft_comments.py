from __future__ import annotations

import pytest

from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.modes._nft_comments import render
from switchboard.compile.modes.nftables import MODE
from switchboard.rules.nft_parse import parse
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

PORT = ServicePort(
    namespace="d",
    name="s",
    port_name="web",
    protocol="TCP",
    port=80,
    cluster_ips=("10.96.0.1", "fd00:10::1"),
    external_ips=("192.0.2.4",),
    node_port=30080,
    affinity_seconds=0,
    endpoints=(Endpoint("10.244.1.5", 8080, "n1"), Endpoint("fd00:244::5", 8080, "n1")),
)
VIEW = View(nodes=(Node(name="n1", addresses=("172.20.0.1", "fd00:20::1")),), services=(PORT,))


@pytest.mark.parametrize(
    "line",
    [
        "10.96.0.1,  # d/s",
        "10.96.0.1 . tcp . 80 : goto tcp-balance-1,  # d/s:web",
        "192.0.2.4 . tcp . 80 : goto tcp-external-1,  # d/s:web",
        "192.0.2.4 . 80 . 0 : 10.244.1.5 . 8080,  # d/s:web",
        "tcp . 30080 : goto tcp-nodeport-external-1,  # d/s:web",
        "30080 . 0 : 10.244.1.5 . 8080,  # d/s:web",
        "10.244.1.5 . 10.244.1.5 . tcp . 8080,  # d/s:web",
        "fd00:10::1 . 80 . 0 : fd00:244::5 . 8080,  # d/s:web",
        "172.20.0.1,",
    ],
)
def test_elements_name_their_service(line):
    ruleset, _ = MODE.compile(VIEW, "n1", ProxyOptions())
    assert f"\t\t\t{line}\n" in render(ruleset, VIEW)


def test_the_text_is_read_as_the_rules_that_it_shows():
    ruleset, _ = MODE.compile(VIEW, "n1", ProxyOptions())
    assert parse(MODE.render(ruleset, VIEW)) == (ruleset, ())
