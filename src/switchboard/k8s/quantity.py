"""Resource quantities (``500m``, ``1.5Gi``, ``2e3``) as exact numbers.

In: a quantity as text, or a bare number.  Out: a ``Fraction``, None for what is no quantity.
Called by controllers that compare amounts of CPU and memory.
Specification: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from fractions import Fraction

_FORM = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:[eE]([+-]?[0-9]{1,3})|([numkMGTPE]|[KMGTPE]i)?)\Z")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse(value: object) -> Fraction | None:
    """The number that a quantity stands for (cores for ``cpu``, bytes for ``memory``)."""
    found = _FORM.match(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if found is None:
        return None
    digits, exponent, suffix = found.groups()
    if suffix in _BINARY:
        return Fraction(digits) * Fraction(2) ** _BINARY[suffix]
    power = int(exponent) if exponent else _DECIMAL[suffix or ""]
    return Fraction(digits) * Fraction(10) ** power
