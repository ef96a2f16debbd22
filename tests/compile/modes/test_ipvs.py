"""One golden of everything, and tables of what each kind of Service adds.

Run as a program, this file writes the golden anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from switchboard.base.discovery import load
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.modes.ipvs import MODE, sysctls
from switchboard.rules.ipvs import RealServer, parse_servers, parse_sets, render_servers, render_sets, validate
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

GOLDEN = Path(__file__).parents[2] / "cases" / "proxy" / "golden-ipvs.txt"
NETWORK = ClusterNetwork(service_cidrs=("10.96.0.0/12",), pod_cidrs=("10.244.0.0/16", "fd00:244::/48"))
NODES = (Node(name="n1", addresses=("172.20.0.1", "10.50.0.1", "fd00:20::1")), Node(name="n2"))
HERE, THERE = (Endpoint(f"10.244.{i}.5", 8080, f"n{i}") for i in (1, 2))
SIX = Endpoint("fd00:244:0:1::5", 8080, "n1")
VIP = "198.51.100.7"
BALANCER = {"type": "LoadBalancer", "load_balancer_ips": (VIP,), "node_port": 30080}


def port(**facts):
    base = {
        "namespace": "d",
        "name": "s",
        "port_name": "",
        "protocol": "TCP",
        "port": 80,
        "cluster_ips": ("10.96.0.1",),
        "endpoints": (HERE, THERE),
    }
    return ServicePort(**(base | facts))


def compiled(*services, **options):
    ruleset, findings = MODE.compile(
        View(network=NETWORK, nodes=NODES, services=services), "n1", ProxyOptions(**options)
    )
    assert validate(ruleset) == ()
    assert findings == ()
    return ruleset


def servers(ruleset):
    return {f"{s.address}:{s.port}": [r.address for r in s.servers] for s in ruleset.servers}


def sets(ruleset):
    return {s.name.removeprefix("KUBE-"): list(s.entries) for s in ruleset.sets if s.entries}


def text():
    services = (
        port(),
        port(name="affine", cluster_ips=("10.96.0.2",), affinity_seconds=600, node_port=30081),
        port(name="dual", cluster_ips=("10.96.0.3", "fd00:10:96::3"), endpoints=(HERE, SIX)),
        port(name="guarded", cluster_ips=("10.96.0.5",), source_ranges=("192.168.0.0/24",), **BALANCER),
        port(name="talk", cluster_ips=("10.96.0.8",), protocol="UDP", port=53, port_name="dns"),
    )
    return MODE.render(compiled(*services), View())


def test_everything():
    assert text() == GOLDEN.read_text()


def test_mode_is_found_by_its_file_name():
    assert load("switchboard.compile.modes", "ipvs", "MODE") is MODE


def test_renderings_are_read_back():
    ruleset = compiled(port(affinity_seconds=5, **BALANCER))
    assert parse_sets(render_sets(ruleset.sets)) == (ruleset.sets, ())
    found, findings = parse_servers(render_servers(ruleset.servers))
    assert (len(found), findings) == (len(ruleset.servers), ())


def test_cluster_address():
    ruleset = compiled(port())
    assert servers(ruleset) == {"10.96.0.1:80": ["10.244.1.5", "10.244.2.5"]}
    assert ruleset.addresses == ("10.96.0.1",)
    assert sets(ruleset) == {
        "CLUSTER-IP": ["10.96.0.1,tcp:80"],
        "IPVS-IPS": ["10.96.0.1"],
        "LOOP-BACK": ["10.244.1.5,tcp:8080,10.244.1.5"],
    }


@pytest.mark.parametrize(
    ("facts", "cluster", "external"),
    [
        ({}, ["10.244.1.5", "10.244.2.5"], ["10.244.1.5", "10.244.2.5"]),
        ({"internal_local": True}, ["10.244.1.5"], ["10.244.1.5", "10.244.2.5"]),
        ({"external_local": True}, ["10.244.1.5", "10.244.2.5"], ["10.244.1.5"]),
        ({"internal_local": True, "external_local": True, "endpoints": (THERE,)}, ["10.244.2.5"], ["10.244.2.5"]),
        ({"endpoints": ()}, [], []),
    ],
)
def test_policies_fall_back_to_all_endpoints(facts, cluster, external):
    found = servers(compiled(port(**BALANCER, **facts)))
    assert found["10.96.0.1:80"] == cluster
    assert {found[p] == external for p in (f"{VIP}:80", "172.20.0.1:30080", "10.50.0.1:30080")} == {True}
    assert len(found) == 4


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"external_ips": ("192.0.2.4",)}, {"EXTERNAL-IP": ["192.0.2.4,tcp:80"]}),
        ({"external_ips": ("192.0.2.4",), "external_local": True}, {"EXTERNAL-IP-LOCAL": ["192.0.2.4,tcp:80"]}),
        ({"node_port": 30080}, {"NODE-PORT-TCP": ["30080"]}),
        ({"node_port": 30080, "external_local": True, "protocol": "UDP"},
         {"NODE-PORT-UDP": ["30080"], "NODE-PORT-LOCAL-UDP": ["30080"]}),
        ({"node_port": 30080, "protocol": "SCTP"},
         {"NODE-PORT-SCTP-HASH": ["10.50.0.1,sctp:30080", "172.20.0.1,sctp:30080"]}),
        ({**BALANCER, "node_port": 0, "external_local": True, "health_check_node_port": 31000},
         {"LOAD-BALANCER": [f"{VIP},tcp:80"], "LOAD-BALANCER-LOCAL": [f"{VIP},tcp:80"],
          "HEALTH-CHECK-NODE-PORT": ["31000"]}),
    ],
)  # fmt: skip
def test_external_destinations_are_in_sets(facts, expected):
    found = sets(compiled(port(**facts)))
    assert {n: e for n, e in found.items() if n not in ("CLUSTER-IP", "IPVS-IPS", "LOOP-BACK")} == expected


@pytest.mark.parametrize(("range_", "own"), [("172.20.0.0/16", True), ("192.168.0.0/24", False)])
def test_source_ranges(range_, own):
    ruleset = compiled(port(source_ranges=(range_,), **BALANCER))
    found = sets(ruleset)
    assert found["LOAD-BALANCER-FW"] == [f"{VIP},tcp:80"]
    assert found["LOAD-BALANCER-SOURCE-CIDR"] == [f"{VIP},tcp:80,{range_}"]
    assert found.get("LOAD-BALANCER-SOURCE-IP", []) == ([f"{VIP},tcp:80,{VIP}"] if own else [])
    assert len(ruleset.chains[0].tables["filter"]["KUBE-IPVS-OUT-FILTER"].rules) == (0 if own else 1)


def test_affinity_is_persistence_and_schedulers_are_chosen():
    (server,) = compiled(port(affinity_seconds=30), ipvs_scheduler="mh").servers
    assert (server.persistence, server.scheduler, server.flags) == (30, "mh", ("mh-port",))
    assert server.servers == (RealServer("10.244.1.5", 8080), RealServer("10.244.2.5", 8080))
    ruleset, findings = MODE.compile(View(nodes=NODES, services=(port(),)), "n1", ProxyOptions(ipvs_scheduler="x"))
    assert ([f.reference for f in findings], ruleset.servers[0].scheduler) == (["unknown-scheduler"], "rr")


def test_an_address_of_the_node_is_not_put_on_the_dummy_interface():
    ruleset = compiled(port(external_ips=("172.20.0.1", "10.9.9.9", "192.0.2.4")), local_addresses=("10.9.9.9",))
    assert ruleset.addresses == ("10.96.0.1", "192.0.2.4")


def test_node_ports_are_where_they_are_wanted():
    ruleset = compiled(port(node_port=30080), node_port_addresses=("10.0.0.0/8", "127.0.0.0/8"))
    assert [s for s in servers(ruleset) if s.endswith(":30080")] == ["10.50.0.1:30080"]


def test_the_number_of_chains_and_rules_does_not_grow():
    few, many = compiled(port()), compiled(*(port(name=f"s{i}", cluster_ips=(f"10.96.1.{i}",)) for i in range(50)))
    assert few.chains == many.chains
    assert [s.name for s in few.sets] == [s.name for s in many.sets]


def test_sysctls_depend_on_the_kernel():
    assert "ipv4/vs/conn_reuse_mode" in sysctls((5, 4))
    assert "ipv4/vs/conn_reuse_mode" not in sysctls((6, 18))
    assert sysctls((6, 18), strict_arp=True)["ipv4/conf/all/arp_announce"] == "2"


if __name__ == "__main__":
    GOLDEN.write_text(text())
