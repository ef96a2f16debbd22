import ipaddress

import pytest

from switchboard.compile._policy_match import Matcher, comment, named, ranges, remaining, text
from switchboard.compile.modes._nft_frame import Words
from switchboard.view.model import View
from switchboard.view.node import Node, Pod, PodPort
from switchboard.view.policy import (
    AddressPeer,
    Direction,
    Namespace,
    NodePeer,
    Operator,
    PodPeer,
    PolicyPort,
    PolicyRule,
    Requirement,
)
from switchboard.view.policy_decision import PolicyIndex

OLD = Pod(namespace="d", name="old", node="n1", addresses=("10.0.0.1", "fd00::1"), ports=(PodPort("http", 80),))
NEW = Pod(namespace="d", name="new", node="n2", addresses=("10.0.1.1",), ports=(PodPort("http", 8080),))
HOST = Pod(namespace="d", name="host", node="n1", addresses=("172.20.0.1",), host_network=True)
VIEW = View(
    nodes=(
        Node(name="n1", addresses=("172.20.0.1",), labels={"zone": "a"}),
        Node(name="n2", addresses=("172.20.0.2",)),
    ),
    pods=(OLD, NEW, HOST),
    namespaces=(Namespace("d", {"team": "x"}),),
)
ALL = PodPeer()


def matched(rule, direction=Direction.INGRESS, family=4):
    matcher = Matcher(PolicyIndex(VIEW), Words(family), (OLD,))
    found = [" ".join(m.render() for m in each) for each in matcher.matches(rule, direction)]
    return found, {n: sorted(s.elements) for n, s in matcher.sets.items()}


def test_peers_and_ports_are_alternatives():
    rule = PolicyRule(
        field="f",
        peers=(ALL, AddressPeer("192.0.2.1/32"), AddressPeer("::/0")),
        ports=(PolicyPort("TCP", 80, 80), PolicyPort("TCP", 443, 443), PolicyPort("UDP")),
    )
    found, sets = matched(rule)
    pods, addresses = named("pods", text(ALL)), named("addresses", "192.0.2.1/32")
    assert found == [
        f"ip saddr @{pods} tcp dport {{ 80, 443 }}",
        f"ip saddr @{pods} meta l4proto udp",
        f"ip saddr @{addresses} tcp dport {{ 80, 443 }}",
        f"ip saddr @{addresses} meta l4proto udp",
    ]
    assert sets == {pods: ["10.0.0.1", "10.0.1.1"], addresses: ["192.0.2.1"]}


def test_anybody_and_everything():
    assert matched(PolicyRule(field="f")) == ([""], {})
    assert matched(PolicyRule(field="f", peers=(AddressPeer("0.0.0.0/0"),)), Direction.EGRESS) == ([""], {})


def test_nobody_and_nothing():
    assert matched(PolicyRule(field="f", peers=())) == ([], {})
    assert matched(PolicyRule(field="f", ports=())) == ([], {})
    assert matched(PolicyRule(field="f", peers=(AddressPeer("0.0.0.0/0"),)), family=6) == ([], {})


def test_egress_looks_at_the_destination_and_names_of_all_pods():
    rule = PolicyRule(field="f", peers=(ALL,), ports=(PolicyPort("TCP", name="http"),))
    (found,), sets = matched(rule, Direction.EGRESS)
    port = named("egress-port", "TCP http")
    assert found == f"ip daddr @{named('pods', text(ALL))} ip daddr . meta l4proto . th dport @{port}"
    assert sets[port] == ["10.0.0.1 . tcp . 80", "10.0.1.1 . tcp . 8080"]


def test_for_ingress_only_names_of_local_pods_matter():
    _, sets = matched(PolicyRule(field="f", ports=(PolicyPort("", name="http"),)))
    assert sets == {named("ingress-port", " http"): ["10.0.0.1 . tcp . 80"]}
    _, sets = matched(PolicyRule(field="f", ports=(PolicyPort("UDP", name="http"),)))
    assert list(sets.values()) == [[]]


def test_nodes_by_label():
    peer = NodePeer((Requirement("zone", Operator.EXISTS),))
    assert list(matched(PolicyRule(field="f", peers=(peer,)))[1].values()) == [["172.20.0.1"]]


@pytest.mark.parametrize(
    ("cidr", "excluded"),
    [
        ("10.0.0.0/8", ()),
        ("10.0.0.0/8", ("10.0.0.0/9", "10.128.0.0/9")),
        ("0.0.0.0/0", ("10.0.0.0/8", "10.1.0.0/16", "255.255.255.255/32")),
        ("fd00::/16", ("fd00:1::/32",)),
    ],
)
def test_what_remains_of_a_block(cidr, excluded):
    left = [ipaddress.ip_network(r) for r in remaining(AddressPeer(cidr, excluded))]
    holes = [ipaddress.ip_network(e) for e in excluded]
    whole = ipaddress.ip_network(cidr)
    distinct = [h for h in holes if not any(h != o and h.subnet_of(o) for o in holes)]
    assert sum(n.num_addresses for n in left) == whole.num_addresses - sum(h.num_addresses for h in distinct)
    assert not any(n.overlaps(h) for n in left for h in holes)
    assert all(n.subnet_of(whole) for n in left)


def test_ranges_are_joined():
    given = [(443, 443), (80, 81), (81, 90), (91, 91), (8080, 8080)]
    assert ranges(PolicyPort("TCP", *each) for each in given) == ("80-91", "443", "8080")


def test_names_differ_with_content_and_fit():
    assert named("a", "x") == named("a", "x") != named("a", "y")
    assert len(named("a", "x", readable="é" * 400)) == 200
    assert named("a", "x", readable='d/"p" {').endswith("-d/-p---")


def test_comments_end_nothing():
    assert comment(['a"b\\', "c\nd"]) == "a?b?, c?d"
    assert len(comment(["x" * 400])) == 120
