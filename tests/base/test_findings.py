"""Findings are values: frozen, comparable, with a place that reads like a compiler's."""

from __future__ import annotations

import msgspec
import pytest

from switchboard.base.findings import Finding, Place, Severity


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (Place("a.yaml", 3, 7), "a.yaml:3:7"),
        (Place("a.yaml", 3), "a.yaml:3"),
        (Place("a.yaml"), "a.yaml"),
        (Place(), ""),
    ],
)
def test_places_leave_out_what_is_unknown(place: Place, text: str) -> None:
    assert str(place) == text


def test_a_finding_is_an_error_unless_said_otherwise_and_cannot_change() -> None:
    finding = Finding(reference="field-required", message="`spec.ports` is required.")
    assert finding.severity is Severity.ERROR
    with pytest.raises(AttributeError):
        finding.message = "other"  # type: ignore[misc]
    assert len({finding, Finding(reference="field-required", message="`spec.ports` is required.")}) == 1


def test_findings_survive_json() -> None:
    finding = Finding(reference="x", message="m", severity=Severity.WARNING, place=Place("f", 1, 2))
    assert msgspec.json.decode(msgspec.json.encode(finding), type=Finding) == finding
