"""Progress and the commands to try next."""

import io

import msgspec
import pytest
from rich.console import Console

from switchboard.cli.ports import Event
from switchboard.cli.starting import StartError, follow, next_steps
from switchboard.view.model import View


class Told:
    def __init__(self, *events: Event) -> None:
        self._events = events

    def events(self):
        return iter(self._events)


def console() -> Console:
    return Console(file=io.StringIO(), width=100)


def test_steps_are_shown_and_the_time_of_readiness_returned() -> None:
    shown = console()
    after = Event(kind="step", text="never shown")
    told = Told(Event(kind="step", text="3 nodes", seconds=0.25), Event(kind="ready", seconds=1.5), after)
    assert follow(told, shown) == 1.5
    assert "3 nodes  0.25 s" in shown.file.getvalue()
    assert "never shown" not in shown.file.getvalue()


def test_a_failure_carries_what_it_is_about() -> None:
    event = Event(kind="failed", text="No.", reference="a-b", context="there", hint="Do.", exit_code=2)
    with pytest.raises(StartError) as raised:
        follow(Told(event), console())
    error = raised.value
    assert (error.message, error.reference, error.context, error.hint) == ("No.", "a-b", "there", "Do.")
    assert error.exit_code == 2


def test_an_end_without_a_word_is_a_failure() -> None:
    with pytest.raises(StartError) as raised:
        follow(Told(Event(kind="step", text="x")), console())
    assert (raised.value.reference, raised.value.exit_code) == ("start-ended", 3)


def test_next_steps_are_what_works_here(machine) -> None:
    view = machine.view("default")
    steps = dict(next_steps(machine.facts, view))
    assert "--resolve api.example.com:8443:127.0.0.1 https://api.example.com:8443/" in steps["from this machine"]
    assert "--cacert /run/x/ca.crt" in steps["by its address"]
    assert steps["end it"] == "switchboard down"
    rootless = msgspec.structs.replace(machine.facts, name="try", reachable=False, forwarded={})
    steps = dict(next_steps(rootless, view))
    assert {"from this machine", "by its address"} & set(steps) == set()
    assert steps["as an outside user"].startswith("switchboard exec --name try client-1 -- curl ")
    assert steps["end it"] == "switchboard down --name try"


def test_nothing_published_needs_no_url(machine) -> None:
    assert [what for what, _ in next_steps(machine.facts, View())] == ["look at it", "node rules", "end it"]
