"""Errors as people read them, and their exit codes."""

from __future__ import annotations

import pytest

from switchboard.base.errors import MachineError, SwitchboardError, UsageError


@pytest.mark.parametrize(("kind", "code"), [(SwitchboardError, 3), (UsageError, 2), (MachineError, 3)])
def test_exit_codes_are_those_of_the_product(kind: type[SwitchboardError], code: int) -> None:
    assert kind("some-reference", "It is wrong.").exit_code == code


def test_text_says_what_where_and_what_to_do() -> None:
    error = UsageError("no-such-file", "The file is missing.", context="a.yaml", hint="Name another one.")
    assert str(error) == "The file is missing. (a.yaml) Name another one."
    assert str(UsageError("no-such-file", "The file is missing.")) == "The file is missing."
    assert error.reference == "no-such-file"
