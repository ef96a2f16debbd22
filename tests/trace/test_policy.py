from fractions import Fraction

import msgspec
import pytest

from switchboard.trace.lookup import Lookup
from switchboard.trace.path import trace
from switchboard.trace.policy import judge, policy_hop
from switchboard.trace.request import OutsideRequest, PodRequest
from switchboard.trace.result import HopKind, Verdict
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node, Pod, PodPort
from switchboard.view.policy import AddressPeer, Namespace, PodPeer, Policy, PolicyRule
from switchboard.view.service import Endpoint, ServicePort

NODES = (Node(name="n1", addresses=("172.20.0.1",)), Node(name="n2", addresses=("172.20.0.2",)))
WEB = Pod(namespace="d", name="web", node="n1", addresses=("10.0.0.1",), ports=(PodPort("http", 8080),))
JOB = Pod(namespace="e", name="job", node="n2", addresses=("10.0.1.1",))
ENDPOINT = Endpoint("10.0.0.1", 8080, node="n1", pod="d/web")
SERVICE = ServicePort(
    namespace="d",
    name="web",
    port_name="",
    protocol="TCP",
    port=80,
    cluster_ips=("10.96.0.1",),
    load_balancer_ips=("198.51.100.1",),
    endpoints=(ENDPOINT,),
)


def view(*rules, service=SERVICE, egress=None):
    policies = [Policy(name="p", namespace="d", subject=PodPeer("d"), ingress=rules)]
    if egress is not None:
        policies.append(Policy(name="out", namespace="e", subject=PodPeer("e"), egress=egress))
    return View(
        network=ClusterNetwork(service_cidrs=("10.96.0.0/16",), pod_cidrs=("10.0.0.0/16",)),
        nodes=NODES,
        pods=(WEB, JOB),
        services=(service,),
        namespaces=(Namespace("d"), Namespace("e")),
        policies=tuple(policies),
    )


def admits(*peers):
    return PolicyRule(field="spec.ingress[0]", peers=peers)


def test_a_denied_connection_is_dropped_and_the_policy_named():
    path = trace(view(), PodRequest(pod="e/job", url="http://10.96.0.1/"))
    assert path.verdict is Verdict.DROPPED
    assert path.reason == "NetworkPolicy d/p isolates pod d/web for ingress, and no rule allows it."
    assert [h.kind for h in path.hops] == [HopKind.CLIENT, HopKind.NODE, HopKind.POLICY]
    assert path.hops[-1].what == "dropped"
    assert "NetworkPolicy d/p" in path.hint


def test_an_allowed_connection_names_the_rule():
    path = trace(view(admits(PodPeer("e"))), PodRequest(pod="e/job", url="http://10.96.0.1/"))
    assert path.verdict is Verdict.ANSWERED
    (hop,) = (h for h in path.hops if h.kind is HopKind.POLICY)
    assert (hop.name, hop.what) == ("NetworkPolicy d/p", "allowed")
    assert "spec.ingress[0]" in hop.why


def test_without_policies_there_is_no_hop():
    free = msgspec.structs.replace(view(), policies=())
    path = trace(free, PodRequest(pod="e/job", url="http://10.96.0.1/"))
    assert path.verdict is Verdict.ANSWERED
    assert HopKind.POLICY not in {h.kind for h in path.hops}


def test_egress_of_the_source_decides_too():
    path = trace(view(admits(), egress=()), PodRequest(pod="e/job", url="http://10.96.0.1/"))
    assert "NetworkPolicy e/out" in path.reason


def test_a_pod_is_judged_when_it_is_reached_directly():
    denied = trace(view(), PodRequest(pod="e/job", url="http://10.0.0.1:8080/"))
    assert denied.verdict is Verdict.DROPPED
    assert trace(view(), PodRequest(pod="d/web", url="http://10.0.0.1:8080/")).verdict is Verdict.ANSWERED


@pytest.mark.parametrize(("local", "verdict"), [(True, Verdict.ANSWERED), (False, Verdict.MIXED)])
def test_blocks_see_the_client_unless_another_node_masquerades(local, verdict):
    service = msgspec.structs.replace(SERVICE, external_local=local)
    found = view(admits(AddressPeer("203.0.113.0/24")), service=service)
    path = trace(found, OutsideRequest(url="http://198.51.100.1/", client="203.0.113.4"))
    assert path.verdict is verdict
    if not local:
        (hop,) = (h for h in path.hops if h.kind is HopKind.POLICY)
        assert {c.name: c.probability for c in hop.choices} == {"allowed": Fraction(1, 2), "dropped": Fraction(1, 2)}


@pytest.mark.parametrize(
    ("blocks", "verdict"),
    [
        ((AddressPeer("0.0.0.0/0", ("10.0.0.0/8",)),), Verdict.ANSWERED),
        ((AddressPeer("10.0.0.0/8"),), Verdict.DROPPED),
        ((AddressPeer("203.0.113.0/24"),), Verdict.UNKNOWN),
        ((AddressPeer("0.0.0.0/1"), AddressPeer("128.0.0.0/1")), Verdict.ANSWERED),
        ((AddressPeer("0.0.0.0/0", ("8.8.8.8/32",)),), Verdict.UNKNOWN),
    ],
)
def test_an_unknown_client_is_a_public_address_and_nothing_is_guessed(blocks, verdict):
    service = msgspec.structs.replace(SERVICE, external_local=True)
    path = trace(view(admits(*blocks), service=service), OutsideRequest(url="http://198.51.100.1/"))
    assert path.verdict is verdict


def test_headless_names_are_judged_pod_by_pod():
    other = msgspec.structs.replace(WEB, name="open", namespace="e", addresses=("10.0.0.2",))
    both = (ENDPOINT, Endpoint("10.0.0.2", 8080, node="n1", pod="e/open"))
    service = msgspec.structs.replace(SERVICE, headless=True, cluster_ips=(), load_balancer_ips=(), endpoints=both)
    found = msgspec.structs.replace(view(service=service), pods=(WEB, JOB, other))
    path = trace(found, PodRequest(pod="e/job", url="http://web.d:8080/"))
    assert path.verdict is Verdict.MIXED
    assert [(p.name, p.probability) for p in path.pods] == [("e/open", Fraction(1, 2))]


def test_judgements_add_up_to_a_hop():
    lookup = Lookup(view())
    denied = judge(lookup, JOB, ENDPOINT, "TCP")
    allowed = judge(lookup, WEB, ENDPOINT, "TCP")
    assert (denied.allowed, allowed.allowed) == (False, True)
    assert policy_hop([(allowed, Fraction(1))]) is None
    hop = policy_hop([(allowed, Fraction(1, 4)), (denied, Fraction(1, 4))], "here")
    assert [(c.name, c.probability) for c in hop.choices] == [("allowed", Fraction(1, 2)), ("dropped", Fraction(1, 2))]
    assert hop.where == "here"


def test_the_gateways_own_connections_are_judged(payments):
    closed = Policy(name="closed", namespace="payments", subject=PodPeer("payments"), ingress=())
    spaces = (Namespace("payments"), Namespace("switchboard-system"))
    found = msgspec.structs.replace(payments, policies=(closed,), namespaces=spaces)
    request = OutsideRequest(url="https://api.example.com/", client="203.0.113.4")
    assert trace(payments, request).verdict is Verdict.ANSWERED
    path = trace(found, request)
    assert path.verdict is Verdict.DROPPED
    assert {o.status for o in path.outcomes} == {503}
    assert path.hops[-1].kind is HopKind.POLICY
    assert path.hops[-1].where == "connections of the gateway"
