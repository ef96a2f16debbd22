"""Conversations with programs: real ones, over a WebSocket of a real server on the loopback address."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from switchboard.apply import netns, process
from switchboard.serve import remote_command
from switchboard.serve.remote_command import CLOSE, ERROR, RESIZE, STDERR, STDIN, STDOUT, SUBPROTOCOLS

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@asynccontextmanager
async def conversation(
    *command: str, stdin: bool = True, terminal: bool = False
) -> AsyncIterator[tuple[aiohttp.ClientWebSocketResponse, process.Session]]:
    """A client's WebSocket and the program behind it; everything has ended when this is left."""
    here = netns.current()
    session = process.converse(command, netns=here, environment=ENVIRONMENT, stdin=stdin, terminal=terminal)
    os.close(here)
    done = asyncio.Event()

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        ws = web.WebSocketResponse(protocols=SUBPROTOCOLS, compress=False, timeout=2.0)
        await ws.prepare(request)
        assert request.transport is not None
        try:
            await remote_command.converse(ws, session, command, request.transport.get_extra_info("socket"))
        finally:
            done.set()
        return ws

    runner = web.ServerRunner(web.Server(serve, handler_cancellation=True))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(f"http://127.0.0.1:{port}/", protocols=SUBPROTOCOLS) as ws,
        ):
            assert ws.protocol == SUBPROTOCOLS[0]
            yield ws, session
        async with asyncio.timeout(20):
            await done.wait()
    finally:
        await runner.cleanup()


async def told(ws: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """Everything that the server says, by channel."""
    found: dict[int, bytes] = {}
    async for message in ws:
        found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    return found


def status(found: dict[int, bytes]) -> tuple[str, str]:
    """(status, exit code or message)."""
    said = json.loads(found[ERROR])
    causes = said.get("details", {}).get("causes", [{}])
    return said["status"], causes[0].get("message", "")


def test_outputs_and_the_exit_code_are_told() -> None:
    async def run() -> None:
        async with conversation("sh", "-c", "echo out; echo err >&2; exit 7", stdin=False) as (ws, _):
            found = await told(ws)
        assert (found[STDOUT], found[STDERR]) == (b"out\n", b"err\n")
        assert status(found) == ("Failure", "7")
        assert json.loads(found[ERROR])["reason"] == "NonZeroExitCode"

    asyncio.run(run())


def test_a_signal_is_told_as_shells_do() -> None:
    async def run() -> None:
        async with conversation("sh", "-c", "kill -9 $$", stdin=False) as (ws, _):
            assert status(await told(ws)) == ("Failure", "137")

    asyncio.run(run())


def test_much_goes_through_both_ways() -> None:
    data = bytes(range(256)) * 4096

    async def run() -> None:
        async with conversation("cat") as (ws, _):
            reading = asyncio.create_task(told(ws))
            for at in range(0, len(data), 32768):
                await ws.send_bytes(bytes((STDIN,)) + data[at : at + 32768])
            await ws.send_bytes(bytes((CLOSE, STDIN)))
            found = await reading
        assert found[STDOUT] == data
        assert status(found) == ("Success", "")

    asyncio.run(run())


def test_a_terminal_has_a_size_and_one_output() -> None:
    async def run() -> None:
        async with conversation("sh", "-c", "read x; stty size; tty; test -t 2; exit $?", terminal=True) as (ws, _):
            await ws.send_bytes(bytes((RESIZE,)) + b'{"Width":101,"Height":33}')
            await ws.send_bytes(bytes((STDIN,)) + b"go\n")
            found = await told(ws)
        assert b"33 101\r\n/dev/pts/" in found[STDOUT]
        assert STDERR not in found
        assert status(found) == ("Success", "")

    asyncio.run(run())


def test_the_end_of_input_ends_a_program_on_a_terminal() -> None:
    async def run() -> None:
        async with conversation("cat", terminal=True) as (ws, _):
            await ws.send_bytes(bytes((CLOSE, STDIN)))
            assert status(await told(ws)) == ("Success", "")

    asyncio.run(run())


def running(pid: int) -> bool:
    """Whether a process is there; one that waits to be collected is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("terminal", [False, True])
def test_the_program_goes_with_its_client(terminal: bool, until: Callable[..., object]) -> None:
    async def run() -> list[int]:
        async with conversation("sh", "-c", "sleep 1000 & echo $!; wait", terminal=terminal) as (ws, session):
            child = int((await ws.receive()).data[1:])
            assert running(session.pid)
            assert running(child)
            return [session.pid, child]

    for pid in asyncio.run(run()):
        until(lambda pid=pid: not running(pid), "the program has gone")


def test_a_client_that_leaves_is_noticed_behind_input_that_nobody_reads() -> None:
    async def run() -> None:
        async with conversation("sleep", "1000") as (ws, session):
            # More than the pipe takes, less than what all buffers between take: the server stops reading.
            for _ in range(16):
                await ws.send_bytes(bytes((STDIN,)) + bytes(32768))
            pid = session.pid
            assert ws._response is not None
            assert ws._response.connection is not None
            assert ws._response.connection.transport is not None
            ws._response.connection.transport.abort()
        assert not Path(f"/proc/{pid}").exists()

    asyncio.run(run())


def test_a_program_that_reads_nothing_more_still_tells_its_end() -> None:
    async def run() -> None:
        async with conversation("sh", "-c", "exec <&-; echo closed; sleep 0.1; exit 4") as (ws, _):
            assert (await ws.receive()).data[1:] == b"closed\n"
            for _ in range(5):
                await ws.send_bytes(bytes((STDIN,)) + b"x" * 1000)
            assert status(await told(ws)) == ("Failure", "4")

    asyncio.run(run())


def test_messages_that_mean_nothing_do_no_harm() -> None:
    async def run() -> None:
        async with conversation("cat") as (ws, _):
            await ws.send_bytes(b"")
            await ws.send_str("text")
            for junk in (b"\x04", b"\x04{}", b"\x04[1]", b"\x07x", b"\xff", b"\xff\x01", b"\x03x"):
                await ws.send_bytes(junk)
            await ws.send_bytes(bytes((STDIN,)) + b"still here")
            await ws.send_bytes(bytes((CLOSE, STDIN)))
            assert (await told(ws))[STDOUT] == b"still here"

    asyncio.run(run())


@given(st.binary(max_size=60) | st.from_regex(rb'\{"Width":.{0,9},"Height":.{0,9}\}', fullmatch=True))
def test_any_size_is_read_without_raising(message: bytes) -> None:
    found = remote_command.size_of(message)
    assert found is None or all(0 < n < 65536 for n in found)


def test_why_a_program_could_not_be_started() -> None:
    said = json.loads(remote_command.failed("no such thing"))
    assert (said["status"], said["message"]) == ("Failure", "Internal error occurred: no such thing")
