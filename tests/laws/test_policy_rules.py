"""For every recorded connection the compiled rules, read as text, give the recorded verdict on the nodes it passes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from switchboard.compile.policy import TABLE, compile_node
from switchboard.rules import nft
from switchboard.rules.nft_parse import parse
from switchboard.view.build import build
from switchboard.view.policy_decision import PolicyIndex

HERE = Path(__file__).parents[1] / "cases" / "policy"
CORPUS = runpy.run_path(str(HERE / "corpus.py"))
PACKETS = runpy.run_path(str(HERE / "packets.py"))


def ends(index, probe):
    for family in CORPUS["families"](probe):
        found = index.end(probe["from"], family), index.end(probe["to"], family)
        if all(found) and len({":" in e.address for e in found}) == 1:
            return found
    raise AssertionError(f"no ends for {probe}")


def forwards(end, other):
    """Whether the node of an end forwards packets between both: its own traffic passes other hooks."""
    return end.pod is not None and not (other.node and other.node.name == end.pod.node)


def passes(rules, probe, source, destination):
    if source.pod and source.pod == destination.pod and probe.get("via") != "service":
        return True
    packet = PACKETS["Packet"](source.address, destination.address, probe["protocol"], probe["port"])
    pairs = ((source, destination), (destination, source))
    nodes = {end.pod.node for end, other in pairs if forwards(end, other)}
    return all(PACKETS["passes"](rules[n].table(packet.family, TABLE), packet) for n in nodes)


@pytest.mark.parametrize("case", CORPUS["cases"](), ids=lambda c: c["id"])
def test_rules_give_the_recorded_verdict(case):
    view, _ = build(CORPUS["objects"](case))
    rules = {}
    for node in view.nodes:
        compiled, findings = compile_node(view, node.name)
        assert findings == ()
        assert nft.validate(compiled) == ()
        rules[node.name], unknown = parse(nft.render(compiled))
        assert unknown == ()
        assert rules[node.name] == compiled
    index = PolicyIndex(view)
    different = [
        probe for probe in CORPUS["probes"](case) if passes(rules, probe, *ends(index, probe)) != probe["allowed"]
    ]
    assert different == []
