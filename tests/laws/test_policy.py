"""Laws of policies over random clusters: order, repetition, revert, validity, growth; rules mean what is decided."""

from __future__ import annotations

import runpy
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.apply.nft_fake import FakeNft
from switchboard.compile.policy import TABLE, compile_node
from switchboard.rules import nft
from switchboard.rules.nft_difference import difference, replacement
from switchboard.rules.nft_parse import parse
from switchboard.view.build import build
from switchboard.view.model import View
from switchboard.view.node import Node, Pod, PodPort
from switchboard.view.policy import (
    Action,
    AddressPeer,
    Namespace,
    NodePeer,
    Operator,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Requirement,
    Tier,
)
from switchboard.view.policy_decision import PolicyIndex

PACKETS = runpy.run_path(str(Path(__file__).parents[1] / "cases" / "policy" / "packets.py"))
NODES = (
    Node(name="n1", addresses=("172.20.0.1", "fd00:20::1"), labels={"k": "a"}),
    Node(name="n2", addresses=("172.20.0.2", "fd00:20::2")),
)
NUMBERS = (80, 81, 8080)
PROTOCOLS = ("TCP", "UDP", "SCTP")
LABELS = st.dictionaries(st.sampled_from("kl"), st.sampled_from(["", "a", "b"]), max_size=2)
REQUIREMENTS = st.one_of(
    st.builds(Requirement, st.sampled_from("kl"), st.sampled_from([Operator.EXISTS, Operator.DOES_NOT_EXIST])),
    st.builds(
        Requirement,
        st.sampled_from("kl"),
        st.sampled_from([Operator.IN, Operator.NOT_IN]),
        st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=2, unique=True).map(sorted).map(tuple),
    ),
)
SELECTORS = st.lists(REQUIREMENTS, max_size=2, unique=True).map(sorted).map(tuple)
BLOCKS = st.sampled_from(
    [
        AddressPeer("0.0.0.0/0"),
        AddressPeer("0.0.0.0/0", ("10.0.0.0/31", "203.0.113.0/24")),
        AddressPeer("10.0.0.0/30", ("10.0.0.2/32",)),
        AddressPeer("172.20.0.0/16"),
        AddressPeer("::/0", ("fd00::/126",)),
    ]
)
PORTS = st.one_of(
    st.builds(PolicyPort, st.sampled_from(PROTOCOLS)),
    st.sampled_from([(80, 80), (80, 81), (81, 8080)]).flatmap(
        lambda r: st.builds(PolicyPort, st.sampled_from(PROTOCOLS), st.just(r[0]), st.just(r[1]))
    ),
    st.builds(PolicyPort, st.sampled_from(PROTOCOLS), name=st.sampled_from(["http", "none"])),
)


def lists(strategy, most=2):
    return st.none() | st.lists(strategy, max_size=most, unique=True).map(tuple)


def rules(namespace, actions):
    peers = st.one_of(
        BLOCKS,
        st.builds(PodPeer, st.sampled_from([namespace, ""]), SELECTORS, SELECTORS),
        st.builds(NodePeer, SELECTORS),
    )
    return st.builds(PolicyRule, field=st.just("f"), action=actions, peers=lists(peers), ports=lists(PORTS))


@st.composite
def policies(draw, index):
    tier = draw(st.sampled_from([*[Tier.NETWORK_POLICY] * 3, Tier.ADMIN, Tier.BASELINE]))
    space = draw(st.sampled_from("de")) if tier is Tier.NETWORK_POLICY else ""
    made = rules(space, st.just(Action.ACCEPT) if space else st.sampled_from(Action))
    return Policy(
        name=f"p{index}",
        namespace=space,
        tier=tier,
        priority=0 if space else draw(st.integers(0, 2)),
        subject=PodPeer(space, () if space else draw(SELECTORS), draw(SELECTORS)),
        ingress=draw(lists(made)),
        egress=draw(lists(made)),
    )


@st.composite
def views(draw):
    pods = tuple(
        Pod(
            namespace=draw(st.sampled_from("de")),
            name=f"p{i}",
            node=draw(st.sampled_from(["n1", "n2"])),
            addresses=draw(st.sampled_from([(f"10.0.0.{i}", f"fd00::{i}"), (f"10.0.0.{i}",)])),
            labels=draw(LABELS),
            ports=(PodPort("http", draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(PROTOCOLS))),),
        )
        for i in range(draw(st.integers(1, 4)))
    )
    found = tuple(draw(policies(i)) for i in range(draw(st.integers(0, 3))))
    spaces = (Namespace("d", draw(LABELS)), Namespace("e"))
    return View(nodes=NODES, pods=pods, namespaces=spaces, policies=found)


def compiled(view, node="n1"):
    ruleset, findings = compile_node(view, node)
    assert findings == ()
    return ruleset


