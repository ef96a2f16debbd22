"""Tests that take one of these arguments run once for each recorded request in tests/cases/api."""

import json
from pathlib import Path

import pytest

CASES = Path(__file__).parents[1] / "cases" / "api"
AREAS = ("ingresses", "networkpolicies", "services", "workloads")


def _expanded(value):
    if isinstance(value, dict):
        if set(value) == {"$repeat"}:
            text, times = value["$repeat"]
            return text * times
        return {k: _expanded(v) for k, v in value.items()}
    return [_expanded(v) for v in value] if isinstance(value, list) else value


def _creation(status):
    return lambda case: (
        case["status"] == status and "old" not in case and case.get("stage", "validation") == "validation"
    )


SELECTIONS = {
    "accepted": _creation(201),
    "refused": _creation(422),
    "undecodable": _creation(400),
    "refused_update": lambda case: "old" in case and case["stage"] == "validation",
}


def pytest_generate_tests(metafunc):
    for name, chosen in SELECTIONS.items():
        if name in metafunc.fixturenames:
            lines = [
                line for path in (CASES / f"{area}.jsonl" for area in AREAS) for line in path.read_text().splitlines()
            ]
            cases = [_expanded(json.loads(line)) for line in lines]
            metafunc.parametrize(name, [pytest.param(case, id=case["id"]) for case in cases if chosen(case)])
