"""Does a request go to the canary?

Comes in: a ``Canary`` and the request's headers and cookies.  Goes out: the exact share and the reason.
Called by ``trace.gateway``.
Specification: the order of ingress-nginx (header, cookie, weight), ``view.route.Canary``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

import msgspec

from switchboard.compile.gateway.regex import problem
from switchboard.view.route import Canary


class Decision(msgspec.Struct, frozen=True):
    """The share of such requests that go to the canary, 0 to 1, and why."""

    share: Fraction
    why: str


def decide(canary: Canary, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Decision:
    """Header, then cookie, then weight; the first that decides wins.

    ``headers`` has names in lower case.
    """
    return _by_header(canary, headers) or _by_cookie(canary, cookies) or _by_weight(canary)


def _by_header(canary: Canary, headers: Mapping[str, str]) -> Decision | None:
    value = headers.get(canary.header.lower()) if canary.header else None
    if value is None:
        return None
    name = canary.header
    if canary.header_value:
        # Another value, even "never", leaves the decision to cookie and weight.
        return Decision(Fraction(1), f"header {name} is {value}") if value == canary.header_value else None
    if canary.header_pattern:
        if unusable := problem(canary.header_pattern):
            return Decision(Fraction(0), f"header {name} is present and its pattern cannot be used: {unusable}")
        found = re.search(canary.header_pattern, value)
        return Decision(Fraction(1), f"header {name} matches {canary.header_pattern}") if found else None
    return _always_or_never(value, f"header {name}")


def _by_cookie(canary: Canary, cookies: Mapping[str, str]) -> Decision | None:
    value = cookies.get(canary.cookie) if canary.cookie else None
    return None if value is None else _always_or_never(value, f"cookie {canary.cookie}")


def _always_or_never(value: str, where: str) -> Decision | None:
    share = {"always": Fraction(1), "never": Fraction(0)}.get(value)
    return None if share is None else Decision(share, f"{where} is {value}")


def _by_weight(canary: Canary) -> Decision:
    if canary.weight_total <= 0:
        return Decision(Fraction(0), "the weights have no total")
    weight = min(max(canary.weight, 0), canary.weight_total)
    return Decision(Fraction(weight, canary.weight_total), f"weight {canary.weight} of {canary.weight_total}")
