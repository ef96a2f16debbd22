"""Errors become one or two sentences and the exit code of their kind; commands are found by file name."""

from typing import Any

import click
import pytest

from switchboard import __version__
from switchboard.base.errors import MachineError, UsageError
from switchboard.cli import program


@pytest.fixture
def command(monkeypatch):
    """The program with one command, which does what it is given."""

    def make(work: Any) -> None:
        monkeypatch.setattr(program, "stems", lambda _: ("do_it",))
        monkeypatch.setattr(program, "load", lambda *_: click.command("do-it")(work))

    return make


def raising(error: BaseException):
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UsageError("a-b", "Wrong.", context="a.yaml", hint="Mend it."), 2, "error: Wrong. (a.yaml)\n  Mend it.\n"),
        (MachineError("a-b", "It refuses."), 3, "error: It refuses.\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.exceptions.Exit(7), 7, ""),
    ],
)  # fmt: skip
def test_how_it_ends(command, capsys, error: BaseException, code: int, told: str) -> None:
    command(raising(error))
    assert program.main(None, ["do-it"]) == code
    assert capsys.readouterr().err.strip() == told.strip()


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (1, 1), ("text", 0)])
def test_a_command_returns_its_exit_code(command, returned: Any, code: int) -> None:
    command(lambda: returned)
    assert program.main(None, ["do-it"]) == code


def test_a_command_gets_the_machine(command) -> None:
    seen = []
    machine = object()
    command(click.pass_obj(seen.append))
    program.main(machine, ["do-it"])
    assert seen == [machine]


def test_other_commands_are_wrong_usage(command, capsys) -> None:
    command(raising(AssertionError()))
    assert program.main(None, ["do-that"]) == 2
    assert "do-that" in capsys.readouterr().err


def test_a_fault_of_the_program_is_not_hidden(command) -> None:
    command(raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        program.main(None, ["do-it"])


def test_version_and_help(capsys) -> None:
    assert program.main(None, ["--version"]) == 0
    assert __version__ in capsys.readouterr().out
    assert program.main(None, ["-h"]) == 0
    assert {"demo", "down", "status", "trace", "up"} <= set(capsys.readouterr().out.split())
