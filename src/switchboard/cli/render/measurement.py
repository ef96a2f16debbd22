"""What an outside client measured, and the counted split beside the predicted one.

Comes in: ``serve.tally.Measurement``, and a ``trace.result.Path`` for the prediction.
Goes out: something that a rich console prints.  Called by the demo and by releases.
A p-value is given for Services, between which each request is drawn by itself; pods are taken in turn, which is more
even than chance, so that no test applies to them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from switchboard.cli.render.figures import Glyphs, count, duration, p_value, percent, points, table, wrapped
from switchboard.release.statistics import DOUBTFUL, UNFIT, ShareFit, SplitFit, fit
from switchboard.serve.tally import Latency, Measurement
from switchboard.trace.result import Path

_BAR = 10
_LABEL = 13


class MeasurementReport:
    """Prints how many requests were answered, how, how fast, and what failed."""

    def __init__(self, measurement: Measurement) -> None:
        """The measurement is not changed."""
        self._found = measurement

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich."""
        found, glyphs = self._found, Glyphs(console)
        good = found.answered == found.requested and not any(status >= 500 for status in found.statuses)
        sign = (glyphs.good, "bold green") if good else (glyphs.bad, "bold red")
        answered = f"{found.answered:,} of {count(found.requested, 'request')} answered"
        rate = f" in {duration(found.seconds)} ({found.answered / found.seconds:,.0f}/s)" if found.seconds else ""
        yield Text.assemble(sign, f" {answered}{rate}")
        rows = [("status", ", ".join(f"{code}: {n:,}" for code, n in found.statuses.items()))]
        rows += [("latency", _latency(found.latency)), ("connections", self._connections())]
        rows += [("clients seen", ", ".join(f"{name}: {n:,}" for name, n in list(found.clients.items())[:4]))]
        rows += [(failure.kind, f"{failure.count:,}: {'; '.join(failure.examples)}") for failure in found.failures]
        rows += [("stopped", found.stopped)]
        for label, text in rows:
            for i, line in enumerate(wrapped(text, options.max_width - _LABEL - 3) if text else []):
                yield Text.assemble("   ", (label.ljust(_LABEL) if i == 0 else " " * _LABEL, "cyan"), line)

    def _connections(self) -> str:
        found = self._found
        retried = f", {count(found.retried, 'request')} sent again" if found.retried else ""
        setup = found.setup
        took = f", set up in P50 {duration(setup.p50)}  P99 {duration(setup.p99)}" if setup else ""
        return f"{found.connections:,}{took}{retried}" if found.connections else ""


class SplitReport:
    """Prints predicted and observed shares of Services with a judgement in words, and pods if there are few."""

    def __init__(self, path: Path, measurement: Measurement) -> None:
        """Neither is changed."""
        self._path, self._found = path, measurement

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich."""
        del options
        predicted = {c.name: c.probability for c in self._path.services}
        if not predicted:
            yield Text("No split is predicted: the path ends at no Service.")
            return
        split = fit(predicted, answers_by_service(self._path, self._found))
        yield _services(split, console)
        yield Text.assemble("", (judgement(split), _style(split.p, split.total)))
        pods = {c.name: c.probability for c in self._path.pods}
        if len(pods) > 1:
            yield Text("")
            yield _pods(pods, self._found.pods, console)


def answers_by_service(path: Path, found: Measurement) -> Mapping[str, int]:
    """Answers for each Service of the path, told by the pod that gave them.

    A pod that a headless Service selects too cannot say which Service it stood for, but the path can, unless it
    reaches one pod through several Services; then what the pods said has to do.
    """
    services: dict[str, set[str]] = {}
    for outcome in path.outcomes:
        if outcome.target is not None:
            services.setdefault(outcome.target.name, set()).add(outcome.target.service)
    if not services or any(len(names) > 1 for names in services.values()):
        return found.services
    counts: Counter[str] = Counter()
    for pod, number in found.pods.items():
        counts[next(iter(services[pod])) if pod in services else f"pod {pod}"] += number
    return counts


def judgement(split: SplitFit) -> str:
    """The whole split in one sentence."""
    if not split.total:
        return "No evidence: no answer said which Service it came from."
    strangers = [p.name for p in split.parts if not p.predicted and p.count]
    if strangers:
        return f"The split does not fit: nothing was predicted for {', '.join(strangers)}."
    asked = f"over {count(split.total, 'request')}"
    if split.p < UNFIT:
        return f"The split does not fit the prediction {asked}: {p_value(split.p)}."
    if split.p < DOUBTFUL:
        return f"The split may fit {asked}, but chance alone is this far off one time in {1 / split.p:.0f}."
    return f"The split fits the prediction {asked} ({p_value(split.p)})."


def in_words(part: ShareFit) -> str:
    """One share in a few words."""
    if not part.total:
        return "no evidence"
    if part.predicted == 0:
        return "not predicted" if part.count else "agrees with 0 %"
    if part.p < UNFIT:
        return f"does not fit: {p_value(part.p)}"
    doubt = "hardly " if part.p < DOUBTFUL else ""
    return f"{doubt}agrees with {percent(part.predicted)}"


def _services(split: SplitFit, console: Console) -> Table:
    glyphs = Glyphs(console)
    made = table(console, "Split by Service")
    made.add_column("Service", no_wrap=True)
    for name in ("predicted", "observed"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    for name in ("requests", "diff", "p"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("in words", no_wrap=True)
    for part in split.parts:
        made.add_row(
            part.name,
            percent(part.predicted),
            percent(part.observed) if part.total else "-",
            Text(glyphs.bar(part.observed, _BAR), "green"),
            f"{part.count:,}",
            points(part.observed - float(part.predicted)) if part.total else "-",
            p_value(part.p).removeprefix("p=").removeprefix("p") if part.total else "-",
            Text(in_words(part), _style(part.p, part.total)),
        )
    return made


def _pods(predicted: Mapping[str, Fraction], counts: Mapping[str, int], console: Console, most: int = 12) -> Table:
    glyphs = Glyphs(console)
    made = table(console, "By pod (taken in turn, so more even than chance)")
    made.add_column("Pod", no_wrap=True)
    made.add_column("predicted", justify="right", no_wrap=True)
    made.add_column("observed", justify="right", no_wrap=True)
    made.add_column("", no_wrap=True)
    made.add_column("requests", justify="right", no_wrap=True)
    total = sum(counts.values())
    names = [*predicted, *(n for n in counts if n not in predicted)]
    for name in names[:most]:
        share = counts.get(name, 0) / total if total else 0.0
        made.add_row(
            name,
            percent(predicted.get(name, Fraction(0))),
            percent(share) if total else "-",
            Text(glyphs.bar(share, _BAR), "green"),
            f"{counts.get(name, 0):,}",
        )
    if len(names) > most:
        made.add_row(f"{glyphs.dots} and {len(names) - most} more")
    return made


def _style(p: float, total: int) -> str:
    if not total:
        return "yellow"
    return "red" if p < UNFIT else "yellow" if p < DOUBTFUL else "green"


def _latency(found: Latency | None) -> str:
    if found is None:
        return ""
    pairs = (("P50", found.p50), ("P90", found.p90), ("P99", found.p99), ("max", found.highest))
    return "  ".join(f"{name} {duration(seconds)}" for name, seconds in pairs)
