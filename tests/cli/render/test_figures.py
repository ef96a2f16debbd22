"""Numbers as people read them."""

from __future__ import annotations

import io
from fractions import Fraction

import pytest
from rich.console import Console

from switchboard.cli.render.figures import Glyphs, console_for, count, duration, p_value, percent, points, wrapped


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1, 10), "10 %"),
        (Fraction(1, 3), "33.3 %"),
        (Fraction(9, 40), "22.5 %"),
        (Fraction(1), "100 %"),
        (Fraction(0), "0 %"),
        (Fraction(9999, 10000), ">99.9 %"),
        (Fraction(1, 10000), "<0.1 %"),
    ],
)
def test_percent(share: Fraction, text: str) -> None:
    assert percent(share) == text


def test_other_numbers() -> None:
    assert [points(d) for d in (0.003, -0.05, 0.0, -0.0001)] == ["+0.3", "-5.0", "0.0", "0.0"]
    assert [p_value(p) for p in (0.75172, 0.0003, 0.00001)] == ["p=0.75", "p=0.0003", "p<0.0001"]
    assert [duration(s) for s in (0.0000421, 0.0021, 1.234, 900, 10800)] == [
        "42 us",
        "2.1 ms",
        "1.23 s",
        "15 min",
        "3 h",
    ]
    assert [count(n, "pod") for n in (0, 1, 1000)] == ["0 pods", "1 pod", "1,000 pods"]


def glyphs(*, terminal: bool) -> Glyphs:
    return Glyphs(Console(file=io.StringIO(), force_terminal=terminal))


def test_bars_show_something_for_anything_above_zero() -> None:
    plain = glyphs(terminal=False)
    assert [plain.bar(s, 10) for s in (0, 0.001, 0.5, 1)] == ["." * 10, "#" + "." * 9, "#####.....", "#" * 10]
    fancy = glyphs(terminal=True)
    assert [fancy.bar(s, 4) for s in (0, 0.001, 0.5, 1)] == ["    ", "▏   ", "██  ", "████"]


def test_piped_output_is_ascii_and_not_cut() -> None:
    plain = glyphs(terminal=False)
    signs = plain.rail + plain.stop + plain.good + plain.bad + plain.dots + plain.to
    assert signs.isascii()
    out = io.StringIO()
    console_for(out).print("x" * 150)
    assert out.getvalue() == "x" * 150 + "\n"


def test_wrapping_keeps_long_words_whole() -> None:
    assert wrapped("a " + "b" * 30, 20) == ["a", "b" * 30]
    assert wrapped("", 20) == [""]
