"""One golden of a whole ruleset, and what each part of it is for.

Run as a program, this file writes the golden anew.
"""

from pathlib import Path

import msgspec

from switchboard.compile.policy import TABLE, compile_node
from switchboard.rules.nft import render
from switchboard.rules.nft_difference import difference
from switchboard.view.model import View
from switchboard.view.node import Node, Pod, PodPort
from switchboard.view.policy import (
    Action,
    AddressPeer,
    Namespace,
    Operator,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Requirement,
    Tier,
)

GOLDEN = Path(__file__).parents[1] / "cases" / "policy" / "golden.nft"
WEB = Requirement("app", Operator.IN, ("web",))


def pod(name, node, *addresses, **facts):
    return Pod(namespace="d", name=name, node=node, addresses=addresses, labels={"app": name.split("-")[0]}, **facts)


PODS = (
    pod("web-1", "n1", "10.0.0.1", "fd00::1", ports=(PodPort("http", 8080),)),
    pod("web-2", "n1", "10.0.0.2", ports=(PodPort("http", 8081),)),
    pod("db-1", "n2", "10.0.1.1"),
    pod("agent-1", "n1", "172.20.0.1", host_network=True),
)
NODES = (Node(name="n1", addresses=("172.20.0.1",)), Node(name="n2", addresses=("172.20.0.2",)))
WORLD = PolicyRule(
    field="spec.ingress[0]",
    peers=(AddressPeer("0.0.0.0/0", ("10.0.0.0/8",)), PodPeer("d", (), (WEB,))),
    ports=(PolicyPort("TCP", name="http"),),
)
DATABASE = PolicyRule(field="spec.egress[0]", peers=(PodPeer("d"),), ports=(PolicyPort("TCP", 5432, 5433),))
OPEN = Policy(name="web", namespace="d", subject=PodPeer("d", (), (WEB,)), ingress=(WORLD,), egress=(DATABASE,))
CLOSED = Policy(name="closed", namespace="d", subject=PodPeer("d"), ingress=())


def view(*policies, pods=PODS):
    return View(nodes=NODES, pods=pods, namespaces=(Namespace("d"),), policies=policies)


def compiled(*policies, node="n1", pods=PODS):
    found, findings = compile_node(view(*policies, pods=pods), node)
    assert findings == ()
    return found


PASSING = PolicyRule(field="f", action=Action.PASS, peers=(PodPeer(),), ports=(PolicyPort("UDP"),))
DENYING = PolicyRule(field="f", action=Action.DENY, peers=(AddressPeer("192.0.2.0/24"),))
ADMIN = Policy(name="admin", tier=Tier.ADMIN, ingress=(PASSING, DENYING))


def test_golden():
    assert render(compiled(OPEN, CLOSED, ADMIN)) == GOLDEN.read_text()


def test_without_a_policy_about_a_local_pod_there_is_no_table():
    assert compiled().tables == ()
    assert compiled(OPEN, node="n2").tables == ()
    assert compiled(OPEN, node="elsewhere").tables == ()
    assert compiled(OPEN, node="", pods=(pod("web-1", "", "10.0.0.1"),)).tables == ()


def test_pods_in_the_hosts_network_are_no_subjects():
    assert compiled(CLOSED, pods=PODS[3:]).tables == ()


def test_a_family_has_a_table_when_a_subject_has_an_address():
    assert [t.key for t in compiled(CLOSED).tables] == [("ip", TABLE), ("ip6", TABLE)]
    assert [t.key for t in compiled(CLOSED, node="n2").tables] == [("ip", TABLE)]


def test_pods_under_the_same_policies_share_a_chain():
    elements = compiled(OPEN).table("ip", TABLE).sets["ingress-pods"].elements
    assert set(elements) == {"10.0.0.1", "10.0.0.2"}
    assert len(set(elements.values())) == 1


def test_an_address_is_somebodys():
    twice = (*PODS, pod("zzz", "n1", "10.0.0.1"))
    found, (finding,) = compile_node(view(CLOSED, pods=twice), "n1")
    assert found == compiled(CLOSED)
    assert finding.object == "Pod d/zzz"


def test_a_new_pod_elsewhere_is_one_element():
    more = (*PODS, pod("web-3", "n2", "10.0.1.2"))
    change = difference(compiled(OPEN), compiled(OPEN, pods=more)).render()
    assert len(change.splitlines()) == 2
    assert change.count("10.0.1.2") == 2
    assert {line.split()[0] for line in change.splitlines()} == {"add"}


def test_a_changed_policy_rewrites_its_chain_only():
    wider = msgspec.structs.replace(OPEN, ingress=(PolicyRule(field="f"),))
    lines = difference(compiled(OPEN, CLOSED), compiled(wider, CLOSED)).render().splitlines()
    flushed = [line for line in lines if line.startswith("flush")]
    assert all("ingress-policy-" in line and line.endswith("d/web") for line in flushed)
    assert len(flushed) == 2


if __name__ == "__main__":
    GOLDEN.write_text(render(compiled(OPEN, CLOSED, ADMIN)))
