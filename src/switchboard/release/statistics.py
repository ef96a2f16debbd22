"""Counting statistics of a split: does what was counted fit what was planned?

Comes in: counts of requests and planned shares.
Goes out: p-values, intervals and quantiles as floats; the caller (release machine, reports) words them.
Sources: the exact binomial test by the method of small p-values (Gibbons and Pratt 1975, as in R's binom.test),
Pearson's chi-square test with the regularised incomplete gamma function (DLMF 8.11.4 and 8.9.2),
the score interval of Wilson (1927), quantiles by definition 1 of Hyndman and Fan (1996).
Arguments outside their domain raise ValueError: the callers count, so that is a broken promise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from statistics import NormalDist

import msgspec

# Probabilities within this relative distance count as equal, so that rounding does not decide about symmetric tails.
_TIE = 1e-7
# A term this small beside the sum so far changes nothing in double precision.
_NEGLIGIBLE = 1e-18


# Below DOUBTFUL chance alone rarely explains a split, below UNFIT it does not: one run in a thousand may still say so.
DOUBTFUL = 0.05
UNFIT = 0.001


class Interval(msgspec.Struct, frozen=True):
    """A confidence interval of a proportion, both ends in [0, 1]."""

    low: float
    high: float


class ShareFit(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a split: ``predicted`` share, ``count`` of ``total``, 95 % ``interval`` of the share, exact ``p``."""

    name: str
    predicted: Fraction
    count: int
    total: int
    interval: Interval
    p: float

    @property
    def observed(self) -> float:
        """The observed share; 0 without observations."""
        return self.count / self.total if self.total else 0.0


class SplitFit(msgspec.Struct, frozen=True):
    """A split as counted beside the split as predicted; ``p`` is that of the whole, 1 without observations."""

    parts: tuple[ShareFit, ...]
    total: int
    p: float


def fit(predicted: Mapping[str, Fraction], counts: Mapping[str, int]) -> SplitFit:
    """Compares counts by name with predicted shares, which are scaled to sum to 1.

    Names that were predicted come first, then those that only turned up (their share is 0, so their p is 0).
    Two parts are tested exactly, more by chi-square.  Raises ValueError when nothing is predicted.
    """
    scale = sum(predicted.values(), Fraction(0))
    _require(scale > 0, "some share must be predicted")
    names = (*predicted, *(n for n in counts if n not in predicted))
    total = sum(counts.values())
    parts: list[ShareFit] = []
    for name in names:
        share, count = predicted.get(name, Fraction(0)) / scale, counts.get(name, 0)
        p = binomial_two_sided_p(count, total, float(share))
        interval = wilson_interval(count, total)
        parts.append(ShareFit(name=name, predicted=share, count=count, total=total, interval=interval, p=p))
    if len(parts) <= 2:
        return SplitFit(tuple(parts), total, parts[0].p)
    return SplitFit(tuple(parts), total, chi_square_p([s.count for s in parts], [float(s.predicted) for s in parts]))


def binomial_two_sided_p(successes: int, trials: int, share: float) -> float:
    """P-value of an exact two-sided test that each of ``trials`` succeeds with probability ``share``.

    It is the total probability of all counts that are not more probable than ``successes`` (small p-values).
    Time grows with the square root of ``trials``; relative error stays below 1e-7 up to a million trials.
    """
    _require(0 <= successes <= trials, f"0 <= successes <= trials does not hold: {successes}, {trials}")
    _require(0.0 <= share <= 1.0, f"share must be a probability, not {share}")
    if share in (0.0, 1.0):
        return 1.0 if successes == round(trials * share) else 0.0
    limit = _log_mass(successes, trials, share) + math.log1p(_TIE)
    mode = int((trials + 1) * share)
    if _log_mass(min(mode, trials), trials, share) <= limit:
        return 1.0
    if successes < mode:
        near = _lower_tail(successes, trials, share)
        far = _upper_tail(_first_at_most(limit, mode, trials, share), trials, share)
    else:
        near = _upper_tail(successes, trials, share)
        far = _lower_tail(_last_at_most(limit, mode, trials, share), trials, share)
    return min(1.0, near + far)


