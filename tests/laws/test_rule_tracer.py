"""Rule tracer = view = kube-proxy: over every recorded flow whose answer does not depend on what went before."""

from __future__ import annotations

import ipaddress
import json
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from switchboard.base.discovery import load
from switchboard.compile.modes._mode import DetectLocal
from switchboard.rules import iptables, nft
from switchboard.run.proxy_state import State, objects, options
from switchboard.trace.lookup import Lookup
from switchboard.trace.node import Source
from switchboard.trace.node import rule as predict
from switchboard.trace.rules.iptables import IptablesRules
from switchboard.trace.rules.nft import NftRules
from switchboard.trace.rules.packet import Host, Origin, Packet, Verdict
from switchboard.view.build import build

RECORDED = sorted((Path(__file__).parents[1] / "cases" / "proxy" / "recorded").glob("*.json"))
VERDICTS = {"dnat": Verdict.TRANSLATED, "pass": Verdict.PASSED, "reject": Verdict.REJECTED, "drop": Verdict.DROPPED}


def stateless(flow):
    """Flows that neither continue another nor ask a server."""
    return not (flow.keys() & {"http", "conn", "sticky", "compare"} or flow["from"].get("port"))


def states(case):
    kept = {k: case[k] for k in ("services", "endpointSlices")}
    for phase in (case, *case.get("phases", [])):
        kept |= {k: phase[k] for k in kept if k in phase}
        whole = {"node": case["node"], "nodes": case.get("nodes", []), **kept}
        yield msgspec.convert(whole, State), phase.get("flows", [])


def rules_of(mode, state):
    """What the mode compiles, as text, read by the tracer: by family."""
    view, _ = build(objects(state))
    compiled, _ = load("switchboard.compile.modes", mode, "MODE").compile(view, state.node["name"], options(state.node))
    if mode == "nftables":
        return dict.fromkeys((4, 6), NftRules(nft.render(compiled)))
    return {r.family: IptablesRules(iptables.render(r), r.family) for r in compiled}


def interfaces(case):
    """The laboratory's names: pods of the node come in by pod0, pod1 ..., others by ext*, in order of the flows."""
    names = {}
    for phase in (case, *case.get("phases", [])):
        for flow in phase.get("flows", []):
            source = flow["from"]
            if source["where"] != "node-itself":
                kind = "pod" if source["where"] == "pod-on-node" else "ext"
                names.setdefault(source["ip"], f"{kind}{len(names)}")
    return names


def packet(flow, names):
    source, to = flow["from"], flow["to"]
    own = source["where"] == "node-itself"
    return Packet(
        source=str(ipaddress.ip_address(source["ip"])),
        destination=str(ipaddress.ip_address(to["ip"])),
        protocol=to.get("protocol", "TCP"),
        port=to["port"],
        origin=Origin.PROCESS if own else Origin.WIRE,
        interface="" if own else names[source["ip"]],
    )


def masqueraded(outcomes):
    """As recordings say it: for all, for none, or for which."""
    whom = sorted(o.endpoint for o in outcomes if o.masquerade)
    return (bool(whom), None) if len(whom) in (0, len(outcomes)) else (None, whom)


def check(traced, flow, expected):
    assert traced.findings == ()
    assert sum(o.probability for o in traced.outcomes) == 1
    assert {o.verdict for o in traced.outcomes} == {VERDICTS[expected["verdict"]]}, traced
    if expected["verdict"] == "dnat":
        assert sorted(o.endpoint for o in traced.outcomes) == sorted(expected["endpoints"])
        assert {o.probability for o in traced.outcomes} == {Fraction(1, len(traced.outcomes))}
    if expected["verdict"] in ("dnat", "pass"):
        found = masqueraded(traced.outcomes)
        assert found == (expected["masquerade"], expected.get("masqueradeFor")), traced


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
def test_rules_say_what_kube_proxy_did(path, mode):
    case = json.loads(path.read_text())
    names = interfaces(case)
    own = tuple(str(ipaddress.ip_address(a)) for a in case["node"]["ips"] + case["node"].get("loIPs", []))
    loopback = mode == "iptables" and case["node"].get("localhostNodePorts", True)
    host = Host(own, route_loopback=loopback)
    for state, flows in states(case):
        rules = rules_of(mode, state)
        for flow in filter(stateless, flows):
            asked = packet(flow, names)
            expected = flow["expectIptables"] if mode == "iptables" and "expectIptables" in flow else flow["expect"]
            check(rules[asked.family].trace(asked, host), flow, expected)


def test_enough_flows_are_compared():
    cases = [json.loads(path.read_text()) for path in RECORDED]
    flows = [f for c in cases for p in (c, *c.get("phases", [])) for f in p.get("flows", [])]
    assert sum(map(stateless, flows)) > 1200


# What the prediction from the view leaves out, and why.
BEYOND_THE_VIEW = {
    "conflict-endpoint-is-vip": "the endpoint is itself a cluster address, at which the translated packet is refused",
    "lb-sourceranges-vip-local-allowed": "a node that has the load balancer's address as its own uses it as its source",
    **dict.fromkeys(
        ("nodeport-addresses-all", "nodeport-localhost", "nodeport-localhost-etp-local"),
        "the client's address is loopback, and the routes drop what rules have translated",
    ),
}


def inside(address, ranges):
    found = ipaddress.ip_address(address)
    return any(found in ipaddress.ip_network(r) for r in ranges)


def test_few_cases_are_beyond_the_view():
    assert set(BEYOND_THE_VIEW) <= {path.stem for path in RECORDED}
    assert len(BEYOND_THE_VIEW) <= 0.03 * len(RECORDED)


@pytest.mark.parametrize("path", [p for p in RECORDED if p.stem not in BEYOND_THE_VIEW], ids=lambda p: p.stem)
def test_the_view_says_the_same(path):
    """The prediction from the view, for settings that it knows: sources recognised by the pods' range."""
    case = json.loads(path.read_text())
    told = options(case["node"])
    if told.detect_local is not DetectLocal.CLUSTER_CIDR or not told.cluster_cidrs or told.masquerade_all:
        return
    for state, flows in states(case):
        view, _ = build(objects(state))
        node, lookup = next(n for n in view.nodes if n.name == case["node"]["name"]), Lookup(view)
        for flow in filter(stateless, flows):
            to, source = flow["to"], flow["from"]
            entry = lookup.entry(str(ipaddress.ip_address(to["ip"])), to["port"], to.get("protocol", "TCP"))
            if entry is None or flow["expect"]["verdict"] == "pass":
                continue
            where = Source.POD if inside(source["ip"], told.cluster_cidrs) else Source.OUTSIDE
            where = Source.NODE if source["where"] == "node-itself" else where
            ruling = predict(entry, node, where, source["ip"])
            found = sorted({o.address + ":" + str(o.port) for o in ruling.endpoints})
            expected = [e.replace("[", "").replace("]", "") for e in flow["expect"].get("endpoints", [])]
            assert found == sorted(expected), flow
