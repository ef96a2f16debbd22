"""Connections of a client to ports of a pod, through one WebSocket.

In: a WebSocket, and how to connect to a port inside the pod's namespace.  Out: bytes both ways until the client goes.
Called by ``serve.pod_streams``.
Specification: the subprotocol ``SPDY/3.1+portforward.k8s.io`` (Kubernetes enhancement 4006), which kubectl uses since
1.31: a SPDY connection within binary messages, two streams (error, data) with one ``requestid`` for each connection;
and ``v4.channel.k8s.io``, one connection for each port of the query: channels 2n (data) and 2n+1 (error), each begun
by its port as two bytes, the low one first.
Every direction has a bounded queue; a connection that does not take its data holds up the others of its WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import WSMsgType, web

from switchboard.k8s import names
from switchboard.serve import spdy

TUNNEL: Final = names.PORT_FORWARD_TUNNEL
CHANNELS: Final = (names.CHANNELS_V4, names.PORT_FORWARD_PROTOCOL)
SUBPROTOCOLS: Final = (TUNNEL, *CHANNELS)
MOST_CONNECTIONS: Final = 1024
_CHUNK: Final = 32 * 1024
_QUEUED: Final = 16
Connect = Callable[[int], Awaitable[socket.socket]]
_Writer = Callable[[bytes], Awaitable[None]]


class _Connection:
    """One connection into the pod; ``tell`` sends to the client, ``finish`` ends its streams with a reason or none."""

    def __init__(self, port: int, tell: _Writer, finish: _Writer) -> None:
        self._port = port
        self._tell = tell
        self._finish = finish
        # None ends the client's direction.
        self._incoming: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED)
        self._ended = False

    async def take(self, data: bytes | None) -> None:
        """What the client sends, None at its end; waits while the pod takes nothing."""
        if not self._ended:
            await self._incoming.put(data)

    async def run(self, connect: Connect) -> None:
        """Connects, copies both ways, finishes."""
        try:
            why = await self._copy(connect)
        finally:
            self._ended = True
            while not self._incoming.empty():  # lets go whoever waits
                self._incoming.get_nowait()
        await self._finish(why)

    async def _copy(self, connect: Connect) -> bytes:
        """The reason why it could not go on, empty when all went well."""
        why = b""
        try:
            reader, writer = await asyncio.open_connection(sock=await connect(self._port), limit=2 * _CHUNK)
        except (OSError, LookupError) as error:
            # asyncio puts the address where the system's reason is.
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            why = f"failed to connect to localhost:{self._port} inside the pod's namespace: {reason}".encode()
        else:
            sending = asyncio.create_task(self._send(writer))
            try:
                while data := await reader.read(_CHUNK):
                    await self._tell(data)
            except OSError as error:
                why = f"error copying from port {self._port}: {error.strerror}".encode()
            finally:
                sending.cancel()
                writer.transport.abort() if why else writer.close()
        return why

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        try:
            while (data := await self._incoming.get()) is not None:
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.transport.abort()
        # Whoever still sends is not held up by a connection that takes nothing more.
        while await self._incoming.get() is not None:
            pass


class _Tasks:
    """The connections of a WebSocket; they end with it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, work: Any) -> asyncio.Task[None]:
        """Runs one; what it cannot send any more is nobody's loss."""
        task: asyncio.Task[None] = asyncio.create_task(_quiet(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def end(self) -> None:
        """Cancels all and waits for them."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _quiet(work: Awaitable[None]) -> None:
    with contextlib.suppress(ConnectionError, RuntimeError):
        await work


class Tunnel:
    """One SPDY connection within a WebSocket."""

    def __init__(self, ws: web.WebSocketResponse, connect: Connect) -> None:
        self._ws = ws
        self._connect = connect
        self._encoder = spdy.Encoder()
        self._tasks = _Tasks()
        self._last = 0
        # Streams of a request until both are there: stream and port by kind.
        self._pairs: dict[str, dict[str, tuple[int, str]]] = {}
        self._open: dict[int, tuple[_Connection, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until the client goes."""
        decoder = spdy.Decoder()
        try:
            while True:
                message = await self._ws.receive()
                if message.type is not WSMsgType.BINARY:
                    return
                for frame in decoder.feed(message.data):
                    if not await self._take(frame):
                        return
        finally:
            await self._tasks.end()
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._ws.close()

    async def _take(self, frame: spdy.Frame) -> bool:
        """False at the end."""
        match frame:
            case spdy.SynStream():
                await self._opened(frame)
            case spdy.Data(stream, payload, fin):
                if stream in self._open:
                    connection = self._open[stream][0]
                    if payload:
                        await connection.take(payload)
                    if fin:
                        await connection.take(None)
            case spdy.Reset(stream, _):
                found = self._open.get(stream)
                if found is not None:
                    found[1].cancel()
            case spdy.Ping(number):
                # Ours would be even; we send none.
                if number % 2:
                    await self._ws.send_bytes(spdy.ping(number))
            case spdy.Broken():
                await self._ws.send_bytes(spdy.go_away(self._last, spdy.PROTOCOL_ERROR))
                return False
        return True

    async def _opened(self, frame: spdy.SynStream) -> None:
        kind, port = frame.headers.get("streamtype", ""), frame.headers.get("port", "")
        # Clients of before 1.10 send no number of a request; they open one pair after the other.
        request = frame.headers.get("requestid") or f"port {port}"
        pair = self._pairs.get(request, {})
        known = port.isascii() and port.isdigit() and 1 <= int(port[:6]) <= 65535 and kind in ("error", "data")
        fresh = frame.stream % 2 == 1 and frame.stream > self._last
        room = len(self._tasks) + len(self._pairs) < MOST_CONNECTIONS
        if not (known and fresh and room) or kind in pair or any(p != port for _, p in pair.values()):
            status = spdy.REFUSED_STREAM if known and fresh and not room else spdy.PROTOCOL_ERROR
            await self._ws.send_bytes(spdy.reset(frame.stream, status))
            return
        self._last = frame.stream
        await self._ws.send_bytes(self._encoder.syn_reply(frame.stream))
        self._pairs[request] = pair = {**pair, kind: (frame.stream, port)}
        if len(pair) == 2:
            del self._pairs[request]
            self._start(pair["data"][0], pair["error"][0], int(port))

    def _start(self, stream: int, errors: int, port: int) -> None:
        async def tell(data: bytes) -> None:
            await self._ws.send_bytes(spdy.data(stream, data))

        async def finish(why: bytes) -> None:
            await self._ws.send_bytes(spdy.data(stream, b"", fin=True) + spdy.data(errors, why, fin=True))

        connection = _Connection(port, tell, finish)
        task = self._tasks.start(self._forward(connection, stream, errors))
        self._open[stream] = (connection, task)

    async def _forward(self, connection: _Connection, stream: int, errors: int) -> None:
        try:
            await connection.run(self._connect)
        except asyncio.CancelledError:
            # The client has given up the data stream and still waits for the end of the other one.
            if not self._ws.closed:
                await self._ws.send_bytes(spdy.data(errors, b"", fin=True))
            raise
        finally:
            self._open.pop(stream, None)


class Channels:
    """The ports of the query, each by its two channels."""

    def __init__(self, ws: web.WebSocketResponse, ports: tuple[int, ...], connect: Connect) -> None:
        self._ws = ws
        self._ports = ports
        self._connect = connect
        self._tasks = _Tasks()

    async def run(self) -> None:
        """Until the client goes."""
        connections = [self._connection(number, port) for number, port in enumerate(self._ports)]
        try:
            for number, port in enumerate(self._ports):
                for channel in (2 * number, 2 * number + 1):
                    await self._ws.send_bytes(bytes((channel,)) + struct.pack("<H", port))
            for connection in connections:
                self._tasks.start(connection.run(self._connect))
            while True:
                message = await self._ws.receive()
                if message.type is not WSMsgType.BINARY:
                    return
                channel, data = message.data[:1], message.data[1:]
                number = channel[0] // 2 if channel and channel[0] % 2 == 0 else len(connections)
                if number < len(connections) and data:
                    await connections[number].take(data)
        finally:
            await self._tasks.end()
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._ws.close()

    def _connection(self, number: int, port: int) -> _Connection:
        async def tell(data: bytes) -> None:
            await self._ws.send_bytes(bytes((2 * number,)) + data)

        async def finish(why: bytes) -> None:
            # There is no end of one channel; the WebSocket closes with the last connection.
            if why:
                await self._ws.send_bytes(bytes((2 * number + 1,)) + why)
            if len(self._tasks) <= 1:
                await self._ws.close()

        return _Connection(port, tell, finish)