def chi_square_p(observed: Sequence[int], shares: Sequence[float]) -> float:
    """P-value of Pearson's test that ``observed`` counts follow ``shares`` (any positive scale, zero allowed).

    An observation where the share is zero gives 0.0.
    The approximation wants about five expected per class or more; for two classes use the exact binomial test.
    """
    _require(len(observed) == len(shares), "one share for each count")
    _require(all(n >= 0 for n in observed) and all(s >= 0 for s in shares), "counts and shares are not negative")
    total, scale = sum(observed), math.fsum(shares)
    _require(scale > 0, "some share must be positive")
    statistic, classes = 0.0, 0
    for count, share in zip(observed, shares, strict=True):
        expected = total * share / scale
        if share == 0:
            if count:
                return 0.0
            continue
        classes += 1
        if expected:
            statistic += (count - expected) ** 2 / expected
    return 1.0 if classes < 2 else _gamma_q((classes - 1) / 2, statistic / 2)


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Score interval of a proportion; [0, 1] without trials."""
    _require(0 <= successes <= trials, f"0 <= successes <= trials does not hold: {successes}, {trials}")
    _require(0.0 < confidence < 1.0, f"confidence must lie between 0 and 1, not {confidence}")
    if trials == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / trials
    scale = 1 + z * z / trials
    middle = (rate + z * z / (2 * trials)) / scale
    half = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials)) / scale
    # At the rims the formula gives exactly 0 and 1; rounding must not leave the observed rate outside.
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == trials else min(1.0, middle + half)
    return Interval(low, high)


def quantile(ordered: Sequence[float], q: float) -> float:
    """The smallest of ``ordered`` (ascending, not empty) that at least the share ``q`` does not exceed.

    Definition 1 of Hyndman and Fan: always an observed value, never one in between.
    """
    _require(len(ordered) > 0, "a quantile needs an observation")
    _require(0.0 <= q <= 1.0, f"q must lie between 0 and 1, not {q}")
    # In binary 0.07 * 100 is a little more than 7; the decimal that was meant decides the rank.
    rank = math.ceil(Fraction(q).limit_denominator(1_000_000) * len(ordered))
    return ordered[max(rank, 1) - 1]


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(message)


def _log_mass(k: int, n: int, p: float) -> float:
    """Natural logarithm of the binomial probability of ``k`` in ``n``, for 0 < p < 1."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(p) + (n - k) * math.log1p(-p)


def _lower_tail(k: int, n: int, p: float) -> float:
    """P(X <= k), summed downwards from ``k``; meant for ``k`` below the mode, where terms shrink."""
    if k < 0:
        return 0.0
    term = total = math.exp(_log_mass(k, n, p))
    odds = (1 - p) / p
    for i in range(k, 0, -1):
        term *= i / (n - i + 1) * odds
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return total


def _upper_tail(k: int, n: int, p: float) -> float:
    """P(X >= k), summed upwards from ``k``; meant for ``k`` above the mode, where terms shrink."""
    if k > n:
        return 0.0
    term = total = math.exp(_log_mass(k, n, p))
    odds = p / (1 - p)
    for i in range(k, n):
        term *= (n - i) / (i + 1) * odds
        total += term
        if term < total * _NEGLIGIBLE:
            break
    return total


def _first_at_most(limit: float, mode: int, n: int, p: float) -> int:
    """The smallest count from ``mode`` up whose log probability is at most ``limit``; n + 1 when there is none."""
    low, high = mode, n + 1
    while low < high:
        middle = (low + high) // 2
        if _log_mass(middle, n, p) <= limit:
            high = middle
        else:
            low = middle + 1
    return low


def _last_at_most(limit: float, mode: int, n: int, p: float) -> int:
    """The largest count from ``mode`` down whose log probability is at most ``limit``; -1 when there is none."""
    low, high = -1, min(mode, n)
    while low < high:
        middle = (low + high + 1) // 2
        if _log_mass(middle, n, p) <= limit:
            low = middle
        else:
            high = middle - 1
    return low


def _gamma_q(a: float, x: float) -> float:
    """Regularised upper incomplete gamma function Q(a, x), a > 0 and x >= 0."""
    if x == 0:
        return 1.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    return 1.0 - front * _gamma_series(a, x) if x < a + 1 else front * _gamma_fraction(a, x)


def _gamma_series(a: float, x: float) -> float:
    """Sum of x^k / (a (a+1) ... (a+k)), DLMF 8.11.4; terms shrink from the start when x < a + 1."""
    term = total = 1.0 / a
    k = 0
    while term > total * _NEGLIGIBLE:
        k += 1
        term *= x / (a + k)
        total += term
    return total


def _gamma_fraction(a: float, x: float) -> float:
    """The continued fraction of DLMF 8.9.2 in its even form, evaluated by Lentz's method, for x >= a + 1."""
    tiny = 1e-300
    b = x + 1 - a
    c, d = 1 / tiny, 1 / b
    value = d
    for i in range(1, 100_000):
        numerator = i * (a - i)
        b += 2
        d = 1 / (numerator * d + b or tiny)
        c = b + numerator / c or tiny
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
