"""The whole view is a value that travels as JSON, which `--view` and the control socket rely on."""

from __future__ import annotations

import msgspec

from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.route import Gateway
from switchboard.view.service import Endpoint, ServicePort

VIEW = View(
    network=ClusterNetwork(service_cidrs=("10.96.0.0/12",)),
    nodes=(Node(name="node-1"),),
    services=(
        ServicePort(
            namespace="a", name="b", port_name="", protocol="TCP", port=80, endpoints=(Endpoint("10.244.1.2", 8080),)
        ),
    ),
    gateways=(Gateway(name="nginx"),),
)


def test_a_view_survives_json_and_builtins() -> None:
    assert msgspec.json.decode(msgspec.json.encode(VIEW), type=View) == VIEW
    assert msgspec.convert(msgspec.to_builtins(VIEW), View) == VIEW


def test_equal_facts_are_equal_views() -> None:
    assert msgspec.structs.replace(VIEW) == VIEW
    assert msgspec.structs.replace(VIEW, nodes=()) != VIEW
