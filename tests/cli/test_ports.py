"""The types between commands and machine."""

import json

import pytest

from switchboard.base.findings import Finding
from switchboard.cli.ports import RefusedError, to_json


@pytest.mark.parametrize(("count", "says"), [(1, "1 manifest is refused"), (2, "2 manifests are refused")])
def test_refused_manifests_are_counted(count: int, says: str) -> None:
    error = RefusedError(tuple(Finding(reference="r", message="m") for _ in range(count)))
    assert error.message.startswith(says)
    assert (error.exit_code, len(error.findings)) == (2, count)


def test_status_for_programs_has_kind_and_version(machine) -> None:
    found = json.loads(to_json(machine.facts))
    assert next(iter(found)) == "kind"
    assert {"apiVersion", "runtime", "forwarded", "reachable", "waiting", "findings"} <= set(found)
