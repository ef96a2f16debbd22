"""The sockets of the DNS server: datagrams, streams, and a page of metrics.

In go bound sockets and a ``Responder``; questions of one stream are answered as their answers come, out of order.
Called by ``run`` (the kubelet for a pod, ``switchboard dns`` alone).
Specification: RFC 1035 (4.2), RFC 7766 (DNS over TCP).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Coroutine, Iterable
from typing import Any, Final

from switchboard.serve.dns.responder import Responder

_BURST: Final = 64
_LARGEST: Final = 65535
_IDLE_SECONDS: Final = 10.0
_MOST_CONNECTIONS: Final = 256
_MOST_OPEN: Final = 1000
_MOST_PER_CONNECTION: Final = 64


class DnsServer:
    """Serves in the running event loop until it is closed."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._datagrams: list[socket.socket] = []
        self._streams: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connections: set[asyncio.Task[Any]] = set()

    async def start(self, streams: Iterable[socket.socket], datagrams: Iterable[socket.socket]) -> None:
        """Takes over bound sockets."""
        loop = asyncio.get_running_loop()
        for listener in streams:
            listener.setblocking(False)
            self._streams.append(await asyncio.start_server(self._accepted, sock=listener))
        for each in datagrams:
            each.setblocking(False)
            self._datagrams.append(each)
            loop.add_reader(each, self._readable, each)

    async def close(self) -> None:
        """Ends everything at once."""
        loop = asyncio.get_running_loop()
        for server in self._streams:
            server.close()
        for each in self._datagrams:
            loop.remove_reader(each)
            each.close()
        tasks = [*self._tasks, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _readable(self, bound: socket.socket) -> None:
        """A burst of questions; the rest waits for its turn, so that streams have theirs."""
        for _ in range(_BURST):
            try:
                packet, peer = bound.recvfrom(_LARGEST)
            except OSError:
                return  # nothing more, or the refusal of an earlier answer
            try:
                reply = self._responder.reply(packet, peer[0])
            except Exception as error:  # noqa: BLE001 - one packet must not end the server
                _tell(error)
                continue
            if isinstance(reply, bytes):
                _send(bound, reply, peer)
            elif reply is not None:
                self._later(reply, bound, peer)

    def _later(self, reply: Coroutine[Any, Any, bytes], bound: socket.socket, peer: Any) -> None:
        if len(self._tasks) >= _MOST_OPEN:
            reply.close()
            return

        async def answer() -> None:
            _send(bound, await reply, peer)

        self._keep(self._tasks, answer())

    def _keep(self, tasks: set[asyncio.Task[Any]], work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks.add(task)

        def ended(task: asyncio.Task[Any]) -> None:
            tasks.discard(task)
            if not task.cancelled() and (error := task.exception()) is not None:
                _tell(error)

        task.add_done_callback(ended)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= _MOST_CONNECTIONS:
            writer.close()
            return
        self._connections.add(task)
        open_questions: set[asyncio.Task[Any]] = set()
        try:
            await self._serve(reader, writer, open_questions)
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass  # silent, gone, or in the middle of a message: the connection ends
        finally:
            self._connections.discard(task)
            for question in open_questions:
                question.cancel()
            writer.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, open_questions: set[asyncio.Task[Any]]
    ) -> None:
        peer = writer.get_extra_info("peername")[0]

        async def answer(reply: Coroutine[Any, Any, bytes]) -> None:
            _write(writer, await reply)

        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                length = int.from_bytes(await reader.readexactly(2), "big")
                packet = await reader.readexactly(length)
            reply = self._responder.reply(packet, peer, tcp=True)
            if reply is None:
                return
            if isinstance(reply, bytes):
                _write(writer, reply)
            elif len(open_questions) < _MOST_PER_CONNECTION:
                self._keep(open_questions, answer(reply))
            else:
                await answer(reply)
            async with asyncio.timeout(_IDLE_SECONDS):
                await writer.drain()


async def serve_metrics(responder: Responder, listener: socket.socket) -> asyncio.Server:
    """``GET /metrics`` for Prometheus; every other path is 404."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_IDLE_SECONDS):
                request = await reader.readuntil(b"\r\n\r\n")
                found = request.startswith((b"GET /metrics ", b"GET /metrics?"))
                body = responder.metrics.text().encode() if found else b"not found\n"
                status = "200 OK" if found else "404 Not Found"
                kind = "text/plain; version=0.0.4; charset=utf-8"
                head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
                writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
                await writer.drain()
        writer.close()

    listener.setblocking(False)
    return await asyncio.start_server(accepted, sock=listener)


def _write(writer: asyncio.StreamWriter, reply: bytes) -> None:
    if not writer.is_closing():
        writer.write(len(reply).to_bytes(2, "big") + reply)


def _send(bound: socket.socket, reply: bytes, peer: Any) -> None:
    with contextlib.suppress(OSError):  # a full buffer or a peer that has gone: it asks again
        bound.sendto(reply, peer)


def _tell(error: BaseException) -> None:
    print(f"dns: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
