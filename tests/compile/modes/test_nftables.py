"""One golden of a whole ruleset, and tables of what each kind of Service adds.

Run as a program, this file writes the golden anew.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from switchboard.base.discovery import load
from switchboard.compile.modes._mode import DetectLocal, ProxyOptions
from switchboard.compile.modes.nftables import MODE
from switchboard.rules import nft
from switchboard.rules.nft_parse import parse
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

GOLDEN = Path(__file__).parents[2] / "cases" / "proxy" / "golden-nftables.nft"
NETWORK = ClusterNetwork(
    service_cidrs=("10.96.0.0/12", "fd00:10:96::/112"), pod_cidrs=("10.244.0.0/16", "fd00:244::/48")
)
NODES = (
    Node(name="n1", addresses=("172.20.0.1", "10.50.0.1", "fd00:20::1"), zone="a", pod_cidrs=("10.244.1.0/24",)),
    Node(name="n2", addresses=("172.20.0.2", "fd00:20::2"), zone="b"),
)
HERE, THERE, FAR = (
    Endpoint("10.244.1.5", 8080, "n1"),
    Endpoint("10.244.2.5", 8080, "n2"),
    Endpoint("10.244.3.5", 8080, "n3"),
)
SIX = Endpoint("fd00:244:0:1::5", 8080, "n1")
CLUSTER_KEY = "10.96.0.1 . tcp . 80"
VIP, VIP_KEY = "198.51.100.7", "198.51.100.7 . tcp . 80"


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


def tables(*services, node="n1", nodes=NODES, **options):
    ruleset, findings = MODE.compile(
        View(network=NETWORK, nodes=nodes, services=services), node, ProxyOptions(**options)
    )
    assert nft.validate(ruleset) == ()
    return ruleset, findings


def ip(*services, **rest):
    """The IPv4 table of services that are all right."""
    ruleset, findings = tables(*services, **rest)
    assert findings == ()
    return ruleset.table("ip", "kube-proxy")


def lines(table, chain):
    return [rule.render().partition(" comment ")[0] for rule in table.chains[chain].rules]


def elements(table, name):
    return dict(table.sets[name].elements) if name in table.sets else {}


def whole():
    """A ruleset that has every feature of the mode in it."""
    balancer = {"type": "LoadBalancer", "load_balancer_ips": (VIP,), "node_port": 30080}
    services = (
        port(),
        port(name="affine", cluster_ips=("10.96.0.2",), affinity_seconds=600, node_port=30081),
        port(name="dual", cluster_ips=("10.96.0.3", "fd00:10:96::3"), endpoints=(HERE, SIX)),
        port(name="empty", cluster_ips=("10.96.0.4",), endpoints=(), external_ips=("192.0.2.4",)),
        port(name="guarded", cluster_ips=("10.96.0.5",), source_ranges=("172.20.0.0/16", "192.168.0.0/24"), **balancer),
        port(
            name="local", cluster_ips=("10.96.0.6",), external_local=True, external_ips=("192.0.2.6",), node_port=30082
        ),
        port(name="near", cluster_ips=("10.96.0.7",), internal_local=True, endpoints=(THERE,)),
        port(name="talk", cluster_ips=("10.96.0.8",), protocol="UDP", port=53, port_name="dns"),
    )
    return tables(*services)[0]


def test_whole_ruleset():
    assert nft.render(whole()) == GOLDEN.read_text()


def test_golden_is_what_the_parser_reads():
    assert parse(GOLDEN.read_text()) == (whole(), ())


def test_mode_is_found_by_its_file_name():
    assert load("switchboard.compile.modes", "nftables", "MODE") is MODE
    assert MODE.name == "nftables"


def test_cluster_address():
    table = ip(port())
    assert elements(table, "cluster-ips") == {"10.96.0.1": ""}
    assert elements(table, "service-ips") == {CLUSTER_KEY: "goto tcp-balance-2"}
    assert elements(table, "tcp-endpoints") == {
        "10.96.0.1 . 80 . 0": "10.244.1.5 . 8080",
        "10.96.0.1 . 80 . 1": "10.244.2.5 . 8080",
    }
    assert elements(table, "hairpin-connections") == {"10.244.1.5 . 10.244.1.5 . tcp . 8080": ""}
    assert lines(table, "tcp-balance-2")[0] == (
        "dnat ip to ip daddr . tcp dport . numgen random mod 2 map @tcp-endpoints"
    )


def test_equal_counts_share_a_chain():
    table = ip(*(port(name=f"s{i}", cluster_ips=(f"10.96.1.{i}",)) for i in range(20)))
    assert [c for c in table.chains if "balance" in c] == ["tcp-balance-2"]


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"endpoints": ()}, "goto reject-chain"),
        ({"endpoints": (THERE,), "internal_local": True}, "drop"),
        ({"endpoints": (), "internal_local": True}, "goto reject-chain"),
    ],
)
def test_cluster_address_without_endpoints(facts, verdict):
    table = ip(port(**facts))
    assert elements(table, "service-ips") == {}
    assert elements(table, "no-endpoint-services") == {CLUSTER_KEY: verdict}
    assert elements(table, "cluster-ips") == {"10.96.0.1": ""}


def test_internal_local_uses_this_node_only():
    table = ip(port(internal_local=True))
    assert elements(table, "tcp-endpoints") == {"10.96.0.1 . 80 . 0": "10.244.1.5 . 8080"}


def test_external_destinations_under_the_cluster_policy():
    table = ip(port(type="LoadBalancer", load_balancer_ips=(VIP,), external_ips=("192.0.2.1",), node_port=30080))
    assert elements(table, "service-ips")[VIP_KEY] == "goto tcp-external-2"
    assert elements(table, "service-ips")["192.0.2.1 . tcp . 80"] == "goto tcp-external-2"
    assert elements(table, "service-nodeports") == {"tcp . 30080": "goto tcp-nodeport-external-2"}
    assert lines(table, "tcp-external-2") == ["meta mark set meta mark | 0x00004000", "goto tcp-balance-2"]
    assert lines(table, "tcp-nodeport-external-2")[1] == "goto tcp-nodeport-balance-2"
    assert set(elements(table, "tcp-nodeport-endpoints")) == {"30080 . 0", "30080 . 1"}


SHORT_CIRCUITS = [
    "ip saddr 10.244.0.0/16 goto tcp-balance-2",
    "fib saddr type local meta mark set meta mark | 0x00004000",
    "fib saddr type local goto tcp-balance-2",
]


def test_external_local_with_local_endpoint():
    table = ip(port(external_local=True, load_balancer_ips=(VIP,)))
    assert elements(table, "service-ips")[VIP_KEY] == "goto tcp-external-2-local-1"
    assert lines(table, "tcp-external-2-local-1") == [*SHORT_CIRCUITS, "goto tcp-local-balance-1"]
    assert elements(table, "tcp-local-endpoints") == {f"{VIP} . 80 . 0": "10.244.1.5 . 8080"}
    assert elements(table, "no-endpoint-services") == {}


def test_external_local_without_local_endpoint():
    table = ip(port(external_local=True, load_balancer_ips=(VIP,), node_port=30080, endpoints=(THERE, FAR)))
    assert lines(table, "tcp-external-2-local-0") == SHORT_CIRCUITS
    assert elements(table, "no-endpoint-services") == {VIP_KEY: "drop"}
    assert elements(table, "no-endpoint-nodeports") == {"tcp . 30080": "drop"}
    assert elements(table, "service-ips")[CLUSTER_KEY] == "goto tcp-balance-2"


def test_no_endpoint_anywhere_rejects_everywhere():
    table = ip(port(external_local=True, load_balancer_ips=(VIP,), node_port=30080, endpoints=()))
    assert set(elements(table, "no-endpoint-services").values()) == {"goto reject-chain"}
    assert elements(table, "no-endpoint-nodeports") == {"tcp . 30080": "goto reject-chain"}
    assert elements(table, "service-ips") == elements(table, "service-nodeports") == {}


def test_source_ranges():
    far = ip(port(load_balancer_ips=(VIP,), source_ranges=("192.168.50.0/24", "192.168.50.0/25"), endpoints=()))
    (name,) = elements(far, "firewall-ips").values()
    assert lines(far, name.removeprefix("goto ")) == ["ip saddr != 192.168.50.0/24 drop"]
    near = ip(port(load_balancer_ips=(VIP,), source_ranges=("172.20.0.0/24",)))
    (name,) = elements(near, "firewall-ips").values()
    assert lines(near, name.removeprefix("goto ")) == ["ip saddr != { 172.20.0.0/24, 198.51.100.7 } drop"]
    other = ip(port(load_balancer_ips=(VIP,), source_ranges=("fd00::/16",)))
    assert elements(other, "firewall-ips") == {}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["ip daddr @cluster-ips ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x00004000"]),
        ({"cluster_cidrs": ()}, []),
        ({"masquerade_all": True}, ["ip daddr @cluster-ips meta mark set meta mark | 0x00004000"]),
        (
            {"detect_local": DetectLocal.NODE_CIDR, "masquerade_bit": 3},
            ["ip daddr @cluster-ips ip saddr != 10.244.1.0/24 meta mark set meta mark | 0x00000008"],
        ),
        (
            {"detect_local": DetectLocal.BRIDGE_INTERFACE, "interface": "cni0"},
            ['ip daddr @cluster-ips iifname != "cni0" meta mark set meta mark | 0x00004000'],
        ),
        (
            {"detect_local": DetectLocal.INTERFACE_NAME_PREFIX, "interface": "pod"},
            ['ip daddr @cluster-ips iifname != "pod*" meta mark set meta mark | 0x00004000'],
        ),
    ],
)
def test_masquerade_of_cluster_traffic(options, expected):
    assert lines(ip(port(), **options), "services")[:-2] == expected


@pytest.mark.parametrize(
    ("wanted", "addresses"),
    [
        ((), {"172.20.0.1"}),
        (("primary",), {"172.20.0.1"}),
        (("10.50.0.0/16",), {"10.50.0.1"}),
        (("10.99.0.0/16",), set()),
        (("192.0.2.0/24",), {"192.0.2.1"}),
    ],
)
def test_node_port_addresses(wanted, addresses):
    table = ip(port(node_port=30080), node_port_addresses=wanted, local_addresses=("192.0.2.1",))
    assert set(elements(table, "nodeport-ips")) == addresses
    assert lines(table, "services")[-1] == "ip daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports"


@pytest.mark.parametrize("wanted", ["0.0.0.0/0", "fd00::/16"])
def test_node_port_on_every_address_but_loopback(wanted):
    table = ip(port(node_port=30080), node_port_addresses=(wanted,))
    assert "nodeport-ips" not in table.sets
    assert lines(table, "services")[-1] == (
        "fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @service-nodeports"
    )


def test_loopback_never_answers_node_ports():
    ruleset, findings = tables(port(node_port=30080), node_port_addresses=("127.0.0.0/8",))
    assert elements(ruleset.tables[0], "nodeport-ips") == {}
    assert [f.reference for f in findings] == ["nodeport-on-loopback"]


def test_affinity_has_objects_of_its_own_and_shares_them_between_destinations():
    table = ip(port(affinity_seconds=600, external_local=True, load_balancer_ips=(VIP,), node_port=30080))
    (service,) = [c for c in table.chains if c.startswith("service-") and "/" in c]
    (local,) = [c for c in table.chains if c.startswith("local-")]
    (external,) = [c for c in table.chains if c.startswith("external-")]
    assert elements(table, "service-ips") == {CLUSTER_KEY: f"goto {service}", VIP_KEY: f"goto {external}"}
    assert elements(table, "service-nodeports") == {"tcp . 30080": f"goto {external}"}
    assert lines(table, external)[-1] == f"goto {local}"
    assert len([s for s in table.sets if s.startswith("affinity-")]) == 2
    assert elements(table, "tcp-endpoints") == {}


def test_families_are_apart():
    ruleset, findings = tables(port(cluster_ips=("10.96.0.1", "fd00:10:96::1"), endpoints=(HERE, SIX)))
    assert findings == ()
    six = ruleset.table("ip6", "kube-proxy")
    assert elements(six, "tcp-endpoints") == {"fd00:10:96::1 . 80 . 0": "fd00:244:0:1::5 . 8080"}
    single = tables(port(endpoints=(HERE, SIX), node_port=30080))[0].table("ip6", "kube-proxy")
    assert all(not s.elements for n, s in single.sets.items() if n != "nodeport-ips")


@pytest.mark.parametrize("facts", [{"headless": True}, {"proxy_name": "other"}, {"cluster_ips": ()}])
def test_what_other_means_serve_leaves_no_trace(facts):
    assert ip(port(node_port=30080, **facts)) == ip()


def test_two_claims_on_one_address():
    first = port(name="a", external_ips=(VIP,))
    second = port(name="b", cluster_ips=("10.96.0.2",), load_balancer_ips=(VIP,), endpoints=(HERE,))
    ruleset, findings = tables(first, second)
    table = ruleset.tables[0]
    assert elements(table, "service-ips")[VIP_KEY] == "goto tcp-external-1"
    assert [(f.reference, f.object) for f in findings] == [("address-taken", "Service d/a")]
    assert elements(ip(first), "service-ips")[VIP_KEY] == "goto tcp-external-2"


def test_two_claims_on_one_node_port():
    ruleset, findings = tables(
        port(name="a", node_port=30080), port(name="b", cluster_ips=("10.96.0.2",), node_port=30080, endpoints=())
    )
    assert elements(ruleset.tables[0], "service-nodeports") == {"tcp . 30080": "goto tcp-nodeport-external-2"}
    assert [f.object for f in findings] == ["Service d/b"]


def test_unknown_node_is_a_finding_and_rules_go_on():
    ruleset, findings = tables(port(), node="n9")
    assert [f.reference for f in findings] == ["unknown-node"]
    assert elements(ruleset.tables[0], "service-ips")
    assert elements(ruleset.tables[0], "hairpin-connections") == {}


def test_service_ranges_are_dropped_only_when_known():
    assert lines(ip(port()), "cluster-ips-check") == ["ip daddr @cluster-ips reject", "ip daddr 10.96.0.0/12 drop"]
    view = View(nodes=NODES, services=(port(),))
    table = MODE.compile(view, "n1", ProxyOptions())[0].tables[0]
    assert lines(table, "cluster-ips-check") == ["ip daddr @cluster-ips reject"]


def test_zone_hints_decide_by_node():
    hinted = tuple(msgspec.structs.replace(e, zone_hints=(z,)) for e, z in ((HERE, "a"), (THERE, "b")))
    assert list(elements(ip(port(endpoints=hinted)), "tcp-endpoints").values()) == ["10.244.1.5 . 8080"]
    assert list(elements(ip(port(endpoints=hinted), node="n2"), "tcp-endpoints").values()) == ["10.244.2.5 . 8080"]


if __name__ == "__main__":
    GOLDEN.write_text(nft.render(whole()))
