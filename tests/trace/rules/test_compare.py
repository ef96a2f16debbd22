from __future__ import annotations

import pytest

from switchboard.base.discovery import load
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.trace.rules.compare import compare, probes, read
from switchboard.trace.rules.packet import Host, Origin
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node, Pod
from switchboard.view.service import Endpoint, ServicePort

NODE = Node(name="n1", addresses=("172.20.0.1", "fd00:20::1"), pod_cidrs=("10.244.1.0/24",))
PORT = ServicePort(
    namespace="d",
    name="s",
    port_name="web",
    protocol="TCP",
    port=80,
    type="LoadBalancer",
    cluster_ips=("10.96.0.1", "fd00:10::1"),
    load_balancer_ips=("198.51.100.7",),
    source_ranges=("192.168.0.0/24",),
    node_port=30080,
    endpoints=(Endpoint("10.244.1.5", 8080, "n1"), Endpoint("10.244.2.5", 8080, "n2")),
)
NETWORK = ClusterNetwork(service_cidrs=("10.96.0.0/12",), pod_cidrs=("10.244.0.0/16",))
VIEW = View(network=NETWORK, nodes=(NODE,), services=(PORT,))
HOST = Host(NODE.addresses)


def text(mode, view=VIEW):
    found = load("switchboard.compile.modes", mode, "MODE")
    rules, findings = found.compile(view, "n1", ProxyOptions())
    assert findings == ()
    return found.render(rules, view)


def test_every_destination_is_asked_by_everybody():
    asked = [(p.source, p.packet.source, p.packet.destination, p.packet.port) for p in probes(VIEW, NODE)]
    assert ("pod", "10.244.1.254", "10.96.0.1", 80) in asked
    assert ("allowed", "192.168.0.255", "198.51.100.7", 80) in asked
    assert ("outside", "2001:db8:ffff::77", "fd00:10::1", 80) in asked
    assert ("node", "172.20.0.1", "172.20.0.1", 30080) in asked
    assert len(asked) == len(set(asked)) == 3 * 4 + 2 * 2
    assert {p.packet.origin for p in probes(VIEW, NODE) if p.source == "node"} == {Origin.PROCESS}


def test_a_pod_of_the_node_is_asked_where_there_is_one():
    pod = Pod(namespace="d", name="p", node="n1", addresses=("10.244.1.77",))
    view = View(network=NETWORK, nodes=(NODE,), services=(PORT,), pods=(pod,))
    assert {p.packet.source for p in probes(view, NODE) if p.source == "pod"} == {"10.244.1.77"}


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_equal_rules_differ_nowhere(mode):
    rules = read(mode, text(mode))
    assert compare(rules, rules, probes(VIEW, NODE), HOST) == ((), (), 16)


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_a_difference_is_told_by_its_packets(mode):
    other = text(mode).replace("192.168.0.0/24", "192.168.7.0/24")
    (difference,), findings, _ = compare(read(mode, text(mode)), read(mode, other), probes(VIEW, NODE), HOST)
    assert findings == ()
    assert (difference.probe.service, difference.probe.source) == ("d/s:web", "allowed")
    assert difference.ours == "10.244.1.5:8080 50.0000 % masqueraded, 10.244.2.5:8080 50.0000 % masqueraded"
    assert difference.theirs == "dropped"


def test_modes_agree_but_for_what_nobody_uses():
    """The same view in two languages: every published destination has the same ends."""
    found = compare(read("nftables", text("nftables")), read("iptables", text("iptables")), probes(VIEW, NODE), HOST)
    assert found == ((), (), 16)


def test_saved_rules_of_one_family_are_compared_with_that_family():
    six = text("iptables").partition("# IPv6\n")[2]
    rules = read("iptables", six)
    assert list(rules) == [6]
    assert compare(read("iptables", text("iptables")), rules, probes(VIEW, NODE), HOST)[2] == 4
    assert list(read("iptables", "*nat\nCOMMIT\n")) == [4]


def test_rules_that_are_not_understood_are_said_once():
    strange = text("iptables").replace("-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS", "-m quota --quota 1 -j DROP")
    _, findings, count = compare(
        read("iptables", text("iptables")), read("iptables", strange), probes(VIEW, NODE), HOST
    )
    assert {f.reference for f in findings} == {"rule-not-understood"}
    assert (len(findings), count) == (2, 5)
