"""The two sockets by which commands reach a running cluster: questions, and namespaces to enter.

Both are Unix sockets of mode 0600 in the runtime directory, and ask the kernel who calls: only the user who started
the cluster and root are served.  Questions go through ``serve.channel``; ``NamespaceDoor`` passes descriptors, which
a stream of JSON cannot.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

from switchboard.serve.channel import Channel, Handler

_LONGEST_NAME = 512
_SHOWN = 12
_SILENCE_SECONDS = 2.0


def peer_allowed(connection: socket.socket, uid: int) -> bool:
    """Whether the other end runs as ``uid`` or root."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", credentials)[1] in (0, uid)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(16)
    listener.setblocking(False)
    return listener


async def serve_questions(path: Path, handlers: dict[str, Handler]) -> asyncio.Server:
    """Answers ``handlers`` on ``path``."""
    uid = os.getuid()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not peer_allowed(writer.get_extra_info("socket"), uid):
            writer.close()
            return
        channel = Channel(handlers)
        channel.attach(reader, writer)
        await channel.serve()

    return await asyncio.start_unix_server(accepted, sock=_listen(path))


class NamespaceDoor:
    """Hands out descriptors: a caller sends a name and gets that network namespace and its user namespace."""

    def __init__(self, path: Path, namespaces: Mapping[str, int], user: int) -> None:
        self._listener = _listen(path)
        self._namespaces = namespaces
        self._user = user
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begins to serve in the running event loop."""
        asyncio.get_running_loop().add_reader(self._listener, self._accepted)

    def _accepted(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._serve(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection, contextlib.suppress(OSError, TimeoutError):
            if not peer_allowed(connection, os.getuid()):
                return
            asked = await asyncio.wait_for(loop.sock_recv(connection, _LONGEST_NAME), _SILENCE_SECONDS)
            name = asked.decode(errors="replace")
            if name in self._namespaces:
                socket.send_fds(connection, [b"ok"], [self._user, self._namespaces[name]])
                return
            known = sorted(self._namespaces, key=lambda known: ("/" in known, known))
            more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
            answer = f"no such namespace; there are {', '.join(known[:_SHOWN])}{more}"
            await loop.sock_sendall(connection, answer.encode())


def ask_for_namespace(path: Path, name: str) -> tuple[int, int]:
    """Descriptors (user namespace, network namespace) of ``name``; raises LookupError with what there is."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10.0)
        connection.connect(str(path))
        connection.sendall(name.encode())
        answer, descriptors, _, _ = socket.recv_fds(connection, 65536, 2)
    if len(descriptors) != 2:
        raise LookupError(answer.decode(errors="replace"))
    return descriptors[0], descriptors[1]
