"""A path as a vertical picture: one station under the other, shares as bars, the verdict at the end.

Comes in: ``trace.result.Path``.  Goes out: something that a rich console prints.
Called by the ``trace`` command and the demo.
"""

from __future__ import annotations

from fractions import Fraction

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from switchboard.cli.render.figures import Glyphs, percent, wrapped
from switchboard.trace.result import Choice, Hop, Path, Verdict

_LABEL = 15
_BAR = 20
_MOST_CHOICES = 12
_WORDS = {
    Verdict.NOT_FOUND: "404 not found",
    Verdict.NO_BACKEND: "503 no backend",
    Verdict.MIXED: "not always answered",
    Verdict.INVALID: "not traced",
}
_COLOURS = {Verdict.ANSWERED: "bold green", Verdict.UNKNOWN: "bold yellow", Verdict.REDIRECTED: "bold yellow"}


class PathPicture:
    """Prints a path; signs and colours are those that the console can show."""

    def __init__(self, path: Path) -> None:
        """The path is not changed."""
        self._path = path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich."""
        glyphs = Glyphs(console)
        for hop in self._path.hops:
            yield from _hop(hop, glyphs, options.max_width)
        yield from _verdict(self._path, glyphs, options.max_width)


def _hop(hop: Hop, glyphs: Glyphs, width: int) -> list[Text]:
    """The name and what happens, on one line when they fit; below it where, why and the shares."""
    head = Text.assemble((f"{glyphs.stop} ", "bold cyan"), (hop.kind.value.ljust(_LABEL), "cyan"), (hop.name, "bold"))
    rows: list[Text] = []
    for text, style in ((hop.what, ""), (f"({hop.where})" if hop.where else "", "dim")):
        if text and not rows and head.cell_len + 2 + len(text) <= width:
            head.append(f"  {text}", style)
        elif text:
            rows += _rows(text, glyphs, width, style)
    rows += _rows(hop.why, glyphs, width, "dim italic") if hop.why else []
    return [head, *rows, *_choices(hop.choices, glyphs, width)]


def _rows(text: str, glyphs: Glyphs, width: int, style: str) -> list[Text]:
    indent = " " * (_LABEL + 1)
    return [Text.assemble((glyphs.rail, "dim"), indent, (line, style)) for line in wrapped(text, width - _LABEL - 2)]


def _choices(choices: tuple[Choice, ...], glyphs: Glyphs, width: int) -> list[Text]:
    if not choices:
        return []
    shown = choices if len(choices) <= _MOST_CHOICES + 1 else choices[:_MOST_CHOICES]
    longest = min(max(len(c.name) for c in shown), max(width - _LABEL - _BAR - 40, 24))
    lines = []
    for choice in shown:
        line = Text.assemble((glyphs.rail, "dim"), " " * (_LABEL + 1))
        line.append(choice.name.ljust(longest))
        line.append(percent(choice.probability).rjust(9), "bold")
        line.append(f"  {glyphs.bar(float(choice.probability), _BAR)}", "green")
        if choice.why and line.cell_len + 2 + len(choice.why) <= width:
            line.append(f"  {choice.why}", "dim")
        lines.append(line)
    if len(shown) < len(choices):
        rest = choices[len(shown) :]
        share = percent(sum((c.probability for c in rest), Fraction(0)))
        lines += _rows(f"{glyphs.dots} and {len(rest)} more with {share} together", glyphs, width, "dim")
    return lines


def _verdict(path: Path, glyphs: Glyphs, width: int) -> list[Text]:
    good = path.verdict is Verdict.ANSWERED
    colour = _COLOURS.get(path.verdict, "bold red")
    sign = f"{glyphs.good if good else glyphs.bad} "
    words = _WORDS.get(path.verdict, path.verdict.value)
    line = Text.assemble((sign, colour), (words.ljust(_LABEL + 2 - len(sign)), colour))
    answered = ", ".join(f"{c.name} {percent(c.probability)}" for c in path.services or path.pods)
    lines = [line]
    indent = " " * (_LABEL + 2)
    told = [(text, style) for text, style in ((path.reason, ""), (answered, "bold" if good else "")) if text]
    for text, style in told:
        lines += [Text.assemble(indent, (row, style)) for row in wrapped(text, width - _LABEL - 2)]
    if path.hint:
        lines += [Text.assemble(indent, (row, "italic")) for row in wrapped(path.hint, width - _LABEL - 2)]
    if len(lines) > 1 and line.cell_len == _LABEL + 2:
        first = lines.pop(1)
        line.append_text(first[_LABEL + 2 :])
    return lines
