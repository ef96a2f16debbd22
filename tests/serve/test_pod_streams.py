"""Streams of pods over real sockets: what is refused and how, logs that follow, attach, where nothing runs pods."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from switchboard.api.errors import ApiError
from switchboard.api.server.pod_requests import ATTACH, EXEC, LOG, PORT_FORWARD, LogOptions, PodStream
from switchboard.apply import netns, process
from switchboard.serve.pod_streams import PodStreams
from switchboard.serve.port_forward import TUNNEL
from switchboard.serve.remote_command import ERROR, STDERR, STDOUT, SUBPROTOCOLS

POD = PodStream(kind=LOG, namespace="a", name="web", uid="u1", node="node-1", container="app")
LINE = "2026-05-01T12:00:0{0}.000000Z stdout F line {0}\n"


class Objects:
    """As much of a store as is asked."""

    def __init__(self) -> None:
        node = {"status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]}}
        self.objects: dict[tuple[str, str], Any] = {
            ("Pod", "web"): {"metadata": {"uid": "u1"}},
            ("Node", "node-1"): node,
        }

    def find(self, kind: str, namespace: str, name: str) -> Any:
        return self.objects.get((kind, name))

    def clock(self) -> datetime:
        return datetime(2026, 5, 1, 12, 1, tzinfo=UTC)


class Runtime:
    """Pods whose log is one file and whose programs run right here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sessions: list[process.Session] = []

    def log(self, namespace: str, name: str) -> Path:
        return self.path

    async def start(self, stream: PodStream) -> process.Session:
        if stream.command[0] == "gone":
            raise LookupError("no such namespace")
        here = netns.current()
        try:
            environment = {"PATH": os.environ["PATH"]}
            made = process.converse(
                stream.command, netns=here, environment=environment, stdin=stream.stdin, terminal=stream.tty
            )
        finally:
            os.close(here)
        self.sessions.append(made)
        return made

    async def connect(self, namespace: str, name: str, port: int) -> socket.socket:
        raise LookupError("no such namespace")


@asynccontextmanager
async def serving(
    store: Objects, runtime: Runtime | None, stream: PodStream
) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """A client and the address of a server that answers everything with one stream."""
    streams = PodStreams(store, runtime)  # type: ignore[arg-type]

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await streams.serve(request, stream)
        except ApiError as error:
            return web.Response(status=error.code, body=msgspec.json.encode(error.status()))

    runner = web.ServerRunner(web.Server(serve, handler_cancellation=True))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as client:
            yield client, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


def answer(stream: PodStream, runtime: Runtime | None, **headers: str) -> tuple[int, str]:
    """Status and message (or text) of a request without a WebSocket."""

    async def run() -> tuple[int, str]:
        async with serving(Objects(), runtime, stream) as (client, url), client.get(url, headers=headers) as got:
            body = await got.text()
            return got.status, msgspec.json.decode(body)["message"] if got.status != 200 else body

    return asyncio.run(run())


def of(kind: str, **facts: Any) -> PodStream:
    return msgspec.structs.replace(POD, kind=kind, **facts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a_web.log"
    file.write_text(LINE.format(1) + LINE.format(2))
    return file


def test_where_nothing_runs_pods_the_node_does_not_answer() -> None:
    dial = "dial tcp 192.0.2.1:10250: connect: connection refused"
    assert answer(POD, None) == (500, f'Get "https://192.0.2.1:10250/containerLogs/a/web/app": {dial}')
    for kind in (EXEC, ATTACH, PORT_FORWARD):
        assert answer(of(kind), None) == (500, f"Internal error occurred: error dialing backend: {dial}")
    assert answer(of(LOG, node=""), None) == (200, "")


def test_logs_that_are_not_there(path: Path) -> None:
    waiting = of(LOG, waiting="ContainerCreating")
    told = 'container "app" in pod "web" is waiting to start: ContainerCreating'
    assert answer(waiting, Runtime(path)) == (400, told)
    before = of(LOG, log=LogOptions(previous=True))
    assert answer(before, Runtime(path)) == (400, 'previous terminated container "app" in pod "web" not found')


def test_a_log(path: Path) -> None:
    assert answer(POD, Runtime(path)) == (200, "line 1\nline 2\n")
    shown = of(LOG, log=LogOptions(tail_lines=1, timestamps=True))
    assert answer(shown, Runtime(path)) == (200, "2026-05-01T12:00:02.000000Z line 2\n")
    assert answer(of(LOG, log=LogOptions(limit_bytes=3, follow=True)), Runtime(path)) == (200, "lin")
    assert answer(POD, Runtime(path.with_name("none"))) == (200, "")


def test_following_ends_with_the_pod_and_misses_nothing(path: Path) -> None:
    store = Objects()

    async def run() -> None:
        stream = of(LOG, log=LogOptions(follow=True))
        async with serving(store, Runtime(path), stream) as (client, url), client.get(url) as got:
            assert await got.content.readexactly(14) == b"line 1\nline 2\n"
            with path.open("a") as file:
                file.write(LINE.format(3))
            assert await got.content.readline() == b"line 3\n"
            with path.open("a") as file:
                file.write(LINE.format(4))
            store.objects["Pod", "web"] = {"metadata": {"uid": "of another one with its name"}}
            assert await got.content.read() == b"line 4\n"

    asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "Upgrade request required"),
        ({"Upgrade": "SPDY/3.1", "Connection": "Upgrade"}, "SPDY is not served, only WebSocket is"),
        ({"Upgrade": "websocket"}, "Upgrade request required"),
        (
            {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "v1.x, channel.k8s.io"},
            "unable to negotiate a subprotocol: client offers [v1.x, channel.k8s.io], this server speaks [v5",
        ),
    ],
)
@pytest.mark.parametrize("kind", [EXEC, ATTACH])
def test_what_is_no_websocket_is_refused(kind: str, headers: dict[str, str], message: str, path: Path) -> None:
    status, told = answer(of(kind, stdout=True, command=("ls",)), Runtime(path), **headers)
    assert status == 400
    assert told.startswith(message)


