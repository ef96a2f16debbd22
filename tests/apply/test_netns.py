"""Namespaces are entered for a moment only, and live as long as their descriptor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from switchboard.apply import netns

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")]


def here() -> int:
    return Path("/proc/thread-self/ns/net").stat().st_ino


@pytest.fixture
def namespace() -> Iterator[int]:
    descriptor = netns.create()
    yield descriptor
    os.close(descriptor)


def interfaces() -> set[str]:
    return {line.split(":")[0].strip() for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]}


def test_a_new_one_is_empty_and_this_thread_stays(namespace: int) -> None:
    before = here()
    with netns.entered(namespace):
        assert here() == os.fstat(namespace).st_ino != before
        assert interfaces() == {"lo"}
    assert here() == before


def test_the_way_back_is_found_after_an_error_too(namespace: int) -> None:
    before = here()
    with pytest.raises(ZeroDivisionError), netns.entered(namespace):
        raise ZeroDivisionError
    assert here() == before


def test_no_descriptor_is_left_open(namespace: int) -> None:
    before = sorted(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        os.close(netns.create())
        with netns.entered(namespace):
            pass
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_what_is_no_namespace_is_refused(tmp_path: Path) -> None:
    before = here()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OSError, match="setns"), netns.entered(descriptor):
        pytest.fail("entered a directory")
    os.close(descriptor)
    assert here() == before


def test_settings_are_those_of_the_namespace(namespace: int) -> None:
    setting = Path("/proc/sys/net/ipv4/ip_forward")
    before = setting.read_text()
    with netns.entered(namespace):
        other = "0" if setting.read_text().strip() == "1" else "1"
        netns.sysctl("ipv4/ip_forward", other)
        assert setting.read_text().strip() == other
    assert setting.read_text() == before


def test_a_child_can_ask_to_die_with_its_parent_and_to_be_called_otherwise() -> None:
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        child = os.fork()
        if child == 0:
            netns.die_with_parent(signal.SIGKILL)
            netns.name_process("swb-child")
            os.write(writer, Path("/proc/self/comm").read_bytes())
            signal.pause()
        os.close(writer)
        signal.pause()
    os.close(writer)
    assert os.read(reader, 100) == b"swb-child\n"
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    # The end of the pipe comes when its last holder, the child, has gone.
    assert os.read(reader, 100) == b""
    os.close(reader)


def test_root_of_a_user_namespace_of_its_own() -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            netns.unshare(netns.CLONE_NEWUSER)
            netns.map_root(0, 0)
            status = 0 if Path("/proc/self/uid_map").read_text().split() == ["0", "0", "1"] else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
