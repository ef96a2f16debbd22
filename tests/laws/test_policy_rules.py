"""For every recorded connection the compiled rules, read as text, give the recorded verdict on the nodes it passes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from switchboard.compile.policy import compile_node
from switchboard.rules import nft
from switchboard.rules.nft_parse import parse
from switchboard.view.build import build
from switchboard.view.policy_decision import PolicyIndex

HERE = Path(__file__).parents[1] / "cases" / "policy"
CORPUS = runpy.run_path(str(HERE / "corpus.py"))
PACKETS = runpy.run_path(str(HERE / "packets.py"))


def passes(rules, probe, source, destination):
    if source.pod and source.pod == destination.pod and probe.get("via") != "service":
        return True
    return PACKETS["allowed"](rules, source, destination, probe["protocol"], probe["port"])


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
    probes = [(probe, *CORPUS["ends"](index, probe)) for probe in CORPUS["probes"](case)]
    assert [p for p, source, to in probes if passes(rules, p, source, to) != p["allowed"]] == []