def listed(fake):
    ruleset, findings = parse("".join(fake.list_table(*key) for key in sorted(fake.tables)))
    assert findings == ()
    return ruleset


@settings(max_examples=50, deadline=None)
@given(views(), st.randoms(use_true_random=False))
def test_order_of_facts_is_irrelevant(view, shuffler):
    parts = {name: list(getattr(view, name)) for name in ("pods", "policies", "nodes", "namespaces")}
    for part in parts.values():
        shuffler.shuffle(part)
    other = msgspec.structs.replace(view, **{name: tuple(part) for name, part in parts.items()})
    assert compiled(view) == compiled(other)


@settings(max_examples=60, deadline=None)
@given(views(), views())
def test_change_arrives_twice_equals_once_and_revert_restores(before, after):
    one, other = compiled(before), compiled(after)
    assert nft.validate(one) == ()
    fake = FakeNft()
    fake.apply(replacement(one).render())
    assert listed(fake) == one
    fake.apply(difference(one, other).render())
    assert listed(fake) == other
    assert not difference(other, compiled(after))
    fake.apply(difference(other, one).render())
    assert listed(fake) == one


@settings(max_examples=80, deadline=None)
@given(views())
def test_rules_mean_what_is_decided(view):
    index = PolicyIndex(view)
    rulesets = {n.name: parse(nft.render(compiled(view, n.name)))[0] for n in view.nodes}
    ends = [index.end(a) for p in view.pods for a in p.addresses]
    ends += [index.end(a) for a in ("203.0.113.1", "172.20.0.2", "fd00:20::2", "2001:db8::1")]
    for source in ends:
        for destination in ends:
            if (":" in source.address) != (":" in destination.address):
                continue
            for protocol in PROTOCOLS:
                for port in NUMBERS:
                    decision = index.decide(source, destination, protocol, port, through_service=True)
                    assert decision.allowed is PACKETS["allowed"](rulesets, source, destination, protocol, port)


WORDS = """from to ports port endPort protocol podSelector namespaceSelector ipBlock cidr except matchLabels
matchExpressions key operator values namespaces pods nodes networks action protocols tcp destinationPort range"""
PLAIN = st.sampled_from(["", "x", "TCP", "10.0.0.0/8", "Ingress", "In", "Deny", True, None, -1, 80, 70000])
JUNK = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("podSelector", "policyTypes", "ingress", "egress", "tier", "priority", "subject")
SPECS = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JUNK))


@settings(max_examples=150, deadline=None)
@given(SPECS, JUNK)
def test_nonsense_never_raises_and_compiles_to_valid_rules(spec, ingress):
    meta = {"name": "p", "namespace": "d"}
    pod = {"metadata": {**meta, "labels": {"k": "a"}}, "spec": {"nodeName": "n1"}, "status": {"podIP": "10.0.0.1"}}
    known = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}}
    objects = {
        "Pod": [pod],
        "NetworkPolicy": [{"metadata": meta, "spec": spec}, {"metadata": meta, "spec": {"ingress": [ingress]}}],
        "ClusterNetworkPolicy": [{"metadata": {"name": "c"}, "spec": {**known, **spec, "ingress": [ingress]}}],
    }
    view, _ = build(objects)
    assert nft.validate(compile_node(view, "n1")[0]) == ()


def test_growth_is_one_chain_for_each_policy_and_elements_for_each_pod():
    def size(apps, replicas):
        pods = tuple(
            Pod(namespace="d", name=f"a{i}-{r}", node="n1", addresses=(f"10.{i}.0.{r + 1}",), labels={"app": f"a{i}"})
            for i in range(apps)
            for r in range(replicas)
        )
        deny = Policy(name="deny", namespace="d", subject=PodPeer("d"), ingress=())
        allow = tuple(
            Policy(
                name=f"a{i}",
                namespace="d",
                subject=PodPeer("d", (), (Requirement("app", Operator.IN, (f"a{i}",)),)),
                ingress=(
                    PolicyRule(field="f", peers=(PodPeer("d", (), (Requirement("app", Operator.IN, ("a0",)),)),)),
                ),
            )
            for i in range(apps)
        )
        view = View(nodes=NODES, pods=pods, namespaces=(Namespace("d"),), policies=(deny, *allow))
        table = compiled(view).table("ip", TABLE)
        rules_ = sum(len(c.rules) for c in table.chains.values())
        return len(table.chains), rules_, len(table.sets), sum(len(s.elements) for s in table.sets.values())

    chains, rules_, sets, elements = size(10, 3)
    # A chain of the hook; for each application one that isolates (itself, jump, drop) and one of its policy.
    assert (chains, rules_, sets) == (1 + 2 * 10, 2 + 4 * 10, 3)
    assert elements == 30 + 30 + 3
    more = size(20, 3)
    assert more[0] - chains == 20
    assert more[1] - rules_ == 40
    assert more[2] == sets
    assert size(10, 6)[:3] == (chains, rules_, sets)
