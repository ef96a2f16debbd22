"""Pods of one node in namespaces of the test's own: they answer, are told ready, and end without a trace."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from switchboard.api.store import Store
from switchboard.apply import netns
from switchboard.compile import lab
from switchboard.compile.lab import LabOptions
from switchboard.run import kubelet as kubelet_module
from switchboard.run.kubelet import Kubelet, PodOrder
from switchboard.run.population import populate
from switchboard.run.runtime import Runtime
from switchboard.run.supervisor import Parts
from switchboard.serve.channel import Channel

pytestmark = [pytest.mark.live, pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")]

ORDER = PodOrder(
    namespace="shop", name="web", uid="u1", node="node-1", zone="zone-a", address="10.244.1.2",
    images=("web:1",), ports=(("TCP", 80), ("UDP", 53)),
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_door(monkeypatch: pytest.MonkeyPatch) -> None:
    """The door stays open as long as its process, longer than a test; it has tests of its own."""
    monkeypatch.setattr(kubelet_module, "NamespaceDoor", lambda *_: SimpleNamespace(open=lambda: None))


class Outside:
    """The test in the place of control, and as a client on the node."""

    def __init__(self, kubelet: Kubelet) -> None:
        self.kubelet = kubelet
        self.told: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
        self.channel = Channel({"pod.status": self._status})

    async def _status(self, key: str, ready: bool, restarts: int) -> None:
        await self.told.put((key, ready))

    async def start(self, order: PodOrder) -> None:
        await self.channel.call("pod.start", order=msgspec.to_builtins(order))

    async def ask(self, address: str, namespace: str = "node-1") -> dict[str, Any]:
        connection = await asyncio.wait_for(self.kubelet._connect(self.kubelet.doors[namespace], address, 80), 10)
        reader, writer = await asyncio.open_connection(sock=connection)
        writer.write(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        return json.loads(answer.partition(b"\r\n\r\n")[2])


def played(directory: Path, test: Callable[[Outside], Awaitable[None]], **more: Any) -> list[dict[str, Any]]:
    """Runs the kubelet of one node without a link to the host; returns its progress."""
    options = LabOptions(nodes=1, clients=1, host_link=False)
    (directory / "log").mkdir(exist_ok=True)
    left, right = socket.socketpair()
    reader, writer = os.pipe()
    names = (lab.INTERNET, lab.CLOUD, *options.client_names, *options.node_names)
    namespaces = {name: netns.create() for name in names}
    store: Store = populate(options, [])[0]
    host, user = netns.current(), os.open("/proc/self/ns/user", os.O_RDONLY)
    parts = Parts(
        home=str(directory), options=options, manifests=0, store=store, runtime=Runtime.ROOT, namespaces=namespaces,
        listeners=more.get("listeners", {}), host=host, user=user, channel=left.detach(), progress=writer, started=0.0,
    )  # fmt: skip

    async def play() -> None:
        kubelet = Kubelet(parts)
        running = asyncio.create_task(kubelet.run())
        outside = Outside(kubelet)
        await outside.channel.open(right)
        serving = asyncio.create_task(outside.channel.serve())
        try:
            await asyncio.wait_for(test(outside), 30)
        finally:
            for key in list(kubelet.orders):
                await kubelet.stop_pod(key, 0.0)
            for forward in kubelet.forwards.values():
                await forward.close()
            outside.channel._writer.close()
            await asyncio.gather(running, serving)
            await kubelet._do(kubelet.fabric.__exit__, None, None, None)
            kubelet._netlink.shutdown()

    asyncio.run(play())
    for descriptor in (*namespaces.values(), host, user, writer):
        os.close(descriptor)
    with open(reader, "rb") as stream:
        return [msgspec.json.decode(line) for line in stream]


def test_a_pod_answers_is_told_ready_and_ends_without_a_trace(tmp_path: Path) -> None:
    async def test(outside: Outside) -> None:
        await outside.start(ORDER)
        await outside.start(ORDER)
        assert await outside.told.get() == (ORDER.key, True)
        assert "shop/web" in outside.kubelet.doors
        await outside.channel.call("pod.service", key=ORDER.key, service="web")
        answer = await outside.ask(ORDER.address)
        assert (answer["pod"], answer["node"], answer["peer"]) == ("web", "node-1", "172.30.0.11")
        assert answer["service"]
        await outside.channel.call("pod.stop", key=ORDER.key, grace_seconds=0.0)
        await outside.channel.call("pod.stop", key=ORDER.key, grace_seconds=0.0)
        assert "shop/web" not in outside.kubelet.doors
        assert ORDER.key not in outside.kubelet.fabric.namespaces
        with netns.entered(outside.kubelet.doors["node-1"]):
            assert [name for _, name in socket.if_nameindex() if name.startswith("pod")] == []

    (step,) = played(tmp_path, test)
    assert step["text"] == "1 nodes in 1 zones, 1 outside clients, one internet"


def test_a_pod_of_the_same_name_is_another_one(tmp_path: Path) -> None:
    later = msgspec.structs.replace(ORDER, uid="u2", address="10.244.1.3")

    async def test(outside: Outside) -> None:
        await outside.start(ORDER)
        await outside.start(later)
        await outside.channel.call("pod.stop", key=ORDER.key, grace_seconds=0.0)
        assert "shop/web" in outside.kubelet.doors
        assert (await outside.ask(later.address))["podIP"] == later.address

    played(tmp_path, test)


def test_a_forwarded_port_leads_to_an_address_inside_the_cluster(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    async def test(outside: Outside) -> None:
        await outside.start(ORDER)
        route = {"namespace": lab.CLOUD, "destination": "10.244.1.2/32", "gateways": ["172.30.0.11"]}
        back = {"namespace": lab.INTERNET, "destination": "10.244.1.2/32", "gateways": ["192.0.2.2"]}
        await outside.channel.call("route", add=[route, back], remove=[])
        await outside.channel.call("forward", name="nothing", address=ORDER.address, port=80)
        await outside.channel.call("forward", name="http", address=ORDER.address, port=80)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /x HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await writer.wait_closed()
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["path"] == "/x"
        assert not await outside.channel.call("host")

    played(tmp_path, test, listeners={"http": listener.detach()})


def test_bad_behaviour_is_told_in_the_log_and_the_pod_runs(tmp_path: Path, capsys) -> None:
    order = msgspec.structs.replace(ORDER, annotations={"standin.switchboard.dev/latency": "soon"})

    async def test(outside: Outside) -> None:
        await outside.start(order)
        assert await outside.told.get() == (order.key, True)

    played(tmp_path, test)
    assert "Pod shop/web" in capsys.readouterr().err


def test_the_key_tells_pods_of_one_name_apart() -> None:
    assert ORDER.key == "shop/web/u1"
    assert msgspec.structs.replace(ORDER, uid="u2").key != ORDER.key
