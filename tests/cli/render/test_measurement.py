"""The report of a measurement, and the split in words."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import pytest
from rich.console import Console, RenderableType

from switchboard.cli.render.measurement import MeasurementReport, SplitReport, answers_by_service, in_words, judgement
from switchboard.release.statistics import fit
from switchboard.serve.tally import Failure, Latency, Measurement
from switchboard.trace.result import Choice, Outcome, Path, Target, Verdict


def measurement(**facts: Any) -> Measurement:
    latency = Latency(p50=0.0021, p90=0.0043, p99=0.0123, highest=0.033)
    known: dict[str, Any] = {"url": "https://a/", "requested": 1000, "answered": 1000, "seconds": 1.25}
    known |= {"statuses": {200: 1000}, "services": {"v1": 897, "v2": 103}, "latency": latency}
    return Measurement(**(known | facts))


def path(**services: Fraction) -> Path:
    pods = (Choice("shop/a", Fraction(9, 10)), Choice("shop/b", Fraction(1, 10)))
    choices = tuple(Choice(name, share) for name, share in services.items())
    return Path(source="outside", destination="https://a/", verdict=Verdict.ANSWERED, services=choices, pods=pods)


CANARY = path(v1=Fraction(9, 10), v2=Fraction(1, 10))


def drawn(renderable: RenderableType, *, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_report() -> None:
    setup = Latency(p50=0.001, p90=0.002, p99=0.003, highest=0.004)
    lines = drawn(MeasurementReport(measurement(connections=100, setup=setup, retried=1))).splitlines()
    assert lines == [
        "OK 1,000 of 1,000 requests answered in 1.25 s (800/s)",
        "   status       200: 1,000",
        "   latency      P50 2.1 ms  P90 4.3 ms  P99 12.3 ms  max 33 ms",
        "   connections  100, set up in P50 1 ms  P99 3 ms, 1 request sent again",
    ]


def test_report_of_trouble() -> None:
    failure = Failure(kind="refused", count=50, examples=("Connection refused",))
    found = measurement(
        answered=0, statuses={}, services={}, latency=None, failures=(failure,), stopped="50 requests in a row failed"
    )
    lines = drawn(MeasurementReport(found)).splitlines()
    assert lines == [
        "!! 0 of 1,000 requests answered in 1.25 s (0/s)",
        "   refused      50: Connection refused",
        "   stopped      50 requests in a row failed",
    ]
    assert drawn(MeasurementReport(measurement(statuses={200: 999, 503: 1}))).startswith("!!")


def test_split_that_fits() -> None:
    text = drawn(SplitReport(CANARY, measurement(pods={"shop/a": 897, "shop/b": 103})))
    row = next(line for line in text.splitlines() if line.startswith("v2"))
    assert row.split() == [
        "v2", "10", "%", "10.3", "%", "#.........", "103", "+0.3", "0.75", "agrees", "with", "10", "%",
    ]  # fmt: skip
    assert "The split fits the prediction over 1,000 requests (p=0.75)." in text
    assert "By pod" in text
    assert text.isascii()


def test_split_that_does_not_fit() -> None:
    text = drawn(SplitReport(CANARY, measurement(services={"v1": 800, "v2": 200})))
    assert "does not fit: p<0.0001" in text
    assert "The split does not fit the prediction over 1,000 requests: p<0.0001." in text


@pytest.mark.parametrize(
    ("counts", "words", "sentence"),
    [
        ({"v1": 897, "v2": 103}, "agrees with 10 %", "fits the prediction"),
        ({"v1": 878, "v2": 122}, "hardly agrees with 10 %", "chance alone is this far off one time in 43"),
        ({"v1": 800, "v2": 200}, "does not fit: p<0.0001", "does not fit the prediction"),
        ({}, "no evidence", "No evidence"),
        ({"v1": 90, "v2": 9, "x": 1}, "agrees with 10 %", "nothing was predicted for x"),
    ],
)
def test_words(counts: dict[str, int], words: str, sentence: str) -> None:
    split = fit({"v1": Fraction(9, 10), "v2": Fraction(1, 10)}, counts)
    assert in_words(split.parts[1]) == words
    assert sentence in judgement(split)


def test_what_nobody_predicted() -> None:
    split = fit({"v1": Fraction(1), "v2": Fraction(0)}, {"v1": 9, "x": 1})
    assert [in_words(p) for p in split.parts[1:]] == ["agrees with 0 %", "not predicted"]


def test_terminal_table_fits_in_100_columns() -> None:
    services = {"payments-system/app-v1": 897, "payments-system/app-v2": 103}
    wide = path(**{name: Fraction(n, 1000) for name, n in services.items()})
    text = drawn(SplitReport(wide, measurement(services=services)), terminal=True)
    assert "agrees with 10.3 %" in text
    assert "payments-system/app-v2" in text


def test_no_prediction_is_said() -> None:
    assert "No split is predicted" in drawn(SplitReport(path(), measurement()))


def reached(pod: str, service: str) -> Outcome:
    target = Target(pod=pod, service=service, address="10.0.0.1", port=80)
    return Outcome(verdict=Verdict.ANSWERED, probability=Fraction(1, 2), target=target)


def test_answers_count_for_the_service_of_the_path() -> None:
    """A pod that a headless Service selects too names no Service; the path knows which one was meant."""
    outcomes = (reached("shop/a", "shop/main"), reached("shop/b", "shop/canary"))
    known = Path(source="outside", destination="https://a/", verdict=Verdict.ANSWERED, outcomes=outcomes)
    found = measurement(services={}, pods={"shop/a": 9, "shop/b": 1, "shop/c": 2})
    assert answers_by_service(known, found) == {"shop/main": 9, "shop/canary": 1, "pod shop/c": 2}


def test_a_pod_of_two_services_of_the_path_speaks_for_itself() -> None:
    outcomes = (reached("shop/a", "shop/main"), reached("shop/a", "shop/canary"))
    known = Path(source="outside", destination="https://a/", verdict=Verdict.ANSWERED, outcomes=outcomes)
    assert answers_by_service(known, measurement(services={"shop/main": 3}, pods={"shop/a": 5})) == {"shop/main": 3}
