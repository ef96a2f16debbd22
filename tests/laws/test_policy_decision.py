"""Every recorded verdict on a connection is the decision over the view, and the order of objects is irrelevant."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from switchboard.view.build import build
from switchboard.view.policy_decision import PolicyIndex

CORPUS = runpy.run_path(str(Path(__file__).parents[1] / "cases" / "policy" / "corpus.py"))
CASES = CORPUS["cases"]()


def verdicts(case, *, backwards=False):
    objects = CORPUS["objects"](case)
    view, findings = build({k: v[::-1] for k, v in objects.items()} if backwards else objects)
    assert findings == ()
    index = PolicyIndex(view)
    for probe in CORPUS["probes"](case):
        through = probe.get("via") == "service"
        found = index.decide(*CORPUS["ends"](index, probe), probe["protocol"], probe["port"], through_service=through)
        yield probe, found


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_the_decision_is_the_recorded_one(case):
    different = [(p, d) for p, d in verdicts(case) if d.allowed != p["allowed"]]
    assert different == []


def test_the_corpus_is_all_there():
    assert len(CASES) == 337
    assert sum(1 for case in CASES for _ in CORPUS["probes"](case)) == 123_223


def test_order_of_objects_is_irrelevant():
    for case in CASES[::7]:
        assert list(verdicts(case)) == list(verdicts(case, backwards=True))
