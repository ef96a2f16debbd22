"""Table of choices: conditions, policies and hints (K24 to K37)."""

from __future__ import annotations

import msgspec
import pytest

from switchboard.view.choice import choose
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

NODE = Node(name="n1", zone="a")
READY = Endpoint("10.244.1.1", 80)
BASE = ServicePort(namespace="d", name="s", port_name="", protocol="TCP", port=80, cluster_ips=("10.96.0.1",))


def e(last, node="n1", state="ready", zones=(), nodes=(), address="10.244.0."):
    """An endpoint; state is ready, unready, draining (serving and terminating) or dying."""
    ready, serving, terminating = {
        "ready": (True, True, False),
        "unready": (False, False, False),
        "serving": (False, True, False),
        "draining": (False, True, True),
        "dying": (False, False, True),
    }[state]
    return Endpoint(f"{address}{last}", 80, node, "", ready, serving, terminating, tuple(zones), tuple(nodes))


def chosen(endpoints, node=NODE, family=None, **service):
    port = msgspec.structs.replace(BASE, endpoints=tuple(endpoints), **service)
    choice = choose(port, node, family)
    cluster, local = (
        tuple(int(x.address.replace(":", ".").rsplit(".", 1)[-1]) for x in xs) for xs in (choice.cluster, choice.local)
    )
    return cluster, local, choice.any_endpoints


ITP = {"internal_local": True}
ETP = {"external_local": True, "node_port": 30000}


@pytest.mark.parametrize(
    ("endpoints", "service", "expected"),
    [
        ([], {}, ((), (), False)),
        ([e(1), e(2, "n2")], {}, ((1, 2), (), True)),
        ([e(1), e(2, state="draining")], {}, ((1,), (), True)),
        ([e(1, state="unready"), e(2, "n2", "draining")], {}, ((2,), (), True)),
        ([e(1, state="serving"), e(2, state="dying")], {}, ((), (), False)),
        ([e(1), e(2, "n2")], ITP, ((), (1,), True)),
        ([e(2, "n2")], ITP, ((), (), True)),
        ([e(1, state="unready"), e(2, "n2", "dying")], ITP, ((), (), False)),
        ([e(1), e(2, "n2")], {"external_local": True}, ((1, 2), (), True)),
        ([e(1), e(2, "n2")], ETP, ((1, 2), (1,), True)),
        ([e(1, state="draining"), e(2, "n2")], ETP, ((2,), (1,), True)),
        ([e(1, state="draining"), e(3), e(2, "n2")], ETP, ((3, 2), (3,), True)),
        ([e(1), e(2, "n2")], ETP | ITP, ((1, 2), (1,), True)),
        ([e(1, node="")], ETP, ((1,), (), True)),
    ],
)
def test_conditions_and_policies(endpoints, service, expected):
    assert chosen(endpoints, **service) == expected


@pytest.mark.parametrize(
    ("endpoints", "node", "expected"),
    [
        ([e(1, zones="a"), e(2, zones="b")], NODE, (1,)),
        ([e(1, zones="a"), e(2)], NODE, (1, 2)),
        ([e(1, zones="a"), e(2, state="unready")], NODE, (1,)),
        ([e(1, zones="a", state="unready"), e(2, zones="b")], NODE, (2,)),
        ([e(1, zones="a"), e(2, zones="b")], Node(name="n1"), (1, 2)),
        ([e(1, zones="ab"), e(2, zones="b")], Node(name="n1", zone="b"), (1, 2)),
        ([e(1, zones="b"), e(2, zones="c")], NODE, (1, 2)),
        ([e(1, zones="a", nodes=["n1"]), e(2, zones="a", nodes=["n2"])], NODE, (1,)),
        ([e(1, zones="a", nodes=["n2"]), e(2, zones="b", nodes=["n2"])], NODE, (1,)),
        ([e(1, zones="a", nodes=["n1"]), e(2, zones="a")], NODE, (1, 2)),
        ([e(1, zones="a", state="draining"), e(2, zones="b", state="draining")], NODE, (1, 2)),
    ],
)
def test_topology(endpoints, node, expected):
    assert chosen(endpoints, node)[0] == expected


def test_topology_leaves_local_list_alone_and_both_are_reachable():
    port = msgspec.structs.replace(BASE, endpoints=(e(1, "n1", zones="b"), e(2, "n2", zones="a")), **ETP)
    choice = choose(port, NODE)
    assert [x.address for x in choice.cluster] == ["10.244.0.2"]
    assert [x.address for x in choice.local] == ["10.244.0.1"]
    assert {x.address for x in choice.reachable} == {"10.244.0.1", "10.244.0.2"}


def test_each_family_by_itself():
    both = [e(1, zones="a"), e(2, zones="b"), e(3, address="fd00::")]
    assert chosen(both, cluster_ips=("10.96.0.1", "fd01::1"))[0] == (1,)
    assert chosen(both, family=6)[0] == (3,)


def test_external_address_of_other_family_does_not_make_accessible():
    assert chosen([e(1), e(2, "n2")], external_local=True, external_ips=("fd00::9",)) == ((1, 2), (), True)
    assert chosen([e(1), e(2, "n2")], external_local=True, external_ips=("192.0.2.9",)) == ((1, 2), (1,), True)
