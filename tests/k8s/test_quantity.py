from fractions import Fraction

import pytest

from switchboard.k8s.quantity import value_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", Fraction(1, 2)),
        ("4", Fraction(4)),
        (4, Fraction(4)),
        ("1.5Gi", Fraction(3, 2) * 2**30),
        ("2e3", Fraction(2000)),
        ("12E", Fraction(12) * 10**18),
        ("1E-3", Fraction(1, 1000)),
        ("100n", Fraction(1, 10**7)),
        (".5", Fraction(1, 2)),
        ("-1k", Fraction(-1000)),
        ("", None),
        ("1 Gi", None),
        ("1K", None),
        ("m", None),
        (None, None),
        (True, None),
    ],
)
def test_quantities(text, number):
    assert value_of(text) == number
