"""What is counted, and within which bounds."""

from __future__ import annotations

import json

import msgspec
import pytest

from switchboard.serve import tally
from switchboard.serve.tally import Measurement, Tally


def body(**facts: object) -> bytes:
    return json.dumps({"pod": "p", "namespace": "shop", **facts}).encode()


def counted(*bodies: bytes) -> Measurement:
    counts = Tally()
    for i, text in enumerate(bodies):
        counts.answer(200, text, (i + 1) / 100)
    return counts.measurement("http://x/", len(bodies), 1.0, "")


def test_names_of_an_answer() -> None:
    said = body(service="shop/tea", node="n1", zone="za", labels={"version": "v2"}, clientIP="203.0.113.1")
    found = counted(said, said)
    assert (found.pods, found.services, found.versions) == ({"shop/p": 2}, {"shop/tea": 2}, {"v2": 2})
    assert (found.nodes, found.zones, found.clients) == ({"n1": 2}, {"za": 2}, {"203.0.113.1": 2})
    assert found.anonymous == 0


@pytest.mark.parametrize(
    ("facts", "version"),
    [
        ({"labels": {"app.kubernetes.io/version": "1.2", "version": "v1"}, "images": ["a:9"]}, "1.2"),
        ({"labels": {"version": "v1"}, "images": ["a:9"]}, "v1"),
        ({"images": ["a:9", "b:1"]}, "a:9, b:1"),
        ({"images": {"main": "a:9"}}, "a:9"),
    ],
)
def test_version(facts: dict[str, object], version: str) -> None:
    assert counted(body(**facts)).versions == {version: 1}


@pytest.mark.parametrize("text", [b"", b"<html>", b"[]", b'{"pod": 3}', b"{}", b'{"pod": "\xff"}'])
def test_answers_that_say_nothing_are_anonymous(text: bytes) -> None:
    found = counted(text)
    assert (found.anonymous, found.pods, found.answered) == (1, {}, 1)


def test_latencies_are_quantiles_of_what_was_seen() -> None:
    found = counted(*[body()] * 100)
    assert found.latency
    assert (found.latency.p50, found.latency.p90, found.latency.p99, found.latency.highest) == (0.5, 0.9, 0.99, 1.0)
    assert found.setup is None


def test_failures_keep_few_examples_and_an_answer_ends_the_row() -> None:
    counts = Tally()
    for i in range(5):
        counts.failure("reset", f"message {i}")
    assert counts.failed_in_a_row == 5
    counts.answer(200, b"", 0.1)
    assert (counts.failed, counts.failed_in_a_row) == (5, 0)
    failure = counts.measurement("x", 6, 1.0, "").failures[0]
    assert (failure.kind, failure.count, failure.examples) == ("reset", 5, ("message 0", "message 1", "message 2"))


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "_MOST_NAMES", 2)
    found = counted(*(json.dumps({"pod": p}).encode() for p in "abcda"))
    assert found.pods == {"a": 2, "b": 1, tally.OTHER: 2}


def test_machine_readable_form() -> None:
    found = counted(body())
    document = json.loads(msgspec.json.encode(found))
    assert (document["apiVersion"], document["kind"]) == ("switchboard.dev/v1", "Measurement")
    assert document["statuses"] == {"200": 1}
    assert msgspec.json.decode(msgspec.json.encode(found), type=Measurement) == found
