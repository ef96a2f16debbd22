from __future__ import annotations

import asyncio

import msgspec
import pytest

from switchboard.apply.conntrack_fake import FakeConntrack
from switchboard.apply.iptables_fake import FakeIptables
from switchboard.apply.nft_fake import FakeNft
from switchboard.base.discovery import load
from switchboard.compile.modes._mode import DetectLocal, ProxyOptions
from switchboard.rules.conntrack import Flow
from switchboard.run.proxy_state import Proxy, State, objects, options, program, program_iptables
from switchboard.view.build import build

SERVICE = {
    "kind": "Service",
    "metadata": {"namespace": "default", "name": "web"},
    "spec": {"clusterIP": "10.96.0.1", "ports": [{"port": 80, "protocol": "TCP"}]},
}
SLICE = {
    "metadata": {"namespace": "default", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
    "addressType": "IPv4",
    "ports": [{"port": 8080}],
    "endpoints": [{"addresses": ["10.244.1.1"], "nodeName": "n1"}],
}
NODE = {"name": "n1", "zone": "a", "ips": ["172.20.0.1"], "clusterCIDR": "10.244.0.0/16,fd00:244::/48"}


def state(**changes):
    whole = {"generation": 1, "node": NODE, "nodes": [], "services": [SERVICE], "endpointSlices": [SLICE]} | changes
    return msgspec.json.decode(msgspec.json.encode(whole), type=State)


def test_state_becomes_a_view():
    view, findings = build(objects(state()))
    assert findings == ()
    assert view.services[0].endpoints[0].address == "10.244.1.1"
    assert (view.nodes[0].zone, view.nodes[0].addresses) == ("a", ("172.20.0.1",))
    assert view.network.service_cidrs == ("10.96.0.0/12", "fd00:10:96::/112")


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({}, ProxyOptions(cluster_cidrs=())),
        ({"clusterCIDR": "10.0.0.0/8,fd00::/8"}, ProxyOptions(cluster_cidrs=("10.0.0.0/8", "fd00::/8"))),
        (
            {"detectLocal": {"mode": "BridgeInterface", "bridgeInterface": "br0"}, "masqueradeAll": True},
            ProxyOptions(
                cluster_cidrs=(), detect_local=DetectLocal.BRIDGE_INTERFACE, interface="br0", masquerade_all=True
            ),
        ),
        (
            {"nodePortAddresses": ["10.0.0.0/8"], "loIPs": ["10.9.9.9"]},
            ProxyOptions(cluster_cidrs=(), node_port_addresses=("10.0.0.0/8",), local_addresses=("10.9.9.9",)),
        ),
    ],
)
def test_settings(node, expected):
    assert options(node) == expected


def test_programs_the_difference_only():
    nft = FakeNft()
    applied = program(state(), None, nft)
    applied = program(state(), applied, nft)
    assert len(nft.transactions) == 1
    program(state(services=[]), applied, nft)
    assert "delete element ip kube-proxy cluster-ips { 10.96.0.1 }" in nft.transactions[1]


def test_forgets_udp_flows_to_endpoints_that_have_gone():
    ports = [{"port": 53, "protocol": "UDP"}]
    service = SERVICE | {"spec": {"clusterIP": "10.96.0.1", "ports": ports}}
    found = SLICE | {"ports": [{"port": 53, "protocol": "UDP"}]}
    gone = Flow("udp", "10.244.1.9", "10.96.0.1", 1000, 53, "10.244.1.7", 53)
    kept = msgspec.structs.replace(gone, reply_source="10.244.1.1")
    conntrack = FakeConntrack([gone, kept])
    program(state(services=[service], endpointSlices=[found]), None, FakeNft(), conntrack)
    assert conntrack.flows == (kept,)


def test_iptables_mode_reads_the_kernel_once_and_writes_what_changed():
    iptables = FakeIptables()
    applied = program_iptables(state(), None, iptables)
    assert iptables.loopback
    assert [family for family, _ in iptables.texts] == [4, 6]
    assert "-d 10.96.0.1/32 -p tcp" in iptables.texts[0][1]
    applied = program_iptables(state(), applied, iptables)
    program_iptables(state(), None, iptables)
    assert len(iptables.texts) == 2
    program_iptables(state(services=[]), applied, iptables)
    assert len(iptables.texts) == 3
    assert "10.96.0.1" not in iptables.save(4)


def test_loopback_stays_closed_when_asked():
    iptables = FakeIptables()
    program_iptables(state(node={**NODE, "localhostNodePorts": False}), None, iptables)
    assert not iptables.loopback


def test_health_is_told_after_a_sync(monkeypatch):
    told = []
    service = SERVICE | {
        "spec": SERVICE["spec"]
        | {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000}
    }

    async def update(checks):
        told.extend(checks)
        return ()

    proxy = Proxy(load("switchboard.compile.modes", "nftables", "MODE"), clock=lambda: 1000.0)
    monkeypatch.setattr(proxy.servers, "update", update)
    monkeypatch.setattr(proxy, "_program", lambda state: program(state, None, FakeNft()))
    asyncio.run(proxy.take(state(services=[service])))
    assert [(c.addresses, c.port, c.local_endpoints) for c in told] == [(("172.20.0.1",), 31000, 1)]
    assert proxy.answer("/livez").status == 200
    assert proxy.answer("/") is None
