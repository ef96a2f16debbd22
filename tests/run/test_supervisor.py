"""Everything ends with any part, tells its reason, and a word to end is heard at any moment.

Each case is a program of its own with two small processes in the places of kubelet and control.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from switchboard.run import supervisor

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")]

PROGRAM = """
import os, signal, socket, sys, time
from pathlib import Path
from switchboard.compile.lab import LabOptions
from switchboard.run.home import Home
from switchboard.run.population import populate
from switchboard.run.progress import Progress
from switchboard.run.runtime import Runtime
from switchboard.run.supervisor import Launch, release_signals, start

home, kubelet_does, control_does, word = Home(Path(sys.argv[1])), *sys.argv[2:5]
options = LabOptions(name="t", nodes=1, clients=1, http_port=0, https_port=0)

def child(what):
    def main(parts):
        assert set(parts.namespaces) == {"internet", "cloud", "client-1", "node-1"}
        assert os.getpid() < 10
        channel = socket.socket(fileno=parts.channel)
        if what == "tell":
            Progress(parts.progress, parts.started).step("up")
        if what == "raise":
            raise LookupError("it is not there")
        if what == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if what != "end":
            channel.recv(1)  # until the other one has gone
    return main

launch = Launch(home=home, runtime=Runtime.ROOT, options=options, manifests=0, store=populate(options, [])[0],
                kubelet=child(kubelet_does), control=child(control_does), attached=word != "leave")
pid, reader = start(launch, time.monotonic())
release_signals()
if word == "at-once":
    os.kill(pid, signal.SIGTERM)
with open(reader) as stream:
    for line in stream:
        print(line, end="", flush=True)
        if word == "when-up":
            os.kill(pid, signal.SIGTERM)
        if word == "leave":
            os._exit(0)
began = time.monotonic()
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(status)
"""


def play(home: Path, kubelet: str, control: str, word: str = "") -> tuple[list[dict], int]:
    """The events and the exit status of the supervisor."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), kubelet, control, word], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    *events, status = [json.loads(line) for line in done.stdout.splitlines()]
    return events, status


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "runtime" / "t"


@pytest.mark.parametrize("word", ["at-once", "when-up"])
def test_a_word_to_end_is_heard_and_nothing_is_left(home: Path, word: str) -> None:
    events, status = play(home, "tell", "wait", word)
    assert status == 0
    assert [event["kind"] for event in events] in ([], ["step"])
    assert not home.parent.exists()


@pytest.mark.parametrize(("kubelet", "control"), [("raise", "wait"), ("wait", "raise")])
def test_a_part_that_fails_tells_why_and_ends_all(home: Path, kubelet: str, control: str) -> None:
    events, status = play(home, kubelet, control)
    assert status == 3
    assert events[0]["kind"] == "failed"
    assert events[0]["text"] == "LookupError: it is not there"
    assert not home.parent.exists()


@pytest.mark.parametrize(("kubelet", "control", "name"), [("killed", "wait", "kubelet"), ("wait", "killed", "control")])
def test_a_part_that_is_killed_is_named(home: Path, kubelet: str, control: str, name: str) -> None:
    events, status = play(home, kubelet, control)
    assert status == 3
    assert f"the process {name} of the cluster ended (signal 9)" in events[0]["text"]


def test_a_part_that_ends_by_itself_ends_all(home: Path) -> None:
    assert play(home, "wait", "end") == ([], 3)


def test_a_port_that_is_taken_is_replaced_by_a_free_one() -> None:
    with supervisor._listen(0) as first:
        port = first.getsockname()[1]
        with supervisor._listen(port) as second:
            assert second.getsockname()[0] == "127.0.0.1"
            assert second.getsockname()[1] not in (0, port)


def test_what_is_written_is_for_its_user_alone(tmp_path: Path) -> None:
    supervisor._write(tmp_path / "state.json", b"{}")
    supervisor._write(tmp_path / "state.json", b"x")
    assert (tmp_path / "state.json").read_bytes() == b"x"
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600
