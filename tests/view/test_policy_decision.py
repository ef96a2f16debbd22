import pytest

from switchboard.view.model import View
from switchboard.view.node import Node, Pod, PodPort
from switchboard.view.policy import AddressPeer, Namespace, PodPeer, Policy, PolicyPort, PolicyRule
from switchboard.view.policy_decision import PolicyIndex, decide, within

WEB = Pod(namespace="d", name="web", node="n1", addresses=("10.0.0.1", "fd00::1"), ports=(PodPort("http", 8080),))
JOB = Pod(namespace="e", name="job", node="n2", addresses=("10.0.1.1",))
AGENT = Pod(namespace="e", name="agent", node="n1", addresses=("172.20.0.1",), host_network=True)
PENDING = Pod(namespace="e", name="pending")
NODES = (Node(name="n1", addresses=("172.20.0.1",)), Node(name="n2", addresses=("172.20.0.2",)))


def view(*policies):
    spaces = (Namespace("d", {"team": "x"}), Namespace("e"))
    return View(nodes=NODES, pods=(WEB, JOB, AGENT, PENDING), namespaces=spaces, policies=policies)


def ingress(*rules, name="p"):
    return Policy(name=name, namespace="d", subject=PodPeer("d"), ingress=rules)


def test_without_policies_everything_is_allowed():
    found = decide(view(), "e/job", "d/web", "TCP", 1)
    assert found.allowed
    assert found.policies == ()
    assert found.why == "No policy restricts egress of pod e/job. No policy restricts ingress of pod d/web."


def test_a_denial_names_all_policies_that_isolate():
    found = decide(view(ingress(name="a"), ingress(name="b")), "e/job", "d/web", "TCP", 8080)
    assert not found.allowed
    assert found.policies == ("NetworkPolicy d/a", "NetworkPolicy d/b")
    assert found.why.startswith("NetworkPolicy d/a, NetworkPolicy d/b isolate pod d/web for ingress")


def test_an_allowance_names_the_rule():
    rules = (
        PolicyRule(field="spec.ingress[0]", ports=(PolicyPort("TCP", 1, 2),)),
        PolicyRule(field="spec.ingress[1]", ports=(PolicyPort("TCP", name="http"),)),
    )
    found = decide(view(ingress(*rules)), "203.0.113.7", "d/web", "TCP", 8080)
    assert found.allowed
    assert found.policies == ("NetworkPolicy d/p",)
    assert found.ingress.field == "spec.ingress[1]"
    assert not decide(view(ingress(*rules)), "203.0.113.7", "d/web", "UDP", 8080).allowed
    assert not decide(view(ingress(*rules)), "203.0.113.7", "d/web", "TCP", 3).allowed


@pytest.mark.parametrize(
    ("source", "allowed"), [("d/web", True), ("e/agent", True), ("172.20.0.1", True), ("172.20.0.2", False)]
)
def test_itself_and_the_own_node_pass_every_policy(source, allowed):
    assert decide(view(ingress()), source, "d/web", "TCP", 8080).allowed is allowed


def test_the_same_end_by_name_or_address():
    policy = ingress(PolicyRule(field="f", peers=(PodPeer("e"),)))
    assert decide(view(policy), "10.0.1.1", "10.0.0.1", "TCP", 1).allowed
    assert not decide(view(policy), "10.0.1.2", "10.0.0.1", "TCP", 1).allowed


def test_the_ends_share_a_family():
    only_six = ingress(PolicyRule(field="f", peers=(AddressPeer("::/0"),)))
    assert decide(view(only_six), "2001:db8::1", "d/web", "TCP", 1).allowed
    assert not decide(view(only_six), "203.0.113.7", "d/web", "TCP", 1).allowed
    assert PolicyIndex(view()).end("d/web", 6).address == "fd00::1"


@pytest.mark.parametrize("name", ["d/nobody", "e/pending", "nonsense", "", "2001:db8::1"])
def test_what_is_no_end_or_shares_no_family_has_no_decision(name):
    assert decide(view(), name, "e/job", "TCP", 1) is None


def test_addresses_are_in_the_range_and_not_in_its_holes():
    peer = AddressPeer("10.0.0.0/8", ("10.1.0.0/16",))
    assert within(peer, "10.0.255.255")
    assert not within(peer, "10.1.0.0")
    assert not within(peer, "fd00::1")
