"""What the kernel lists is read as what was told to it: the same packets have the same ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from switchboard.apply.iptables import KernelIptables
from switchboard.apply.netns import create
from switchboard.apply.nft import KernelNft
from switchboard.apply.process import run
from switchboard.base.discovery import load
from switchboard.run.proxy_state import State, program, program_iptables
from switchboard.trace.rules.compare import compare, probes, read
from switchboard.trace.rules.packet import Host

pytestmark = pytest.mark.live
RECORDED = Path(__file__).parents[1] / "cases" / "proxy" / "recorded"
NAMES = ("affinity-tcp", "lb-sourceranges", "mix-01", "mix-29", "mix-49", "noep-loadbalancer")


@pytest.mark.parametrize("name", NAMES)
def test_the_kernels_own_text_is_understood(name):
    case = json.loads((RECORDED / f"{name}.json").read_text())
    state = msgspec.convert({k: case[k] for k in ("node", "nodes", "services", "endpointSlices") if k in case}, State)
    namespace = create()
    try:
        nft, iptables = KernelNft(namespace), KernelIptables(namespace)
        applied = program(state, None, nft)
        texts = {"nftables": [run(("nft", "list", "ruleset"), netns=namespace).stdout]}
        nft.apply("flush ruleset\n")
        chains = program_iptables(state, None, iptables)
        texts["iptables"] = [iptables.save(family) for family in (4, 6)]
    finally:
        os.close(namespace)
    node = next(n for n in applied.view.nodes if n.name == case["node"]["name"])
    asked = tuple(probes(applied.view, node))
    for mode, rules in (("nftables", applied.rules), ("iptables", chains.rules)):
        wanted = read(mode, load("switchboard.compile.modes", mode, "MODE").render(rules, applied.view))
        counts = []
        for text in texts[mode]:
            differences, findings, count = compare(wanted, read(mode, text), asked, Host(node.addresses))
            assert (differences, findings) == ((), ())
            counts.append(count)
        assert sum(counts) >= len(asked)
