"""Forwarded ports: connections to a listening socket of the host go to an address inside the cluster.

The listening socket was made in the host's namespace and handed over; the outgoing one is made by ``connect`` inside
the namespace of an outside client.  Bytes are copied as they are, so TLS ends at the gateway.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

_CHUNK = 65536
_RESET = struct.pack("ii", 1, 0)  # linger for no time: close(2) drops the connection
Connect = Callable[[], Awaitable[socket.socket]]


class Forward:
    """Forwards one listening socket; ``connect`` gives a connected socket or raises OSError."""

    def __init__(self, listener: socket.socket, connect: Connect) -> None:
        self._listener = listener
        self._connect = connect
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    def lead(self, connect: Connect) -> None:
        """From now on new connections go elsewhere; those that are open stay."""
        self._connect = connect

    async def start(self) -> None:
        """Begins to accept."""
        self._server = await asyncio.start_server(self._accepted, sock=self._listener)

    async def close(self) -> None:
        """Stops to accept and ends the connections that are open."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._carry(reader, writer)
        finally:
            self._open.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(sock=await self._connect())
        except OSError:
            # The client sees a reset, as from a port where nobody listens; an end would look like an empty answer.
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            for end in (far_writer, writer):
                end.close()
            await asyncio.gather(far_writer.wait_closed(), writer.wait_closed(), return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until the end of one direction and passes the end on; a broken connection breaks its other half."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()
