"""What the machine can say without a cluster; with one, tests/live/test_cluster.py asks it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchboard.base.errors import MachineError
from switchboard.cli.ports import RefusedError
from switchboard.compile.lab import LabOptions
from switchboard.k8s.manifests import load
from switchboard.run import machine
from switchboard.run.home import Home
from switchboard.run.machine import LocalMachine, Start, memory
from switchboard.serve.outside import RequestPlan


@pytest.fixture
def local(tmp_path: Path) -> LocalMachine:
    return LocalMachine({"SWITCHBOARD_RUNTIME_DIR": str(tmp_path / "runtime")})


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m.status("x"),
        lambda m: m.view("x"),
        lambda m: m.execute("x", "client-1", ["true"]),
        lambda m: m.measure("x", "client-1", RequestPlan(url="http://x/"), None),
    ],
    ids=["status", "view", "execute", "measure"],
)
def test_without_a_cluster_one_is_told_so(local: LocalMachine, ask) -> None:
    with pytest.raises(MachineError) as raised:
        ask(local)
    assert (raised.value.reference, raised.value.message) == ("not-running", "No cluster x is running.")


def test_nothing_to_stop(local: LocalMachine, tmp_path: Path) -> None:
    assert not local.stop("x")
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_has_left_is_removed(local: LocalMachine, tmp_path: Path) -> None:
    left = tmp_path / "runtime" / "x" / "log"
    left.mkdir(parents=True)
    (left.parent / "lock").touch()
    assert local.stop("x")
    assert list(tmp_path.iterdir()) == []


def test_refused_manifests_start_nothing(local: LocalMachine, tmp_path: Path) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: nowhere}\n"
    with pytest.raises(RefusedError) as raised:
        local.start(LabOptions(name="x"), load(text, "c.yaml")[0], attached=True)
    assert raised.value.findings[0].object == "ConfigMap nowhere/c"
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """A process with a child that has touched 20 MB."""
    touch = "m = mmap.mmap(-1, 20 << 20); m.write(b'x' * (20 << 20))"
    child = f"import mmap; {touch}; print('up', flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {child!r}])"
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        yield process


def test_memory_is_that_of_a_process_and_its_descendants(family) -> None:
    found = memory(family.pid)
    (name,) = found
    assert name == Path(f"/proc/{family.pid}/comm").read_text().strip()
    assert 20 << 20 < found[name] < 120 << 20


def test_memory_of_nobody_is_nothing() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert memory(child) == {}


@pytest.mark.parametrize(("ending", "status"), [("sys.exit(0)", 0), ("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 3)])
def test_the_end_of_the_supervisor_is_the_end_of_the_start(tmp_path: Path, ending: str, status: int) -> None:
    home = Home(tmp_path / "x")
    home.path.mkdir()
    child = os.fork()
    if child == 0:
        exec(f"import os, sys\ntry:\n {ending}\nexcept SystemExit as e: os._exit(e.code)")
    reader, writer = os.pipe()
    os.close(writer)
    start = Start(home, child, reader)
    assert list(start.events()) == []
    assert start.wait() == status
    start.stop()
    assert not home.path.exists()


def test_stopping_is_not_disturbed_by_a_further_interrupt(tmp_path: Path) -> None:
    home = Home(tmp_path / "x")
    home.path.mkdir()
    front = os.getpid()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, lambda *_: (os.kill(front, signal.SIGINT), os._exit(0)))
        os.write(writer, b"x")
        while True:
            signal.pause()
    os.read(reader, 1)
    os.close(writer)
    start = Start(home, child, reader)
    start.stop()
    assert start.wait() == 0
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    os.close(reader)


def test_an_interrupt_is_passed_on_and_raises_nothing(tmp_path: Path) -> None:
    """Whatever waits for the cluster returns because the cluster ends."""
    home = Home(tmp_path / "x")
    home.path.mkdir()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        os.write(writer, b"\n")
        while True:
            signal.pause()
    os.read(reader, 1)
    os.close(writer)
    start = Start(home, child, reader)
    before = signal.signal(signal.SIGINT, start.interrupt)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        assert list(start.events()) == []
        assert start.wait() == 0
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert start.interrupted


def test_the_link_of_a_cluster_is_awaited_by_the_kernels_word(tmp_path: Path, monkeypatch) -> None:
    """It goes a moment after the last process of the cluster."""
    home = Home(tmp_path / "x")
    home.path.mkdir()
    answers = [[(1, "lo"), (2, "swb-x")], [(1, "lo"), (2, "swb-x")], [(1, "lo"), (3, "swb-y")]]
    monkeypatch.setattr(machine.socket, "if_nameindex", lambda: answers.pop(0))
    machine._clean(home)
    assert answers == []
    assert not home.path.exists()
