from __future__ import annotations

import os
import sys

import pytest

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
