"""Programs that a client talks to over a WebSocket: channels for their streams, and how they ended.

In: a WebSocket and a started program, or lines to show.  Out: the conversation until the program or the client ends.
Called by ``serve.pod_streams`` for exec and attach.
Specification: the subprotocols v5.channel.k8s.io and v4.channel.k8s.io of Kubernetes: the first byte of every binary
message is its channel; v5 lets the client close one (255 and its number).
Buffers are bounded both ways: pipes, the stream reader and the WebSocket's own; whoever does not read stops the rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Collection
from typing import Any, Final, Protocol

import msgspec
from aiohttp import WSMsgType, web

from switchboard.k8s import names

SUBPROTOCOLS: Final = (names.CHANNELS_V5, names.CHANNELS_V4)
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
MOST_MESSAGE: Final = 1024 * 1024
_CHUNK: Final = 32 * 1024
_END_OF_TRANSMISSION: Final = b"\x04"
_TCP_ESTABLISHED: Final = 1
_WATCH_SECONDS: Final = 1.0
# Who has put itself beyond the program's end with the program's outputs gets this long to say something more.
_SILENCE_SECONDS: Final = 1.0
_GRACE_SECONDS: Final = 2.0


class Session(Protocol):
    """A started program; descriptors are -1 where there is no stream, and the user of it closes them."""

    stdin: int
    stdout: int
    stderr: int

    async def wait(self) -> int:
        """The exit code (negative: the signal), once it has ended."""

    def kill(self, number: int = ...) -> None:
        """Sends a signal to it and what it has started."""

    async def terminate(self, grace_seconds: float) -> None:
        """Ends it politely, then by force."""

    def resize(self, columns: int, rows: int) -> None:
        """Sets the size of its terminal."""


def success() -> bytes:
    """The Status of a program that ended well."""
    return msgspec.json.encode({"metadata": {}, "status": "Success"})


def ended(code: int, command: tuple[str, ...]) -> bytes:
    """The Status of a program that ended with ``code`` (negative: by that signal, told as shells do)."""
    if code == 0:
        return success()
    number = code if code > 0 else 128 - code
    told = f"error executing command [{' '.join(command)}], exit code {number}"
    return msgspec.json.encode(
        {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with non-zero exit code: {told}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(number)}]},
        }
    )


def failed(why: str) -> bytes:
    """The Status of a program that could not be started."""
    return msgspec.json.encode(
        {
            "metadata": {},
            "status": "Failure",
            "message": f"Internal error occurred: {why}",
            "reason": "InternalError",
            "details": {"causes": [{"message": why}]},
            "code": 500,
        }
    )


def size_of(message: bytes) -> tuple[int, int] | None:
    """(columns, rows) that a message on the resize channel tells, None for what is no size."""
    try:
        found = msgspec.json.decode(message)
        columns, rows = found["Width"], found["Height"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
        return None
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 < n < 65536 for n in (columns, rows)):
        return None
    return columns, rows


async def finish(ws: web.WebSocketResponse, status: bytes) -> None:
    """Tells how it ended and closes."""
    with contextlib.suppress(ConnectionError, RuntimeError):
        await ws.send_bytes(bytes((ERROR,)) + status)
        await ws.close()


async def converse(
    ws: web.WebSocketResponse,
    session: Session,
    command: tuple[str, ...],
    connection: socket.socket | None,
    shown: Collection[int] = (STDOUT, STDERR),
) -> None:
    """Runs the conversation; the program has ended when this returns, or is cancelled.

    ``connection`` is the client's, to notice its end; of the program's outputs the ``shown`` channels are told.
    """
    loop = asyncio.get_running_loop()
    talk = _Talk(ws, session, shown)
    tasks: list[asyncio.Task[Any]] = []
    try:
        await talk.open()
        outputs = [loop.create_task(output.pump(ws)) for output in talk.outputs]
        leaving = [loop.create_task(talk.listen()), loop.create_task(_gone(connection))]
        exited = loop.create_task(session.wait())
        tasks = [*outputs, *leaving, exited]
        await asyncio.wait([exited, *leaving], return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            return
        await talk.drain(outputs, leaving)
        if not any(task.done() for task in leaving):
            await finish(ws, ended(exited.result(), command))
    finally:
        for task in tasks:
            task.cancel()
        talk.close()
        # The program may have gone before, what it started may not.
        await asyncio.shield(loop.create_task(_end(session)))
        await asyncio.gather(*tasks, return_exceptions=True)


async def _end(session: Session) -> None:
    await session.terminate(_GRACE_SECONDS)
    session.kill()


async def _gone(connection: socket.socket | None) -> None:
    """Returns when the client has closed, which is not read while the program takes no input."""
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        with contextlib.suppress(OSError, AttributeError):
            if connection is not None:
                state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
                if state != _TCP_ESTABLISHED:
                    return


class _Output:
    """One stream of the program on its way to a channel."""

    def __init__(self, channel: int, reader: asyncio.StreamReader, *, shown: bool) -> None:
        self._channel = bytes((channel,))
        self._shown = shown
        self._reader = reader
        self.moved = 0
        self.sending = False

    async def pump(self, ws: web.WebSocketResponse) -> None:
        """Until the end of the stream; a terminal ends with an error (EIO)."""
        with contextlib.suppress(OSError, RuntimeError):
            while data := await self._reader.read(_CHUNK):
                self.sending = True
                if self._shown:
                    await ws.send_bytes(self._channel + data)
                self.moved += len(data)
                self.sending = False


class _Talk:
    def __init__(self, ws: web.WebSocketResponse, session: Session, shown: Collection[int]) -> None:
        self._ws = ws
        self._session = session
        self._shown = shown
        self._terminal = session.stdin >= 0 and session.stderr < 0
        self._stdin: asyncio.StreamWriter | None = None
        self._transports: list[asyncio.BaseTransport] = []
        self.outputs: list[_Output] = []

    async def open(self) -> None:
        """Hands the descriptors to the event loop."""
        loop = asyncio.get_running_loop()
        session = self._session
        for channel, descriptor in ((STDOUT, session.stdout), (STDERR, session.stderr)):
            if descriptor >= 0:
                reader = asyncio.StreamReader(limit=_CHUNK)
                transport, _ = await loop.connect_read_pipe(
                    lambda reader=reader: asyncio.StreamReaderProtocol(reader),  # type: ignore[misc]
                    os.fdopen(descriptor, "rb", 0),
                )
                self._transports.append(transport)
                self.outputs.append(_Output(channel, reader, shown=channel in self._shown))
        if session.stdin >= 0:
            protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader())
            writing, _ = await loop.connect_write_pipe(lambda: protocol, os.fdopen(session.stdin, "wb", 0))
            writing.set_write_buffer_limits(high=_CHUNK)
            self._transports.append(writing)
            self._stdin = asyncio.StreamWriter(writing, protocol, None, loop)

    async def listen(self) -> None:
        """What the client says; returns when it has gone."""
        while True:
            message = await self._ws.receive()
            if message.type is not WSMsgType.BINARY:
                if message.type is WSMsgType.TEXT:
                    continue
                return
            if message.data:
                await self._take(message.data[0], message.data[1:])

    async def _take(self, channel: int, data: bytes) -> None:
        if channel == STDIN and self._stdin is not None:
            # A program that reads no more is no reason to end: its output still matters.
            with contextlib.suppress(OSError):
                self._stdin.write(data)
                await self._stdin.drain()
        elif channel == RESIZE:
            size = size_of(data)
            if size is not None:
                self._session.resize(*size)
        elif channel == CLOSE and data[:1] == bytes((STDIN,)) and self._stdin is not None:
            with contextlib.suppress(OSError):
                if self._terminal:
                    self._stdin.write(_END_OF_TRANSMISSION)
                else:
                    self._stdin.close()
                    self._stdin = None

    async def drain(self, outputs: list[asyncio.Task[None]], leaving: list[asyncio.Task[None]]) -> None:
        """Tells the rest of the output: all that is there, and more while it comes."""
        waiting = {task for task in outputs if not task.done()}
        while waiting and not any(task.done() for task in leaving):
            before = sum(output.moved for output in self.outputs)
            done, waiting = await asyncio.wait({*waiting, *leaving}, timeout=_SILENCE_SECONDS,
                                               return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
            waiting -= set(leaving)
            quiet = before == sum(output.moved for output in self.outputs)
            if not done and quiet and not any(output.sending for output in self.outputs):
                return

    def close(self) -> None:
        """Closes the program's streams; what was not written is dropped."""
        for transport in self._transports:
            if not isinstance(transport, asyncio.WriteTransport):
                transport.close()
            elif not transport.is_closing():
                # One that is closing already writes its rest or finds that nobody reads it.
                transport.abort()
