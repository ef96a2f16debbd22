"""Progress crosses a pipe between processes, as it was told and whoever told it."""

import os

from switchboard.base.errors import UsageError
from switchboard.run import progress
from switchboard.run.progress import Progress


def told(*what) -> list:
    reader, writer = os.pipe()
    teller = Progress(writer, 0.0)
    for tell in what:
        tell(teller)
    os.close(writer)
    with open(reader, "rb") as stream:
        return list(progress.read(stream))


def test_steps_come_in_order_with_the_time_since_the_start() -> None:
    first, second = told(lambda p: p.step("3 nodes"), lambda p: p.ready())
    assert (first.kind, first.text, second.kind) == ("step", "3 nodes", "ready")
    assert 0 < first.seconds <= second.seconds


def test_an_error_for_people_arrives_with_all_its_parts() -> None:
    error = UsageError("no-such-file", "There is none.", context="a.yaml", hint="Look again.")
    (event,) = told(lambda p: p.failed(error))
    assert (event.kind, event.reference, event.text) == ("failed", "no-such-file", "There is none.")
    assert (event.context, event.hint, event.exit_code) == ("a.yaml", "Look again.", 2)


def test_any_other_error_has_a_reference_too() -> None:
    (event,) = told(lambda p: p.failed(KeyError("x")))
    assert (event.kind, event.reference, event.text) == ("failed", "start-failed", "KeyError: 'x'")


def test_long_errors_fit_into_one_write() -> None:
    error = UsageError("a-b", "m" * 99999, context="c" * 99999, hint="h" * 99999)
    (event,) = told(lambda p: p.failed(error))
    assert len(event.text) + len(event.context) + len(event.hint) < 4096


def test_nobody_listening_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    Progress(writer, 0.0).step("unheard")
    os.close(writer)
