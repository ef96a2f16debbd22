"""A forwarded port copies bytes both ways, passes the end on, and refuses as a port where nobody listens would."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from switchboard.serve.forward import Forward


def listening() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


def forwarded(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None,
    test: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> None:
    """Runs ``test`` as a client of a port that is forwarded to ``answer``, None for a port where nobody listens."""

    async def run() -> None:
        near, far = listening(), listening()
        there = far.getsockname()
        server = await asyncio.start_server(answer, sock=far) if answer else far.close()

        async def connect() -> socket.socket:
            connection = socket.socket()
            connection.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(connection, there)
            except OSError:
                connection.close()
                raise
            return connection

        forward = Forward(near, connect)
        await forward.start()
        reader, writer = await asyncio.open_connection(*near.getsockname())
        await asyncio.wait_for(test(reader, writer), 20)
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        if server:
            server.close()
            await server.wait_closed()
        await forward.close()

    asyncio.run(run())


def test_bytes_and_the_end_go_both_ways() -> None:
    sent = bytes(range(256)) * 4096

    async def reverse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(-1))[::-1])
        writer.close()

    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        writer.write_eof()
        assert await reader.read(-1) == sent[::-1]

    forwarded(reverse, test)


def test_the_answer_may_end_first() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read(-1) == b"bye"
        writer.close()

    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read(-1) == b"hello"
        writer.write(b"bye")
        writer.write_eof()

    forwarded(greet, test)


def test_where_nobody_listens_the_client_sees_a_reset() -> None:
    async def test(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with pytest.raises(ConnectionResetError):
            await reader.read(-1)

    forwarded(None, test)


def test_new_connections_go_where_the_port_leads_now() -> None:
    async def run() -> None:
        def answering(text: bytes) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
            async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(text)
                writer.close()

            return answer

        def to(there: tuple[str, int]) -> Callable[[], Awaitable[socket.socket]]:
            async def connect() -> socket.socket:
                connection = socket.socket()
                connection.setblocking(False)
                await asyncio.get_running_loop().sock_connect(connection, there)
                return connection

            return connect

        near, first, second = listening(), listening(), listening()
        places = first.getsockname(), second.getsockname()
        servers = [
            await asyncio.start_server(answering(b"1"), sock=first),
            await asyncio.start_server(answering(b"2"), sock=second),
        ]
        forward = Forward(near, to(places[0]))
        await forward.start()

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection(*near.getsockname())
            said = await asyncio.wait_for(reader.read(-1), 20)
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            return said

        assert await ask() == b"1"
        forward.lead(to(places[1]))
        assert await ask() == b"2"
        await forward.close()
        for server in servers:
            server.close()
            await server.wait_closed()

    asyncio.run(run())
