"""Which tracked UDP flows must be forgotten (K117 to K122)."""

from __future__ import annotations

import pytest

from switchboard.compile.stale_flows import stale_flows, udp_endpoints_changed
from switchboard.rules.conntrack import Flow
from switchboard.view.model import View
from switchboard.view.service import Endpoint, ServicePort

ENDPOINT = Endpoint("10.244.0.1", 5353)
FACTS = {
    "namespace": "d",
    "name": "dns",
    "port_name": "",
    "protocol": "UDP",
    "port": 53,
    "cluster_ips": ("10.96.0.1",),
    "external_ips": ("192.0.2.1",),
    "load_balancer_ips": ("198.51.100.1",),
    "node_port": 30053,
    "endpoints": (ENDPOINT,),
}


def flow(destination="10.96.0.1", port=53, reply="10.244.0.1", reply_port=5353, protocol="udp"):
    return Flow(protocol, "10.244.9.9", destination, 1000, port, reply, reply_port)


@pytest.mark.parametrize(
    ("found", "facts", "stale"),
    [
        (flow(), {}, False),
        (flow(reply="10.244.0.2"), {}, True),
        (flow(reply_port=5454), {}, True),
        (flow("192.0.2.1", reply="10.244.0.2"), {}, True),
        (flow("198.51.100.1", reply="10.244.0.2"), {}, True),
        (flow("172.20.0.1", 30053, reply="10.244.0.2"), {}, True),
        (flow("172.20.0.1", 30053), {}, False),
        (flow(reply="10.96.0.1", reply_port=53), {}, True),
        (flow(reply="10.244.0.2"), {"endpoints": ()}, False),
        (flow(), {"endpoints": (Endpoint("10.244.0.1", 5353, ready=False, terminating=True),)}, False),
        (flow(reply="10.244.0.2"), {"headless": True}, False),
        (flow(reply="10.244.0.2"), {"protocol": "TCP"}, False),
        (flow(reply="10.244.0.2", protocol="tcp"), {}, False),
        (flow("10.96.0.9", reply="10.244.0.2"), {}, False),
    ],
)
def test_flows(found, facts, stale):
    view = View(services=(ServicePort(**(FACTS | facts)),))
    assert stale_flows(view, [found]) == ((found,) if stale else ())


def test_only_changed_endpoints_call_for_a_look():
    def view(**facts):
        return View(services=(ServicePort(**(FACTS | facts)),))

    assert udp_endpoints_changed(None, view())
    assert not udp_endpoints_changed(view(), view(load_balancer_ips=()))
    assert udp_endpoints_changed(view(), view(endpoints=(Endpoint("10.244.0.2", 5353),)))
    assert udp_endpoints_changed(View(), view())
    assert not udp_endpoints_changed(view(protocol="TCP"), view(protocol="TCP", endpoints=()))
