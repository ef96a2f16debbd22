"""The iptables mode in the kernel: what it holds afterwards is what was compiled, word for word."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from switchboard.apply.iptables import KernelIptables
from switchboard.apply.netns import create
from switchboard.rules.iptables import Ruleset, parse
from switchboard.rules.iptables_difference import difference
from switchboard.run.proxy_state import State, program_iptables

pytestmark = pytest.mark.live
RECORDED = Path(__file__).parents[1] / "cases" / "proxy" / "recorded"
NAMES = "affinity-switched-on chg-etp chg-scale lb-sourceranges mix-29 nodeport-localhost v6-lb-local"


@pytest.mark.parametrize("name", NAMES.split())
def test_the_kernel_holds_what_was_compiled(name):
    case = json.loads((RECORDED / f"{name}.json").read_text())
    namespace = create()
    try:
        iptables, applied = KernelIptables(namespace), None
        for phase in (case, *case.get("phases", [])):
            whole = {**{k: case[k] for k in ("node", "services", "endpointSlices")}, **phase}
            applied = program_iptables(msgspec.convert(whole, State), applied, iptables)
            for ruleset in applied.rules:
                held, findings = parse(iptables.save(ruleset.family), ruleset.family)
                assert findings == ()
                for table, chains in ruleset.tables.items():
                    assert chains.items() <= held.tables[table].items()
                assert difference(held, ruleset) == ""
        for family in (4, 6):
            held, _ = parse(iptables.save(family), family)
            iptables.restore(family, difference(held, Ruleset(family)))
            assert "KUBE-" not in iptables.save(family)
    finally:
        os.close(namespace)
