"""The sockets of a running cluster serve its user and nobody else, and one silent caller holds up nobody."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from switchboard.serve import control_socket
from switchboard.serve.channel import Channel
from switchboard.serve.control_socket import NamespaceDoor, ask_for_namespace, peer_allowed, serve_questions


@pytest.fixture
def descriptors(tmp_path: Path) -> Any:
    """Two files that stand for a user namespace and a network namespace."""
    opened = []
    for name in ("user", "net"):
        tmp_path.joinpath(name).write_text(name)
        opened.append(os.open(tmp_path / name, os.O_RDONLY))
    yield opened
    for descriptor in opened:
        os.close(descriptor)


def at_the_door(path: Path, descriptors: list[int], ask: Callable[[], Any]) -> Any:
    """Asks in a thread while the door is open."""

    async def serve() -> Any:
        door = NamespaceDoor(path, {"client-1": descriptors[1], "a/pod": descriptors[1]}, descriptors[0])
        door.open()
        try:
            return await asyncio.wait_for(asyncio.to_thread(ask), 20)
        finally:
            asyncio.get_running_loop().remove_reader(door._listener)
            door._listener.close()

    return asyncio.run(serve())


def test_a_name_gets_both_descriptors(tmp_path: Path, descriptors: list[int]) -> None:
    path = tmp_path / "door"
    user, net = at_the_door(path, descriptors, lambda: ask_for_namespace(path, "client-1"))
    assert (os.read(user, 9), os.read(net, 9)) == (b"user", b"net")
    os.close(user)
    os.close(net)


def test_an_unknown_name_is_told_what_there_is(tmp_path: Path, descriptors: list[int]) -> None:
    path = tmp_path / "door"
    with pytest.raises(LookupError, match="no such namespace; there are client-1, a/pod"):
        at_the_door(path, descriptors, lambda: ask_for_namespace(path, "client-9"))


def test_a_long_list_is_cut(tmp_path: Path, descriptors: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "_SHOWN", 1)
    path = tmp_path / "door"
    with pytest.raises(LookupError, match="there are client-1 and 1 more"):
        at_the_door(path, descriptors, lambda: ask_for_namespace(path, "x"))


def test_callers_who_say_nothing_are_dropped(tmp_path: Path, descriptors: list[int]) -> None:
    path = tmp_path / "door"

    def ask() -> tuple[bytes, tuple[int, int]]:
        with socket.socket(socket.AF_UNIX) as silent, socket.socket(socket.AF_UNIX) as gone:
            silent.connect(str(path))
            silent.settimeout(15)
            gone.connect(str(path))
            gone.close()
            return silent.recv(100), ask_for_namespace(path, "client-1")

    heard, found = at_the_door(path, descriptors, ask)
    assert heard == b""
    for descriptor in found:
        os.close(descriptor)


def test_others_get_nothing(tmp_path: Path, descriptors: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "peer_allowed", lambda connection, uid: False)
    path = tmp_path / "door"
    with pytest.raises((LookupError, ConnectionError)):
        at_the_door(path, descriptors, lambda: ask_for_namespace(path, "client-1"))


def test_the_kernel_says_who_calls() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_allowed(left, os.getuid())
        assert peer_allowed(left, os.getuid() + 1) == (os.getuid() == 0)


def test_the_file_is_for_its_user_alone_and_replaces_a_leftover(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("left by a crash")
    before = os.umask(0)
    try:
        with control_socket._listen(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert os.umask(0) == 0
    finally:
        os.umask(before)


async def _answers(path: Path) -> list[Any]:
    async def double(number: int) -> int:
        return number * 2

    server = await serve_questions(path, {"double": double})
    found: list[Any] = []
    for number in (1, 2):
        channel = Channel({})
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, str(path))
        await channel.open(connection)
        serving = asyncio.create_task(channel.serve())
        try:
            found.append(await channel.call("double", number=number))
        except Exception as error:  # noqa: BLE001 - the kind is what the test looks at
            found.append(type(error).__name__)
        serving.cancel()
        await asyncio.wait({serving})
    server.close()
    await server.wait_closed()
    return found


def test_questions_are_answered_to_everyone_allowed(tmp_path: Path) -> None:
    assert asyncio.run(_answers(tmp_path / "questions")) == [2, 4]


def test_questions_of_others_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_socket, "peer_allowed", lambda connection, uid: False)
    assert asyncio.run(_answers(tmp_path / "questions")) == ["ChannelError", "ChannelError"]