def test_a_container_that_does_not_run_takes_no_programs(path: Path) -> None:
    async def run() -> int:
        stream = of(EXEC, stdout=True, command=("ls",), waiting="ContainerCreating")
        async with serving(Objects(), Runtime(path), stream) as (client, url):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(url, protocols=SUBPROTOCOLS)
            return refused.value.status

    assert asyncio.run(run()) == 400


async def heard(stream: PodStream, runtime: Runtime, protocols: tuple[str, ...] = SUBPROTOCOLS) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    async with serving(Objects(), runtime, stream) as (client, url), client.ws_connect(url, protocols=protocols) as ws:
        assert ws.protocol == protocols[0]
        async for message in ws:
            found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    return found


@pytest.mark.parametrize("protocol", SUBPROTOCOLS)
def test_a_program(protocol: str, path: Path) -> None:
    stream = of(EXEC, stdout=True, stderr=True, command=("sh", "-c", "echo out; exit 3"))
    found = asyncio.run(heard(stream, Runtime(path), (protocol,)))
    assert found[STDOUT] == b"out\n"
    assert msgspec.json.decode(found[ERROR])["details"]["causes"] == [{"reason": "ExitCode", "message": "3"}]


def test_only_what_is_wanted_is_told(path: Path) -> None:
    stream = of(EXEC, stdout=True, command=("sh", "-c", "echo out; echo err >&2"))
    assert sorted(asyncio.run(heard(stream, Runtime(path)))) == [STDOUT, ERROR]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("no-such-program", 'exec: "no-such-program": executable file not found in $PATH'),
        ("/", 'exec: "/": permission denied'),
        ("gone", 'container not found ("app"): no such namespace'),
    ],
)
def test_a_program_that_cannot_be_started(program: str, why: str, path: Path) -> None:
    found = asyncio.run(heard(of(EXEC, stdout=True, command=(program,)), Runtime(path)))
    told = msgspec.json.decode(found[ERROR])
    assert told["message"] == f"Internal error occurred: error executing command in container: {why}"


def test_attaching_shows_the_log_from_now_on(path: Path) -> None:
    store = Objects()

    async def run() -> None:
        stream = of(ATTACH, stdin=True, stdout=True, stderr=True)
        async with (
            serving(store, Runtime(path), stream) as (client, url),
            client.ws_connect(url, protocols=SUBPROTOCOLS) as ws,
        ):
            refusal = (await ws.receive()).data
            assert refusal[0] == STDERR
            assert b"no standard input" in refusal
            with path.open("a") as file:
                file.write(LINE.format(3))
            assert (await ws.receive()).data == bytes((STDOUT,)) + b"line 3\n"
            del store.objects["Pod", "web"]
            assert msgspec.json.decode((await ws.receive()).data[1:])["status"] == "Success"

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_port_of_a_pod_that_has_gone(path: Path) -> None:
    found = asyncio.run(heard(of(PORT_FORWARD, ports=(80,)), Runtime(path), ("v4.channel.k8s.io",)))
    assert found[1][2:] == b"failed to connect to localhost:80 inside the pod's namespace: no such namespace"


def test_channels_need_ports_and_the_tunnel_does_not(path: Path) -> None:
    async def run(protocol: str) -> str:
        async with serving(Objects(), Runtime(path), of(PORT_FORWARD)) as (client, url):
            try:
                async with client.ws_connect(url, protocols=(protocol,)) as ws:
                    return str(ws.protocol)
            except aiohttp.WSServerHandshakeError as refused:
                return str(refused.status)

    assert asyncio.run(run(TUNNEL)) == TUNNEL
    assert asyncio.run(run("v4.channel.k8s.io")) == "400"


def test_the_program_ends_when_the_server_stops(path: Path, until: Callable[..., object]) -> None:
    runtime = Runtime(path)

    async def run() -> None:
        stream = of(EXEC, stdout=True, command=("sh", "-c", "echo on; exec sleep 1000"))
        async with serving(Objects(), runtime, stream) as (client, url):
            ws = await client.ws_connect(url, protocols=SUBPROTOCOLS)
            assert (await ws.receive()).data == bytes((STDOUT,)) + b"on\n"

    asyncio.run(run())
    pid = runtime.sessions[0].pid
    until(lambda: not Path(f"/proc/{pid}").exists(), "the program has gone")


def test_a_program_and_ports_end_with_the_pod(path: Path) -> None:
    store, runtime = Objects(), Runtime(path)

    async def run() -> None:
        program = of(EXEC, stdout=True, command=("sh", "-c", "echo on; exec sleep 1000"))
        async with (
            serving(store, runtime, program) as (client, url),
            client.ws_connect(url, protocols=SUBPROTOCOLS) as running,
            serving(store, runtime, of(PORT_FORWARD)) as (other, address),
            other.ws_connect(address, protocols=(TUNNEL,)) as tunnel,
        ):
            assert (await running.receive()).data == bytes((STDOUT,)) + b"on\n"
            del store.objects["Pod", "web"]
            causes = msgspec.json.decode((await running.receive()).data[1:])["details"]["causes"]
            assert causes == [{"reason": "ExitCode", "message": "137"}]
            assert (await tunnel.receive()).type is aiohttp.WSMsgType.CLOSE

    asyncio.run(asyncio.wait_for(run(), 20))
