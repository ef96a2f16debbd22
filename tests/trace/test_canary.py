"""Recorded canary cases decide; the law says that the share is weight over total."""

from __future__ import annotations

import json
from fractions import Fraction
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.trace.canary import decide
from switchboard.view.route import Backend, Canary

CASES = json.loads((Path(__file__).parents[1] / "cases" / "trace" / "canary.json").read_bytes())
# This one is about endpoints, which the gateway looks at before it asks for a decision.
DECIDED_BY_ENDPOINTS = {"ngx-canary-no-endpoints"}


def canary(**facts: Any) -> Canary:
    return Canary(owner="Ingress t/canary", backend=Backend("t/v2", "80"), **facts)


def from_annotations(notes: dict[str, str]) -> Canary:
    return canary(
        weight=int(notes.get("canary-weight", 0)),
        # A total of 100 or less is ignored; the view states what counts.
        weight_total=max(100, int(notes.get("canary-weight-total", 100))),
        header=notes.get("canary-by-header", ""),
        header_value=notes.get("canary-by-header-value", ""),
        header_pattern=notes.get("canary-by-header-pattern", ""),
        cookie=notes.get("canary-by-cookie", ""),
    )


@pytest.mark.parametrize("case", [c for c in CASES if c["id"] not in DECIDED_BY_ENDPOINTS], ids=lambda c: c["id"])
def test_recorded_cases(case: dict[str, Any]) -> None:
    facts = from_annotations(case["annotations"])
    for request in case["requests"]:
        headers = {k.lower(): v for k, v in request["headers"].items()}
        sent = {k: v.value for k, v in SimpleCookie(headers.get("cookie", "")).items()} | request["cookies"]
        assert float(decide(facts, headers, sent).share) == pytest.approx(request["share"]), request


@given(st.integers(-5, 300), st.integers(1, 300))
def test_share_is_weight_over_total(weight: int, total: int) -> None:
    share = decide(canary(weight=weight, weight_total=total), {}, {}).share
    assert share == min(max(Fraction(weight, total), Fraction(0)), Fraction(1))


def test_no_total_means_no_share() -> None:
    assert decide(canary(weight=5, weight_total=0), {}, {}).share == 0


def test_reason_names_what_decided() -> None:
    facts = canary(weight=10, header="X-Canary", cookie="stage")
    assert decide(facts, {"x-canary": "always"}, {"stage": "never"}).why == "header X-Canary is always"
    assert decide(facts, {"x-canary": "x"}, {"stage": "never"}).why == "cookie stage is never"
    assert decide(facts, {}, {}).why == "weight 10 of 100"


def test_a_pattern_that_the_data_plane_refuses_keeps_its_header_with_main() -> None:
    facts = canary(weight=100, header="X-User", header_pattern="(?=v2)")
    assert decide(facts, {"x-user": "v2"}, {}).share == 0
    assert decide(facts, {}, {}).share == 1
