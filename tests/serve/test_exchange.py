"""One connection against every way in which an answer can come, or not come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
import pytest

from switchboard.serve import exchange
from switchboard.serve.exchange import ClosedError, Exchange, TooLargeError

Play = Callable[[Exchange], Any]


def play(answers: list[bytes | None], script: Play) -> Any:
    """Runs a script against a peer that gives these bytes, one for each request; None closes."""

    async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not await reader.read(65536) or answer is None:
                break
            writer.write(answer)
        writer.close()

    async def run() -> Any:
        server = await asyncio.start_server(peer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            _, connection = await asyncio.get_running_loop().create_connection(Exchange, "127.0.0.1", port)
            try:
                async with asyncio.timeout(10):
                    return await script(connection)
            finally:
                await connection.close(5)

    return asyncio.run(run())


async def once(connection: Exchange) -> tuple[int, bytes, bool]:
    return (*await connection.ask(b"GET / HTTP/1.1\r\n\r\n"), connection.reusable)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", (200, b"hi", True)),
        (b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", (503, b"", True)),
        (b"HTTP/1.1 204 No\r\n\r\n", (204, b"", True)),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", (200, b"hi", True)),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi", (200, b"hi", False)),
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", (200, b"to the end", False)),
        (b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", (200, b"hi", True)),
    ],
)
def test_answers(answer: bytes, expected: tuple[int, bytes, bool]) -> None:
    stays = [answer, b""] if expected[2] else [answer]
    assert play(stays, once) == expected


def test_a_connection_is_used_again() -> None:
    async def twice(connection: Exchange) -> list[bytes]:
        return [(await connection.ask(b"GET / HTTP/1.1\r\n\r\n"))[1] for _ in range(2)]

    answers = [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n" + c for c in (b"a", b"b")]
    assert play([*answers, b""], twice) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("answer", "error", "clean"),
    [
        (None, ClosedError, True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", ClosedError, False),
        (b"HTTP/1.1 2", ClosedError, False),
        (b"SSH-2.0-nothing here\r\n", httptools.HttpParserError, None),
    ],
)
def test_what_goes_wrong(answer: bytes | None, error: type[Exception], clean: bool | None) -> None:
    with pytest.raises(error) as caught:
        play([answer], once)
    assert getattr(caught.value, "clean", None) is clean


def test_bodies_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MOST_BYTES", 100)
    with pytest.raises(TooLargeError, match="more than 100 bytes"):
        play([b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n" + b"x" * 500], once)


def test_asking_on_a_closed_connection_may_be_repeated_elsewhere() -> None:
    async def late(connection: Exchange) -> None:
        await connection.close(5)
        await connection.ask(b"GET / HTTP/1.1\r\n\r\n")

    with pytest.raises(ClosedError, match="between two requests") as caught:
        play([b""], late)
    assert caught.value.clean
