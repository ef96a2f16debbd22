"""Outcomes sum to 1, and the machine-readable form keeps exact probabilities."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest

from switchboard.trace.result import Outcome, Target, Verdict, decode, encode, finish, shares


def answered(pod: str, share: Fraction) -> Outcome:
    target = Target(pod=pod, address="10.244.0.1", port=8080, service="shop/tea")
    return Outcome(verdict=Verdict.ANSWERED, probability=share, target=target)


def test_json_keeps_the_fraction_and_names_its_kind() -> None:
    path = finish("outside", "https://a/", (), (answered("shop/a", Fraction(1, 3)), answered("shop/b", Fraction(2, 3))))
    document = json.loads(encode(path))
    assert (document["apiVersion"], document["kind"]) == ("switchboard.dev/v1", "Path")
    assert document["pods"][0]["probability"] == {"exact": "1/3", "value": 1 / 3}
    assert decode(encode(path)) == path


def test_services_and_pods_are_added_up() -> None:
    third = Fraction(1, 3)
    path = finish("outside", "x", (), tuple(answered(pod, third) for pod in ("shop/a", "shop/b", "shop/a")))
    assert [(c.name, c.probability) for c in path.pods] == [("shop/a", 2 * third), ("shop/b", third)]
    assert [(c.name, c.probability) for c in path.services] == [("shop/tea", Fraction(1))]
    assert path.verdict is Verdict.ANSWERED


def test_different_ends_are_mixed_and_the_bad_one_is_told() -> None:
    dropped = Outcome(verdict=Verdict.DROPPED, probability=Fraction(1, 4), reason="No endpoint.", hint="Run one.")
    path = finish("outside", "x", (), (answered("shop/a", Fraction(3, 4)), dropped))
    assert path.verdict is Verdict.MIXED
    assert path.reason == "25.0% of connections are not answered: No endpoint."
    assert path.hint == "Run one."


def test_impossible_outcomes_are_left_out() -> None:
    never = Outcome(verdict=Verdict.DROPPED, probability=Fraction(0))
    path = finish("outside", "x", (), (never, answered("shop/a", Fraction(1))))
    assert path.verdict is Verdict.ANSWERED
    assert len(path.outcomes) == 1


def test_a_sum_other_than_one_is_a_broken_promise() -> None:
    with pytest.raises(ValueError, match="sum to 2/3"):
        finish("outside", "x", (), (answered("shop/a", Fraction(2, 3)),))


def test_target_without_pod_is_named_by_its_address() -> None:
    assert Target(pod="", address="2001:db8::1", port=53).name == "[2001:db8::1]:53"
    assert Target(pod="", address="192.0.2.1", port=53).name == "192.0.2.1:53"
    assert shares([]) == ()
