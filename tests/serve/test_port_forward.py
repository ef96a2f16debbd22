"""Port forwarding over real WebSockets: the SPDY tunnel as kubectl uses it, and channels as other clients do."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.serve import spdy
from switchboard.serve.port_forward import CHANNELS, SUBPROTOCOLS, TUNNEL, Channels, Tunnel
from switchboard.serve.spdy import Data, Decoder, Encoder, Frame, GoAway, Ping, Reset, SynReply

REFUSED = 9


async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says back what it gets, to its end."""
    writer.write(await reader.read())
    writer.close()


@asynccontextmanager
async def forwarding(protocol: str, ports: tuple[int, ...] = ()) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A WebSocket to a server that forwards every port but one to a program that answers."""
    target = await asyncio.start_server(answering, "127.0.0.1", 0)
    address = target.sockets[0].getsockname()
    done = asyncio.Event()

    async def connect(port: int) -> socket.socket:
        if port == REFUSED:
            raise ConnectionRefusedError(111, f"Connect call failed {address}")
        connection = socket.socket()
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
        return connection

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=SUBPROTOCOLS, compress=False, timeout=2.0)
        await ws.prepare(request)
        try:
            await (Tunnel(ws, connect) if protocol == TUNNEL else Channels(ws, ports, connect)).run()
        finally:
            done.set()
        return ws

    runner = web.ServerRunner(web.Server(serve, handler_cancellation=True))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(f"http://127.0.0.1:{runner.addresses[0][1]}/", protocols=(protocol,)) as ws,
        ):
            yield ws
        async with asyncio.timeout(20):
            await done.wait()
    finally:
        target.close()
        await runner.cleanup()


class Client:
    """The tunnel's other end, as kubectl has it."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.frames: list[Frame] = []

    async def open(self, stream: int, kind: str, port: object, request: str = "0") -> None:
        headers = {"streamtype": kind, "port": str(port), "requestid": request}
        await self.ws.send_bytes(self.encoder.syn_stream(stream, headers))

    async def until(self, wanted: Frame) -> None:
        """Reads frames up to one."""
        while wanted not in self.frames:
            message = await self.ws.receive()
            assert message.type is aiohttp.WSMsgType.BINARY, (wanted, self.frames)
            self.frames += self.decoder.feed(message.data)

    def on(self, stream: int) -> bytes:
        return b"".join(f.payload for f in self.frames if isinstance(f, Data) and f.stream == stream)


def test_a_connection_through_the_tunnel() -> None:
    sent = bytes(range(256)) * 2000

    async def run() -> None:
        async with forwarding(TUNNEL) as ws:
            client = Client(ws)
            await client.open(1, "error", 80)
            await client.until(SynReply(1, {}))
            await ws.send_bytes(spdy.data(1, b"", fin=True))
            await client.open(3, "data", 80)
            await client.until(SynReply(3, {}))
            await ws.send_bytes(spdy.ping(1))
            for at in range(0, len(sent), 30000):
                await ws.send_bytes(spdy.data(3, sent[at : at + 30000]))
            await ws.send_bytes(spdy.data(3, b"", fin=True))
            await client.until(Data(1, b"", True))
            assert client.on(3) == sent
            assert Data(3, b"", True) in client.frames
            assert Ping(1) in client.frames

    asyncio.run(run())


def test_two_connections_at_a_time() -> None:
    async def run() -> None:
        async with forwarding(TUNNEL) as ws:
            client = Client(ws)
            for number in (0, 1):
                await client.open(4 * number + 1, "error", 80, str(number))
                await client.open(4 * number + 3, "data", 80, str(number))
            for stream in (7, 3):
                await ws.send_bytes(spdy.data(stream, b"to %d" % stream, fin=True))
            await client.until(Data(1, b"", True))
            await client.until(Data(5, b"", True))
            assert (client.on(3), client.on(7)) == (b"to 3", b"to 7")

    asyncio.run(run())


def test_a_closed_port_is_told_on_the_error_stream() -> None:
    async def run() -> None:
        async with forwarding(TUNNEL) as ws:
            client = Client(ws)
            await client.open(1, "error", REFUSED)
            await client.open(3, "data", REFUSED)
            await client.until(Data(3, b"", True))
            why = b"failed to connect to localhost:9 inside the pod's namespace: Connection refused"
            await client.until(Data(1, why, True))

    asyncio.run(run())


def test_what_a_client_gives_up_is_finished() -> None:
    async def run() -> None:
        async with forwarding(TUNNEL) as ws:
            client = Client(ws)
            await client.open(1, "error", 80)
            await client.open(3, "data", 80)
            await client.until(SynReply(3, {}))
            await ws.send_bytes(spdy.reset(3, 5))
            await client.until(Data(1, b"", True))
            # Nothing waits for it any more.
            for _ in range(64):
                await ws.send_bytes(spdy.data(3, bytes(1000)))
            await ws.send_bytes(spdy.ping(3))
            await client.until(Ping(3))

    asyncio.run(run())


@pytest.mark.parametrize(
    ("stream", "kind", "port"),
    [(1, "data", "x"), (1, "data", 0), (1, "data", 65536), (1, "other", 80), (2, "data", 80)],
)
def test_streams_that_make_no_sense_are_refused(stream: int, kind: str, port: object) -> None:
    async def run() -> None:
        async with forwarding(TUNNEL) as ws:
            client = Client(ws)
            await client.open(stream, kind, port)
            await client.until(Reset(stream, spdy.PROTOCOL_ERROR))

    asyncio.run(run())


def test_what_is_no_spdy_ends_the_tunnel() -> None:
    async def run() -> None:
        async with forwarding(TUNNEL) as ws:
            client = Client(ws)
            await ws.send_bytes(bytes((0x80, 9)) * 4)
            await client.until(GoAway(spdy.PROTOCOL_ERROR))
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE

    asyncio.run(run())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=100), max_size=10))
def test_any_messages_leave_the_server_alive(messages: list[bytes]) -> None:
    async def run() -> None:
        async with forwarding(TUNNEL) as ws:
            for message in messages:
                if ws.closed:
                    break
                await ws.send_bytes(message)

    asyncio.run(run())


def test_channels() -> None:
    async def run() -> None:
        async with forwarding(CHANNELS[0], (80, REFUSED)) as ws:
            found: dict[int, bytes] = {}
            while found.get(3, b"")[2:] == b"":
                message = await ws.receive()
                found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
            assert {channel: data[:2] for channel, data in found.items()} == {
                0: struct.pack("<H", 80), 1: struct.pack("<H", 80),
                2: struct.pack("<H", REFUSED), 3: struct.pack("<H", REFUSED),
            }  # fmt: skip
            assert b"Connection refused" in found[3]
            await ws.send_bytes(b"\x01junk")
            await ws.send_bytes(b"\x09junk")
            await ws.send_bytes(b"\x00hello")

    asyncio.run(run())
