"""References come from scipy (binomtest, chisquare, proportion_ci), computed once; the laws need none."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.release.statistics import binomial_two_sided_p, chi_square_p, fit, quantile, wilson_interval


@pytest.mark.parametrize(
    ("successes", "trials", "share", "p"),
    [
        (103, 1000, 0.1, 0.7517199988983752),
        (130, 1000, 0.1, 0.002201726144861195),
        (70, 1000, 0.1, 0.001068694149873916),
        (0, 10, 0.1, 0.6125795109999999),
        (5, 10, 0.5, 1.0),
        (3, 10, 0.5, 0.34375),
        (99_000, 1_000_000, 0.1, 0.0008478796812520478),
        (100_300, 1_000_000, 0.1, 0.3173103196625403),
        (1, 3, 0.2, 0.488),
        (7, 20, 0.3, 0.6294979666766769),
        (300, 1000, 0.1, 6.823349107845461e-69),
        (59, 60, 0.99, 0.45284335760923883),
    ],
)
def test_binomial_against_reference(successes: int, trials: int, share: float, p: float) -> None:
    assert binomial_two_sided_p(successes, trials, share) == pytest.approx(p, rel=1e-7)


def test_binomial_at_the_rims() -> None:
    assert binomial_two_sided_p(0, 100, 0.0) == 1.0
    assert binomial_two_sided_p(1, 100, 0.0) == 0.0
    assert binomial_two_sided_p(100, 100, 1.0) == 1.0
    assert binomial_two_sided_p(99, 100, 1.0) == 0.0
    assert binomial_two_sided_p(0, 0, 0.3) == 1.0


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.01, 0.99))
def test_binomial_equals_the_plain_sum(counts: tuple[int, int], share: float) -> None:
    k, n = counts
    mass = [math.comb(n, i) * share**i * (1 - share) ** (n - i) for i in range(n + 1)]
    plain = math.fsum(m for m in mass if m <= mass[k] * (1 + 1e-7))
    assert binomial_two_sided_p(k, n, share) == pytest.approx(min(1.0, plain), rel=1e-6)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.001, 0.999))
def test_binomial_does_not_care_what_is_called_success(counts: tuple[int, int], share: float) -> None:
    k, n = counts
    ours, mirrored = binomial_two_sided_p(k, n, share), binomial_two_sided_p(n - k, n, 1 - share)
    assert 0.0 <= ours <= 1.0
    assert mirrored == pytest.approx(ours, rel=1e-5, abs=1e-300)


@pytest.mark.parametrize(
    ("observed", "shares", "p"),
    [
        ((98, 102), (1, 1), 0.7772974107895214),
        ((33, 50, 17), (0.3, 0.5, 0.2), 0.6872892787909721),
        ((690, 210, 100), (0.7, 0.2, 0.1), 0.7251124219221318),
        ((5, 5, 5, 5, 20), (1, 1, 1, 1, 1), 0.0001593393962623284),
        ((1000, 1200, 1100), (1, 1, 1), 0.00011268558050780068),
    ],
)
def test_chi_square_against_reference(observed: tuple[int, ...], shares: tuple[float, ...], p: float) -> None:
    assert chi_square_p(observed, shares) == pytest.approx(p, rel=1e-10)


def test_chi_square_of_impossible_and_empty_classes() -> None:
    assert chi_square_p((90, 9, 1), (0.9, 0.1, 0.0)) == 0.0
    assert chi_square_p((90, 10, 0), (0.9, 0.1, 0.0)) == chi_square_p((90, 10), (0.9, 0.1))
    assert chi_square_p((7,), (1.0,)) == 1.0
    assert chi_square_p((0, 0), (0.5, 0.5)) == 1.0


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0.01, 1)), min_size=2, max_size=40), st.randoms())
def test_chi_square_is_a_probability_whatever_the_order(classes: list[tuple[int, float]], random: object) -> None:
    shuffled = list(classes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = chi_square_p([n for n, _ in classes], [s for _, s in classes])
    other = chi_square_p([n for n, _ in shuffled], [s for _, s in shuffled])
    assert 0.0 <= one <= 1.0
    assert other == pytest.approx(one, rel=1e-6, abs=1e-290)


@pytest.mark.parametrize(
    ("successes", "trials", "confidence", "low", "high"),
    [
        (103, 1000, 0.95, 0.08565481000508716, 0.1233836362324436),
        (0, 10, 0.95, 0.0, 0.27753279986288926),
        (10, 10, 0.99, 0.6011459066950919, 1.0),
        (3, 7, 0.9, 0.18644319036395607, 0.7105229089864071),
    ],
)
def test_wilson_against_reference(successes: int, trials: int, confidence: float, low: float, high: float) -> None:
    interval = wilson_interval(successes, trials, confidence)
    assert (interval.low, interval.high) == (pytest.approx(low, rel=1e-9), pytest.approx(high, rel=1e-9))


@given(st.integers(0, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_what_was_observed(counts: tuple[int, int]) -> None:
    k, n = counts
    interval = wilson_interval(k, n)
    assert 0.0 <= interval.low <= interval.high <= 1.0
    if n:
        assert interval.low <= k / n <= interval.high


def test_quantile_is_an_observation() -> None:
    hundred = [float(i) for i in range(1, 101)]
    assert [quantile(hundred, q) for q in (0, 0.07, 0.5, 0.9, 0.99, 1)] == [1, 7, 50, 90, 99, 100]
    assert quantile([3.0], 0.99) == 3.0


@given(st.lists(st.floats(0, 1e3), min_size=1, max_size=200).map(sorted), st.integers(0, 1000))
def test_quantile_covers_its_share_and_no_smaller_value_does(ordered: list[float], permille: int) -> None:
    value = quantile(ordered, permille / 1000)
    assert value in ordered
    assert sum(x <= value for x in ordered) * 1000 >= permille * len(ordered)
    assert sum(x < value for x in ordered) * 1000 < max(permille, 1) * len(ordered)


def test_fit_of_a_canary() -> None:
    found = fit({"v1": Fraction(9, 10), "v2": Fraction(1, 10)}, {"v1": 897, "v2": 103})
    assert [(p.name, p.count, p.total, p.observed) for p in found.parts] == [
        ("v1", 897, 1000, 0.897),
        ("v2", 103, 1000, 0.103),
    ]
    assert found.p == pytest.approx(0.7517199988983752, rel=1e-7)
    assert found.parts[1].interval.low < 0.1 < found.parts[1].interval.high


def test_fit_of_several_versions_uses_chi_square() -> None:
    thirds = {"a": Fraction(7, 10), "b": Fraction(2, 10), "c": Fraction(1, 10)}
    assert fit(thirds, {"a": 690, "b": 210, "c": 100}).p == pytest.approx(0.7251124219221318, rel=1e-9)


def test_fit_tells_what_nobody_predicted() -> None:
    found = fit({"v1": Fraction(1)}, {"v1": 99, "stranger": 1})
    assert [(p.name, p.p) for p in found.parts] == [("v1", 0.0), ("stranger", 0.0)]
    assert found.p == 0.0


def test_fit_scales_what_was_predicted_and_needs_no_observation() -> None:
    found = fit({"v1": Fraction(9, 20), "v2": Fraction(1, 20)}, {})
    assert [p.predicted for p in found.parts] == [Fraction(9, 10), Fraction(1, 10)]
    assert (found.total, found.p, found.parts[0].observed) == (0, 1.0, 0.0)


@pytest.mark.parametrize(
    "broken",
    [
        lambda: binomial_two_sided_p(3, 2, 0.5),
        lambda: binomial_two_sided_p(1, 2, 1.5),
        lambda: chi_square_p((1, 2), (1.0,)),
        lambda: chi_square_p((1, 2), (0.0, 0.0)),
        lambda: wilson_interval(1, 2, 1.0),
        lambda: fit({}, {"v1": 1}),
        lambda: quantile([], 0.5),
        lambda: quantile([1.0], 1.1),
    ],
)
def test_broken_promises_raise(broken: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        broken()  # type: ignore[operator]
