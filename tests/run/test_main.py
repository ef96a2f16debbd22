"""The entry point finds what Debian hides from users and leaves with the program's exit code."""

from __future__ import annotations

import os
import signal
import sys

import pytest

from switchboard.cli import program
from switchboard.run import main
from switchboard.run.machine import LocalMachine


def test_the_program_gets_the_machine_and_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def play(machine: object, arguments: list[str]) -> int:
        given.append((machine, arguments))
        return 3

    monkeypatch.setattr(program, "main", play)
    monkeypatch.setattr(sys, "argv", ["switchboard", "status", "--name", "x"])
    monkeypatch.setenv("PATH", "/somewhere")
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as left:
            main.main()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)
    assert left.value.code == 3
    ((machine, arguments),) = given
    assert isinstance(machine, LocalMachine)
    assert arguments == ["status", "--name", "x"]
    assert os.environ["PATH"] == "/somewhere:/usr/sbin:/sbin"
