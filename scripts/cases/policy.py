"""Plays recorded clusters with policies: every probe is decided, and read from the compiled rules.

``policy.py [DIR ...]``: the form of the files is in tests/cases/policy/README.md, and without any those of that
directory are played.  A probe passes when the decision over the view and the rules of the nodes that forward the
connection, as text, both give the recorded verdict.  tests/live/test_policy.py tries a sample in the kernel.
The last line is ``N passed, N failed`` and counts cases; exit code 1 when one failed.
"""

from __future__ import annotations

import argparse
import runpy
import sys
from pathlib import Path
from typing import Any

from switchboard.compile.policy import compile_node
from switchboard.rules import nft
from switchboard.rules.nft_parse import parse
from switchboard.view.build import build
from switchboard.view.policy_decision import PolicyIndex

RECORDED = Path(__file__).resolve().parents[2] / "tests" / "cases" / "policy"
CORPUS = runpy.run_path(str(RECORDED / "corpus.py"))
PACKETS = runpy.run_path(str(RECORDED / "packets.py"))


def play(case: dict[str, Any]) -> tuple[int, list[str]]:
    """How many probes a case has, and what is wrong with those that fail."""
    view, findings = build(CORPUS["objects"](case))
    wrong = [f"{found.object} {found.field}: {found.message}" for found in findings]
    index = PolicyIndex(view)
    rules = {n.name: parse(nft.render(compile_node(view, n.name)[0]))[0] for n in view.nodes}
    probes = list(CORPUS["probes"](case))
    for probe in probes:
        source, destination = CORPUS["ends"](index, probe)
        through = probe.get("via") == "service"
        decision = index.decide(source, destination, probe["protocol"], probe["port"], through_service=through)
        itself = source.pod is not None and source.pod == destination.pod and not through
        passed = itself or PACKETS["allowed"](rules, source, destination, probe["protocol"], probe["port"])
        if {decision.allowed, passed} != {probe["allowed"]}:
            asked = f"{probe['from']} -> {probe['to']} {probe['protocol']}/{probe['port']}"
            wrong.append(f"{asked}: recorded {probe['allowed']}, decided {decision.allowed}, rules {passed}")
    return len(probes), wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="*", type=Path, default=[RECORDED])
    results = []
    probes = 0
    for case in (c for place in parser.parse_args().places for c in CORPUS["cases"](place)):
        count, wrong = play(case)
        probes += count
        results.append(not wrong)
        for line in wrong:
            print(f"{case['id']}: {line}")
    print(f"{probes} probes")
    print(f"{sum(results)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
