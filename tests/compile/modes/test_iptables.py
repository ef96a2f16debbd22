"""One golden of whole rulesets, and tables of what each kind of Service adds.

Run as a program, this file writes the golden anew.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from switchboard.base.discovery import load
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.modes.iptables import MODE
from switchboard.rules.iptables import parse, render, validate
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

GOLDEN = Path(__file__).parents[2] / "cases" / "proxy" / "golden-iptables.txt"
NETWORK = ClusterNetwork(service_cidrs=("10.96.0.0/12",), pod_cidrs=("10.244.0.0/16", "fd00:244::/48"))
NODES = (Node(name="n1", addresses=("172.20.0.1", "10.50.0.1", "fd00:20::1")), Node(name="n2"))
HERE, THERE, FAR = (Endpoint(f"10.244.{i}.5", 8080, f"n{i}") for i in (1, 2, 3))
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
    view = View(network=NETWORK, nodes=NODES, services=services)
    rulesets, findings = MODE.compile(view, "n1", ProxyOptions(**options))
    assert [finding for r in rulesets for finding in validate(r)] == []
    return rulesets, findings


def four(*services, **options):
    """Rules by table and chain, as text without comments; names of chains of Services are cut to their kind."""
    (ruleset, _), findings = compiled(*services, **options)
    assert findings == ()
    found = {}
    for table, chains in ruleset.tables.items():
        for name, chain in chains.items():
            found[table, name] = [" ".join(plain(rule)) for rule in chain.rules]
    return found


def plain(rule):
    words = iter(rule.render().replace(f'"{rule.comment}"', rule.comment.replace(" ", "_")).split())
    for word in words:
        if word == "-m":
            module = next(words)
            if module == "comment":
                next(words), next(words)
            continue
        yield word if not word.startswith("KUBE-") or word.count("-") < 2 or len(word) < 20 else word[:8]


def of(kind, rules):
    return [lines for (_, name), lines in sorted(rules.items()) if name.startswith(f"KUBE-{kind}-")]


def whole():
    services = (
        port(),
        port(name="affine", cluster_ips=("10.96.0.2",), affinity_seconds=600, node_port=30081),
        port(name="dual", cluster_ips=("10.96.0.3", "fd00:10:96::3"), endpoints=(HERE, SIX)),
        port(name="empty", cluster_ips=("10.96.0.4",), endpoints=(), external_ips=("192.0.2.4",)),
        port(name="guarded", cluster_ips=("10.96.0.5",), source_ranges=("172.20.0.0/16", "192.168.0.0/24"), **BALANCER),
        port(
            name="local", cluster_ips=("10.96.0.6",), external_local=True, external_ips=("192.0.2.6",), node_port=30082
        ),
        port(name="near", cluster_ips=("10.96.0.7",), internal_local=True, endpoints=(THERE,)),
        port(name="talk", cluster_ips=("10.96.0.8",), protocol="UDP", port=53, port_name="dns"),
    )
    return compiled(*services)[0]


def text():
    return "".join(render(ruleset) for ruleset in whole())


def test_whole_rulesets():
    assert text() == GOLDEN.read_text()


def test_the_parser_reads_them():
    for ruleset in whole():
        assert parse(render(ruleset), ruleset.family) == (ruleset, ())


def test_mode_is_found_by_its_file_name():
    assert load("switchboard.compile.modes", "iptables", "MODE") is MODE


@pytest.mark.parametrize(
    ("options", "first"),
    [
        ({}, ["! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp --dport 80 -j KUBE-MARK-MASQ"]),
        ({"cluster_cidrs": ()}, []),
        ({"masquerade_all": True}, ["-d 10.96.0.1/32 -p tcp --dport 80 -j KUBE-MARK-MASQ"]),
    ],
)
def test_who_is_masqueraded_at_the_cluster_address(options, first):
    (chain,) = of("SVC", four(port(), **options))
    assert chain[:-2] == first


def test_balancing_is_uniform():
    rules = four(port(endpoints=(HERE, THERE, FAR)), cluster_cidrs=())
    assert of("SVC", rules) == [
        [
            "--mode random --probability 0.33333333349 -j KUBE-SEP",
            "--mode random --probability 0.50000000000 -j KUBE-SEP",
            "-j KUBE-SEP",
        ]
    ]
    assert sorted(chain[1] for chain in of("SEP", rules))[0] == "-p tcp -j DNAT --to-destination 10.244.1.5:8080"


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"endpoints": ()}, "-d 10.96.0.1/32 -p tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable"),
        ({"internal_local": True, "endpoints": (THERE,)}, "-d 10.96.0.1/32 -p tcp --dport 80 -j DROP"),
    ],
)
def test_cluster_address_without_endpoints(facts, rule):
    rules = four(port(**facts))
    assert rules["filter", "KUBE-SERVICES"] == [rule]
    assert len(rules["nat", "KUBE-SERVICES"]) == 1


@pytest.mark.parametrize(
    ("facts", "external", "refused"),
    [
        ({}, ["-j KUBE-MARK-MASQ", "-j KUBE-SVC"], []),
        (
            {"external_local": True},
            [
                "-s 10.244.0.0/16 -j KUBE-SVC",
                "--src-type LOCAL -j KUBE-MARK-MASQ",
                "--src-type LOCAL -j KUBE-SVC",
                "-j KUBE-SVL",
            ],
            [],
        ),
        (
            {"external_local": True, "endpoints": (THERE,)},
            [
                "-s 10.244.0.0/16 -j KUBE-SVC",
                "--src-type LOCAL -j KUBE-MARK-MASQ",
                "--src-type LOCAL -j KUBE-SVC",
            ],
            ["-d 198.51.100.7/32 -p tcp --dport 80 -j DROP", "-p tcp --dport 30080 --dst-type LOCAL -j DROP"],
        ),
    ],
)
def test_external_destinations(facts, external, refused):
    rules = four(port(**BALANCER, **facts))
    assert of("EXT", rules) == [external]
    assert rules["filter", "KUBE-EXTERNAL-SERVICES"] == refused
    assert rules["nat", "KUBE-NODEPORTS"] == ["-p tcp --dport 30080 -j KUBE-EXT"]
    assert "-d 198.51.100.7/32 -p tcp --dport 80 -j KUBE-EXT" in rules["nat", "KUBE-SERVICES"]


def test_without_any_endpoint_all_is_rejected_and_nothing_translated():
    rules = four(port(endpoints=(), source_ranges=("10.0.0.0/8",), **BALANCER))
    assert len(rules["filter", "KUBE-EXTERNAL-SERVICES"]) == 2
    assert all("REJECT" in rule for rule in rules["filter", "KUBE-EXTERNAL-SERVICES"])
    assert rules["filter", "KUBE-PROXY-FIREWALL"] == []
    assert [of(k, rules) for k in ("EXT", "FW", "SVC")] == [[], [], []]


@pytest.mark.parametrize(
    ("range_", "own"), [("192.168.0.0/24", []), ("172.20.0.0/16", ["-s 198.51.100.7/32 -j KUBE-EXT"])]
)
def test_source_ranges(range_, own):
    rules = four(port(source_ranges=(range_,), **BALANCER))
    assert of("FW", rules) == [[f"-s {range_} -j KUBE-EXT", *own]]
    assert rules["filter", "KUBE-PROXY-FIREWALL"] == ["-d 198.51.100.7/32 -p tcp --dport 80 -j DROP"]
    assert "-d 198.51.100.7/32 -p tcp --dport 80 -j KUBE-FW-" in " ".join(rules["nat", "KUBE-SERVICES"])


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ({}, ["--dst-type LOCAL -j KUBE-NODEPORTS"]),
        ({"localhost_node_ports": False}, ["! -d 127.0.0.0/8 --dst-type LOCAL -j KUBE-NODEPORTS"]),
        (
            {"node_port_addresses": ("10.50.0.0/16", "127.0.0.0/8")},
            ["-d 10.50.0.1/32 -j KUBE-NODEPORTS", "-d 127.0.0.1/32 -j KUBE-NODEPORTS"],
        ),
        (
            {"node_port_addresses": ("10.50.0.0/16", "127.0.0.0/8"), "localhost_node_ports": False},
            ["-d 10.50.0.1/32 -j KUBE-NODEPORTS"],
        ),
    ],
)
def test_node_port_addresses(options, last):
    assert four(port(node_port=30080), **options)["nat", "KUBE-SERVICES"][1:] == last


def test_affinity_comes_before_balancing():
    (chain,) = of("SVC", four(port(affinity_seconds=30), cluster_cidrs=()))
    assert ["--rcheck" in rule for rule in chain] == [True, True, False, False]
    assert "--seconds 30 --reap" in chain[0]
    assert all("--set" in sep[1] for sep in of("SEP", four(port(affinity_seconds=30))))


def test_health_check_ports_are_accepted_once():
    facts = {**BALANCER, "external_local": True, "health_check_node_port": 31000}
    rules = four(port(port_name="a", **facts), port(port_name="b", **(facts | {"port": 81, "node_port": 30081})))
    assert rules["filter", "KUBE-NODEPORTS"] == ["-p tcp --dport 31000 -j ACCEPT"]


def test_beyond_a_thousand_endpoints_they_have_no_comments():
    many = tuple(Endpoint(f"10.244.{i // 250}.{i % 250 + 1}", 80, "n2") for i in range(1001))
    (ruleset, _), _ = compiled(port(endpoints=many))
    chains = ruleset.tables["nat"]
    assert {r.comment for n, c in chains.items() if n.startswith("KUBE-SEP") for r in c.rules} == {""}
    assert len(chains) == 1001 + 1 + len(compiled()[0][0].tables["nat"])


def test_an_address_that_two_claim_goes_to_one():
    services = (
        port(external_ips=("192.0.2.4",)),
        port(name="t", cluster_ips=("10.96.0.9",), external_ips=("192.0.2.4",)),
    )
    (ruleset, _), findings = compiled(*services)
    assert [f.reference for f in findings] == ["address-taken"]
    assert sum("192.0.2.4/32" in r.render() for r in ruleset.tables["nat"]["KUBE-SERVICES"].rules) == 1


if __name__ == "__main__":
    GOLDEN.write_text(text())
