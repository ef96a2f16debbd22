from __future__ import annotations

import pytest

from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.node_ports import accepting, limits
from switchboard.view.node import Node

NODE = Node(name="n", addresses=("172.20.0.1", "10.50.0.1", "fd00:20::1"))


@pytest.mark.parametrize(
    ("family", "given", "primary", "expected"),
    [
        (4, (), True, {"172.20.0.1"}),
        (6, (), True, {"fd00:20::1"}),
        (4, (), False, None),
        (4, ("primary",), False, {"172.20.0.1"}),
        (4, ("10.0.0.0/8",), True, {"10.50.0.1", "10.9.9.9"}),
        (6, ("10.0.0.0/8",), True, None),
        (4, ("10.0.0.0/8", "0.0.0.0/0"), True, None),
        (4, ("127.0.0.0/8",), False, {"127.0.0.1"}),
        (6, ("::1/128",), False, {"::1"}),
        (4, ("192.0.2.0/24",), False, set()),
    ],
)
def test_addresses(family, given, primary, expected):
    options = ProxyOptions(node_port_addresses=given, local_addresses=("10.9.9.9",))
    assert accepting(family, NODE, options, primary=primary) == expected


def test_limits_are_of_one_family():
    options = ProxyOptions(node_port_addresses=("10.0.0.0/8", "fd00::/8", "primary"))
    assert (limits(4, options), limits(6, options)) == (("10.0.0.0/8",), ("fd00::/8",))
