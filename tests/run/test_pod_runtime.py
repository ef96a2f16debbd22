"""Programs and connections in pods' namespaces, through a door like the kubelet's; what a program is told."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from switchboard.api.server.pod_requests import EXEC, PodStream
from switchboard.apply import netns
from switchboard.run.home import Home
from switchboard.run.pod_runtime import LocalPods, environment_of
from switchboard.serve.control_socket import NamespaceDoor

STREAM = PodStream(
    kind=EXEC,
    namespace="a",
    name="web",
    uid="u1",
    ip="10.244.0.5",
    environment=(("MODE", "test"), ("POD_NAME", "another")),
    command=("sh", "-c", "readlink /proc/self/ns/net; echo $MODE $POD_NAME $POD_NAMESPACE $POD_IP $HOSTNAME $SECRET"),
    stdout=True,
)


@asynccontextmanager
async def pods(directory: Path, inside: int) -> AsyncIterator[LocalPods]:
    """A door that leads to one pod, a/web."""
    home = Home(directory)
    user = os.open("/proc/self/ns/user", os.O_RDONLY)
    door = NamespaceDoor(home.enter, {"a/web": inside}, user)
    door.open()
    try:
        yield LocalPods(home, {"PATH": os.environ["PATH"], "SECRET": "of this process"})
    finally:
        asyncio.get_running_loop().remove_reader(door._listener)
        door._listener.close()
        os.close(user)


@pytest.mark.live
def test_a_program_runs_in_the_namespace_of_its_pod(tmp_path: Path) -> None:
    inside = netns.create()

    async def run() -> None:
        async with pods(tmp_path, inside) as runtime:
            session = await runtime.start(STREAM)
            assert await session.wait() == 0
            with open(session.stdout, "rb") as out, open(session.stderr, "rb") as err:
                where, who = out.read().decode().splitlines()
                assert err.read() == b""
            assert where == f"net:[{os.fstat(inside).st_ino}]"
            assert who == "test web a 10.244.0.5 web"
            with pytest.raises(LookupError):
                await runtime.connect("a", "other", 80)
            with pytest.raises(OSError, match=r"unreachable|refused"):
                await runtime.connect("a", "web", 80)

    asyncio.run(run())
    os.close(inside)


def test_who_the_pod_is_wins_over_what_the_container_says() -> None:
    found = environment_of(STREAM, {"HOME": "/root", "TOKEN": "x"})
    assert found["POD_NAME"] == "web"
    assert found["HOME"] == "/root"
    assert not {"TOKEN", "TERM"} & set(found)
    assert found["PATH"]


def test_the_log_is_where_the_kubelet_writes_it(tmp_path: Path) -> None:
    assert LocalPods(Home(tmp_path), {}).log("a", "web.0") == tmp_path / "log" / "a_web.0.log"
