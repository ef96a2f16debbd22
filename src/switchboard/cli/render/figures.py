"""Numbers as people read them: percentages, bars, durations; and what a console can show.

Called by the other modules of ``cli.render``.  Rounding never turns "almost" into "all" or "rarely" into "never".
"""

from __future__ import annotations

import textwrap
from fractions import Fraction
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table

_PIPED_WIDTH = 200
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Glyphs:
    """The signs to draw with: those of a terminal, or ASCII when the output is piped or cannot show more."""

    def __init__(self, console: Console) -> None:
        """``fancy`` tells which."""
        self.fancy = console.is_terminal and not console.options.ascii_only
        self.rail = "│" if self.fancy else "|"
        self.stop = "●" if self.fancy else "*"
        self.good = "✔" if self.fancy else "OK"
        self.bad = "✘" if self.fancy else "!!"
        self.dots = "…" if self.fancy else "..."
        self.to = "→" if self.fancy else "->"

    def bar(self, share: float, width: int) -> str:
        """A bar of ``width`` cells, filled by a share in [0, 1]; something above 0 always shows."""
        if not self.fancy:
            filled = max(round(share * width), 1 if share > 0 else 0)
            return "#" * filled + "." * (width - filled)
        eighths = max(round(share * width * 8), 1 if share > 0 else 0)
        whole, rest = divmod(eighths, 8)
        return ("█" * whole + (_EIGHTHS[rest] if rest else "")).ljust(width)


def console_for(stream: TextIO) -> Console:
    """A console for a stream; what is piped is never cut at the width of a terminal that is not there."""
    made = Console(file=stream, highlight=False)
    return made if made.is_terminal else Console(file=stream, highlight=False, width=_PIPED_WIDTH)


def percent(share: Fraction | float) -> str:
    """A share as a percentage with one decimal at most."""
    text = f"{float(share) * 100:.1f}".removesuffix(".0")
    if text == "100" and share < 1:
        return ">99.9 %"
    if text == "0" and share > 0:
        return "<0.1 %"
    return f"{text} %"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    text = f"{difference * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text


def p_value(p: float) -> str:
    """A p-value with two significant digits, plainly small below one in ten thousand."""
    return "p<0.0001" if p < 0.0001 else f"p={p:.2g}"


def duration(seconds: float) -> str:
    """Seconds in the unit that fits."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 600:
        return f"{seconds:.3g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.3g} h"


def count(number: int, noun: str) -> str:
    """``1 request``, ``1,000 requests``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most ``width`` cells; a longer word stands alone and is not cut."""
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]


def table(console: Console, title: str) -> Table:
    """An empty table: thin rules on a terminal, bare columns elsewhere."""
    fancy = Glyphs(console).fancy
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD if fancy else None,
        show_edge=False,
        pad_edge=False,
        header_style="dim" if fancy else "",
        padding=(0, 1 if fancy else 2, 0, 0),
    )
