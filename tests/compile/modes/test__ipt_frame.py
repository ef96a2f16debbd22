from __future__ import annotations

import pytest

from switchboard.compile.modes import _ipt_frame as ipt
from switchboard.compile.modes._mode import DetectLocal, ProxyOptions
from switchboard.rules.iptables import Option, Ruleset, validate
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

NODE = Node(name="n1", addresses=("172.20.0.1",), pod_cidrs=("10.244.1.0/24", "fd00:244:0:1::/64"))
VIEW = View(network=ClusterNetwork(pod_cidrs=("10.244.0.0/16", "fd00:244::/48")), nodes=(NODE,))
PORT = ServicePort(namespace="d", name="s", port_name="web", protocol="TCP", port=80)


def framed(family=4, **facts):
    return ipt.frame(family, VIEW, NODE, ProxyOptions(**facts))


@pytest.mark.parametrize(
    ("family", "facts", "pod"),
    [
        (4, {}, "-s 10.244.0.0/16"),
        (6, {}, "-s fd00:244::/48"),
        (4, {"cluster_cidrs": ()}, ""),
        (4, {"cluster_cidrs": ("10.0.0.0/9", "fd00::/8")}, "-s 10.0.0.0/9"),
        (6, {"detect_local": DetectLocal.NODE_CIDR}, "-s fd00:244:0:1::/64"),
        (4, {"detect_local": DetectLocal.BRIDGE_INTERFACE, "interface": "br0"}, "-i br0"),
        (4, {"detect_local": DetectLocal.INTERFACE_NAME_PREFIX, "interface": "pod"}, "-i pod+"),
        (4, {"detect_local": DetectLocal.BRIDGE_INTERFACE}, ""),
    ],
)
def test_pods_are_recognised(family, facts, pod):
    shared = framed(family, **facts)
    assert [m.render() for m in shared.pod_source] == ([pod] if pod else [])
    assert [m.render() for m in shared.elsewhere] == ([f"! {pod}"] if pod else [])


def test_fixed_chains_are_valid_in_both_families():
    for family in (4, 6):
        shared = framed(family)
        tables = {"filter": ipt.fixed_filter(shared), "nat": ipt.fixed_nat(shared)}
        assert validate(Ruleset(family, tables)) == ()


@pytest.mark.parametrize(("family", "wanted", "guarded"), [(4, True, True), (4, False, False), (6, True, False)])
def test_loopback_is_guarded_where_node_ports_answer_there(family, wanted, guarded):
    chains = ipt.fixed_filter(framed(family, localhost_node_ports=wanted))
    assert (ipt.FIREWALL in chains) == guarded
    assert any(r.target == ipt.FIREWALL for r in chains["INPUT"].rules) == guarded


def test_invalid_packets_pass_where_tracking_is_liberal():
    strict, liberal = (ipt.fixed_filter(framed(tcp_liberal=v))[ipt.FORWARD].rules for v in (False, True))
    assert strict[0].render() == "-m conntrack --ctstate INVALID -j DROP"
    assert strict[1:] == liberal


def test_the_bit_of_the_mark_can_be_chosen():
    chains = ipt.fixed_nat(framed(masquerade_bit=3))
    assert chains[ipt.MARK_MASQ].rules[0].render() == "-j MARK --set-xmark 0x8/0x8"
    assert chains[ipt.POSTROUTING].rules[0].render() == "-m mark ! --mark 0x8/0x8 -j RETURN"


def test_names_are_those_of_kube_proxy():
    port = ServicePort(namespace="default", name="web", port_name="", protocol="TCP", port=80)
    assert ipt.chain_name("SVC", port) == "KUBE-SVC-LOLE4ISW44XBNF3G"
    endpoint = Endpoint("10.244.1.67", 8080)
    assert ipt.chain_name("SEP", port, endpoint) == "KUBE-SEP-R4KMPSUAAHJFSBYM"
    assert len({ipt.chain_name("SVC", port), ipt.chain_name("SVC", PORT)}) == 2


def test_words():
    assert ipt.readable(PORT) == "d/s:web"
    assert ipt.place(Endpoint("fd00::1", 80)) == "[fd00::1]:80"
    assert (ipt.host("10.0.0.1", 4), ipt.host("fd00::1", 6), ipt.host("10.0.0.0/8", 4)) == (
        "10.0.0.1/32",
        "fd00::1/128",
        "10.0.0.0/8",
    )
    assert ipt.reject(6) == (Option("--reject-with", ("icmp6-port-unreachable",)),)
    said = ipt.rule(*ipt.service_port("UDP", 53), ipt.destination("10.0.0.1", 4), ipt.local("dst"), jump="ACCEPT")
    assert said.render() == "-d 10.0.0.1/32 -p udp -m udp --dport 53 -m addrtype --dst-type LOCAL -j ACCEPT"
    assert len(ipt.comment("x" * 300).options[0].values[0]) == 255
