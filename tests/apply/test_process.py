from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from switchboard.apply import netns, process
from switchboard.apply.process import run
from switchboard.base.errors import MachineError


def python(code, **rest):
    return run((sys.executable, "-c", code), **rest)


def test_output_input_and_exit_code():
    done = python("import sys; print(sys.stdin.read() * 2); print('oops', file=sys.stderr); sys.exit(4)", stdin=b"hi")
    assert (done.code, done.stdout, done.stderr) == (4, "hihi\n", "oops\n")


def test_large_input_and_output_do_not_block_each_other():
    data = os.urandom(1 << 20).hex().encode()
    done = python("import sys; sys.stdout.write(sys.stdin.read()); sys.stderr.write('e' * 300000)", stdin=data)
    assert done.stdout.encode() == data
    assert len(done.stderr) == 300000


def test_program_that_does_not_read_is_no_error():
    assert python("import sys; sys.stdin.close()", stdin=b"x" * (1 << 20)).code == 0


@pytest.mark.parametrize(
    ("code", "limits", "reference"),
    [
        ("import time; time.sleep(60)", {"seconds": 0.2}, "program-slow"),
        ("import os, time; os.close(1); os.close(2); time.sleep(60)", {"seconds": 0.2}, "program-slow"),
        ("print('x' * 100000)", {"most_bytes": 1000}, "program-loud"),
    ],
)
def test_limits(code, limits, reference):
    with pytest.raises(MachineError) as error:
        python(code, **limits)
    assert error.value.reference == reference


def test_missing_program_is_named():
    with pytest.raises(MachineError) as error:
        run(("no-such-program",))
    assert error.value.reference == "no-program"
    assert "no-such-program" in error.value.message


def test_descriptor_that_is_no_namespace_is_refused():
    descriptor = os.open("/", os.O_RDONLY)
    try:
        with pytest.raises(MachineError) as error:
            python("pass", netns=descriptor)
    finally:
        os.close(descriptor)
    assert error.value.reference == "no-namespace"


def conversed(*arguments, stdin=False, terminal=False):
    inside = netns.current()
    try:
        return process.converse(
            arguments, netns=inside, environment={"PATH": os.environ["PATH"]}, stdin=stdin, terminal=terminal
        )
    finally:
        os.close(inside)


def read_out(session):
    """Everything of its standard output; a terminal ends with an error."""
    found = b""
    try:
        while data := os.read(session.stdout, 4096):
            found += data
    except OSError:
        pass
    for descriptor in {session.stdin, session.stdout, session.stderr} - {-1}:
        os.close(descriptor)
    return found


def test_a_conversation_has_three_streams_and_its_own_environment():
    session = conversed("sh", "-c", "read x; echo got $x $HOME; exit 5", stdin=True)
    os.write(session.stdin, b"hi\n")
    assert asyncio.run(session.wait()) == 5
    assert read_out(session) == b"got hi\n"


def test_a_conversation_without_input_reads_nothing():
    session = conversed("cat")
    assert (session.stdin, read_out(session)) == (-1, b"")
    assert asyncio.run(session.wait()) == 0


def test_a_conversation_on_a_terminal():
    session = conversed("sh", "-c", "read x; stty size < /dev/tty", stdin=True, terminal=True)
    session.resize(90, 20)
    os.write(session.stdin, b"\n")
    assert read_out(session).endswith(b"20 90\r\n")
    assert session.stderr == -1
    assert asyncio.run(session.wait()) == 0


def test_a_conversation_is_killed_with_what_it_has_started():
    session = conversed("sh", "-c", "sleep 1000 & echo on; wait")
    assert os.read(session.stdout, 100) == b"on\n"
    session.kill()
    # The end of its output says that nobody of the group holds it any more.
    assert read_out(session) == b""
    assert asyncio.run(session.wait()) == -9


@pytest.mark.parametrize("terminal", [False, True])
def test_a_conversation_that_cannot_begin_leaves_nothing_open(terminal):
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    with pytest.raises(FileNotFoundError):
        conversed("no-such-program", stdin=True, terminal=terminal)
    assert {path.name for path in Path("/proc/self/fd").iterdir()} == before
