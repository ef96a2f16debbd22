"""Quantities (``100m``, ``1.5Gi``, ``2``) and the one form in which Kubernetes writes each.

In: a quantity as text or number.  Out: its canonical text, its value; what is no quantity comes back as it is.
Called by the defaults and by the validation of quotas and limits.
Specification: k8s.io/apimachinery/pkg/api/resource.Quantity: the largest suffix without a fraction, of the same family.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, Final

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i))?")
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"": 0, "Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_SMALLEST: Final = Fraction(1, 10**9)


def value_of(quantity: Any) -> Fraction | None:
    """The value of a quantity, None for anything else."""
    if isinstance(quantity, bool) or not isinstance(quantity, str | int | float):
        return None
    found = _FORM.fullmatch(str(quantity))
    if found is None or len(str(quantity)) > 64:
        return None
    number, exponent, suffix = found.groups()
    value = Fraction(number if not number.endswith(".") else number[:-1])
    if exponent:
        power = int(exponent[1:])
        return value * Fraction(10) ** power if abs(power) <= 30 else None
    suffix = suffix or ""
    return value * (Fraction(1024) ** _BINARY[suffix] if suffix.endswith("i") else Fraction(10) ** _DECIMAL[suffix])


def canonical(quantity: Any) -> Any:
    """The canonical text of a quantity; anything else as it is."""
    value = value_of(quantity)
    if value is None:
        return quantity
    text = str(quantity)
    if not value:
        return "0"
    if text.endswith("i") and value.denominator == 1 and abs(value) >= 1024:
        power = max(p for p in _BINARY.values() if value % 1024**p == 0)
        suffix = next(s for s, p in _BINARY.items() if p == power)
        return f"{value / 1024**power}{suffix}"
    # Beyond a billionth it is rounded away from zero.
    steps = value / _SMALLEST
    value = Fraction(math.ceil(steps) if steps > 0 else math.floor(steps)) * _SMALLEST
    power = max(p for p in _DECIMAL.values() if (value / Fraction(10) ** p).denominator == 1)
    number = value / Fraction(10) ** power
    if re.fullmatch(r".*[eE][+-]?\d+", text):
        return f"{number}e{power}" if power else str(number)
    return f"{number}{next(s for s, p in _DECIMAL.items() if p == power)}"


def canonical_values(found: Any) -> None:
    """Every quantity of a mapping, in place."""
    if isinstance(found, dict):
        for key, value in found.items():
            found[key] = canonical(value)
