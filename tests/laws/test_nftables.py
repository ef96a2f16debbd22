"""Laws of the proxy modes over random clusters: order, repetition, revert, validity, growth."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.apply.iptables_fake import FakeIptables
from switchboard.apply.nft_fake import FakeNft
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.modes.iptables import MODE as IPTABLES
from switchboard.compile.modes.nftables import MODE
from switchboard.rules import iptables, iptables_difference, nft
from switchboard.rules.nft_difference import difference, replacement
from switchboard.rules.nft_parse import parse
from switchboard.trace.rules.compare import compare, probes, read
from switchboard.trace.rules.packet import Host
from switchboard.view.choice import choose
from switchboard.view.model import ClusterNetwork, View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

NODES = (
    Node(name="n1", addresses=("172.20.0.1", "fd00:20::1"), zone="a"),
    Node(name="n2", addresses=("172.20.0.2", "fd00:20::2"), zone="b"),
)
NETWORK = ClusterNetwork(service_cidrs=("10.96.0.0/12",), pod_cidrs=("10.244.0.0/16", "fd00:244::/48"))
BOOLEANS = st.booleans()
ENDPOINTS = st.builds(
    Endpoint,
    address=st.sampled_from(["10.244.0.1", "10.244.0.2", "10.244.1.1", "10.244.1.2", "fd00:244::1", "fd00:244::2"]),
    port=st.sampled_from([80, 8080]),
    node=st.sampled_from(["", "n1", "n2"]),
    ready=BOOLEANS,
    serving=BOOLEANS,
    terminating=BOOLEANS,
    zone_hints=st.sampled_from([(), ("a",), ("b",), ("a", "b")]),
    node_hints=st.sampled_from([(), ("n1",), ("n2",)]),
)
ADDRESSES = st.lists(
    st.sampled_from(["198.51.100.1", "198.51.100.2", "172.20.0.1", "2001:db8::1"]), max_size=2, unique=True
)


@st.composite
def service_ports(draw, index):
    """One service port; addresses outside of the cluster may be claimed by several."""
    unique = draw(st.lists(ENDPOINTS, max_size=5, unique_by=lambda e: (e.address, e.port)))
    return ServicePort(
        namespace="d",
        name=f"s{index}",
        port_name="",
        protocol=draw(st.sampled_from(["TCP", "UDP", "SCTP"])),
        port=draw(st.sampled_from([53, 80])),
        cluster_ips=draw(st.sampled_from([(), (f"10.96.0.{index}",), (f"10.96.0.{index}", f"fd00:10::{index}")])),
        external_ips=tuple(draw(ADDRESSES)),
        load_balancer_ips=tuple(draw(ADDRESSES)),
        node_port=draw(st.sampled_from([0, 30000, 30000 + index])),
        source_ranges=draw(
            st.sampled_from([(), ("10.0.0.0/8", "172.20.0.0/16"), ("10.0.0.0/8", "10.1.0.0/16", "fd00::/8")])
        ),
        internal_local=draw(BOOLEANS),
        external_local=draw(BOOLEANS),
        affinity_seconds=draw(st.sampled_from([0, 0, 30, 10800])),
        headless=draw(st.sampled_from([False, False, True])),
        endpoints=tuple(unique),
    )


@st.composite
def views(draw):
    count = draw(st.integers(0, 5))
    return View(network=NETWORK, nodes=NODES, services=tuple(draw(service_ports(i)) for i in range(1, count + 1)))


def compiled(view):
    return MODE.compile(view, "n1", ProxyOptions())[0]


def listed(fake):
    ruleset, findings = parse("".join(fake.list_table(*key) for key in sorted(fake.tables)))
    assert findings == ()
    return ruleset


@settings(max_examples=60, deadline=None)
@given(views(), st.randoms(use_true_random=False))
def test_order_of_facts_is_irrelevant(view, shuffler):
    services, nodes = list(view.services), list(view.nodes)
    shuffler.shuffle(services)
    shuffler.shuffle(nodes)
    other = msgspec.structs.replace(view, services=tuple(services), nodes=tuple(nodes))
    assert MODE.compile(view, "n1", ProxyOptions()) == MODE.compile(other, "n1", ProxyOptions())


@settings(max_examples=60, deadline=None)
@given(views())
def test_rules_are_valid_and_parsing_a_rendering_returns_them(view):
    ruleset = compiled(view)
    assert nft.validate(ruleset) == ()
    assert parse(nft.render(ruleset)) == (ruleset, ())


@settings(max_examples=60, deadline=None)
@given(views(), views())
def test_change_arrives_twice_equals_once_and_revert_restores(before, after):
    one, other = compiled(before), compiled(after)
    fake = FakeNft()
    fake.apply(replacement(one).render())
    assert listed(fake) == one
    fake.apply(difference(one, other).render())
    assert listed(fake) == other
    fake.apply(difference(other, other).render())
    fake.apply(replacement(other).render())
    assert listed(fake) == other
    fake.apply(difference(other, one).render())
    assert listed(fake) == one


def test_growth_is_linear_in_endpoints_and_chains_do_not_grow():
    def size(services, endpoints):
        ports = tuple(
            ServicePort(
                namespace="d",
                name=f"s{i}",
                port_name="",
                protocol="TCP",
                port=80,
                cluster_ips=(f"10.96.{i >> 8}.{i & 255}",),
                load_balancer_ips=(f"198.51.{i >> 8}.{i & 255}",),
                node_port=30000 + i,
                endpoints=tuple(Endpoint(f"10.244.{i & 255}.{e}", 80, "n1") for e in range(endpoints)),
            )
            for i in range(services)
        )
        table = compiled(View(network=NETWORK, nodes=NODES, services=ports)).table("ip", "kube-proxy")
        return sum(len(s.elements) for s in table.sets.values()), len(table.chains)

    (few, chains), (many, more_chains) = size(20, 3), size(200, 3)
    assert chains == more_chains
    assert many - few == 180 * (3 * 3 + 3 + 4)
    assert size(20, 6)[0] - few == 20 * 3 * (3 + 1)


def test_one_changed_endpoint_is_a_few_commands():
    endpoints = tuple(Endpoint(f"10.244.0.{i}", 80) for i in range(1, 6))
    ports = [
        ServicePort(
            namespace="d",
            name=f"s{i}",
            port_name="",
            protocol="TCP",
            port=80,
            cluster_ips=(f"10.96.0.{i}",),
            endpoints=endpoints,
        )
        for i in range(1, 50)
    ]
    before = View(network=NETWORK, nodes=NODES, services=tuple(ports))
    index = random.Random(3).randrange(len(ports))
    ports[index] = msgspec.structs.replace(ports[index], endpoints=(*endpoints[:-1], Endpoint("10.244.0.9", 80)))
    after = msgspec.structs.replace(before, services=tuple(ports))
    text = difference(compiled(before), compiled(after)).render()
    assert sorted(text.splitlines()) == [
        f"add element ip kube-proxy tcp-endpoints {{ 10.96.0.{index + 1} . 80 . 4 : 10.244.0.9 . 80 }}",
        f"delete element ip kube-proxy tcp-endpoints {{ 10.96.0.{index + 1} . 80 . 4 }}",
    ]


def chains_of(view):
    return IPTABLES.compile(view, "n1", ProxyOptions())[0]


@settings(max_examples=60, deadline=None)
@given(views(), views())
def test_iptables_mode_keeps_the_same_laws(before, after):
    one, other = chains_of(before), chains_of(after)
    turned = msgspec.structs.replace(after, services=after.services[::-1], nodes=after.nodes[::-1])
    assert chains_of(turned) == other
    for old, new in zip(one, other, strict=True):
        assert iptables.validate(new) == ()
        assert iptables.parse(iptables.render(new), new.family) == (new, ())
        fake, held = FakeIptables(), iptables.Ruleset(new.family)
        for wanted in (old, new, new, old):
            fake.restore(new.family, iptables_difference.difference(held, wanted))
            held, findings = iptables.parse(fake.save(new.family), new.family)
            assert (held, findings) == (wanted, ())
        assert len(fake.texts) <= 3


@settings(max_examples=100, deadline=None)
@given(views())
def test_modes_do_the_same_to_packets(view):
    """Where the behaviours of two modes are the same, so are the ends of packets, by tracers of two languages.

    Source ranges without endpoints are left out: nftables drops there, and iptables rejects (K87).
    An external address that is the Service's load balancer address too has no source ranges in iptables mode.
    What the node itself sends to an external destination without endpoints is refused by nftables only, as recorded.
    """
    bare = [p.key for p in view.services if not all(choose(p, NODES[0], f).any_endpoints for f in (4, 6))]
    unguarded = tuple(
        msgspec.structs.replace(
            p,
            source_ranges=() if p.key in bare else p.source_ranges,
            external_ips=tuple(a for a in p.external_ips if a not in p.load_balancer_ips),
        )
        for p in view.services
    )
    view = msgspec.structs.replace(view, services=unguarded)
    options = ProxyOptions(node_port_addresses=("primary",))
    texts = [mode.render(mode.compile(view, "n1", options)[0], view) for mode in (MODE, IPTABLES)]
    rules = [read(mode, text) for mode, text in zip(("nftables", "iptables"), texts, strict=True)]
    differences, findings, count = compare(*rules, probes(view, NODES[0]), Host(NODES[0].addresses))
    unrefused = [d for d in differences if d.probe.source == "node" and d.theirs == "passed"]
    assert {d.ours for d in unrefused} <= {"rejected", "dropped"}
    assert ([d for d in differences if d not in unrefused], findings) == ([], ())
    assert count or not any(p.proxied for p in view.services)
