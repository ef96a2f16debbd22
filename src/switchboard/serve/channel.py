"""Requests and notices between the processes of a cluster, as JSON lines over a stream socket.

Both sides may call and be called.  A line is ``{"id", "method", "params"}``, its answer ``{"id", "result"}`` or
``{"id", "error"}``; without an id it is a notice.  Only used between processes that one supervisor forked and over
the control socket, whose file mode and peer credentials restrict it to the cluster's user.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

LIMIT = 64 * 1024 * 1024
Handler = Callable[..., Awaitable[Any]]


class ChannelError(Exception):
    """The other side answered with an error, or has gone."""


class Channel:
    """One end of a connection; ``handlers`` maps methods to coroutines that take the params as keywords."""

    def __init__(self, handlers: dict[str, Handler]) -> None:
        self.handlers = handlers
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self, connected: socket.socket) -> None:
        """Takes over a connected stream socket."""
        reader, writer = await asyncio.open_unix_connection(sock=connected, limit=LIMIT)
        self.attach(reader, writer)

    def attach(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes over the two ends of an accepted connection."""
        self._reader, self._writer = reader, writer

    async def serve(self) -> None:
        """Reads until the other side has gone; then every open call fails."""
        assert self._reader is not None
        try:
            while line := await self._reader.readline():
                self._receive(msgspec.json.decode(line))
        except (ConnectionError, ValueError):
            pass  # a line over the limit or a reset ends the connection, as its close would
        finally:
            for future in self._pending.values():
                if not future.done():
                    future.set_exception(ChannelError("the other side has gone"))
            self._pending.clear()
            if self._writer is not None:
                self._writer.close()

    async def call(self, method: str, **params: Any) -> Any:
        """Asks the other side and returns its result; raises ChannelError with its message."""
        self._next += 1
        future = asyncio.get_running_loop().create_future()
        self._pending[self._next] = future
        self._send({"id": self._next, "method": method, "params": params})
        return await future

    def notify(self, method: str, **params: Any) -> None:
        """Tells the other side without waiting for an answer."""
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is None or self._writer.is_closing():
            raise ChannelError("the other side has gone")
        self._writer.write(msgspec.json.encode(message) + b"\n")

    def _receive(self, message: Any) -> None:
        if not isinstance(message, dict):
            return
        if "method" in message:
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        future = self._pending.pop(message.get("id", 0), None)
        if future is None or future.done():
            return
        if "error" in message:
            future.set_exception(ChannelError(str(message["error"])))
        else:
            future.set_result(message.get("result"))

    async def _answer(self, message: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"id": message.get("id")}
        handler = self.handlers.get(message["method"])
        try:
            if handler is None:
                raise ChannelError(f"unknown method {message['method']!r}")
            reply["result"] = await handler(**message.get("params", {}))
        except Exception as error:  # noqa: BLE001 - the caller must learn of every failure
            reply["error"] = f"{type(error).__name__}: {error}"
        if reply["id"] is not None and self._writer is not None and not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(reply) + b"\n")
