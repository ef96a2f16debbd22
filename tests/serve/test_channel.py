"""A channel answers both sides, tells failures by their words, and fails every open call when the other side goes."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from switchboard.serve.channel import LIMIT, Channel, ChannelError

Handlers = dict[str, Callable[..., Awaitable[Any]]]


def between(left: Handlers, right: Handlers, test: Callable[[Channel, Channel], Awaitable[None]]) -> None:
    """Runs ``test`` with the two ends of a channel."""

    async def run() -> None:
        ends = [Channel(left), Channel(right)]
        for end, connected in zip(ends, socket.socketpair(), strict=True):
            connected.setblocking(False)
            await end.open(connected)
        serving = [asyncio.create_task(end.serve()) for end in ends]
        await test(*ends)
        for end in ends:
            end._writer.close()
        await asyncio.wait_for(asyncio.gather(*serving), 10)

    asyncio.run(run())


async def double(number: int) -> int:
    return 2 * number


async def broken() -> None:
    raise LookupError("no such pod")


def test_both_sides_ask_and_answer() -> None:
    async def test(left: Channel, right: Channel) -> None:
        answers = await asyncio.gather(*(end.call("double", number=n) for n in range(20) for end in (left, right)))
        assert answers == [2 * n for n in range(20) for _ in range(2)]

    between({"double": double}, {"double": double}, test)


def test_a_slow_answer_holds_up_no_other() -> None:
    async def test(left: Channel, right: Channel) -> None:
        slow = asyncio.create_task(left.call("wait"))
        assert await left.call("double", number=1) == 2
        assert not slow.done()
        let_go.set()
        assert await slow == "done"

    async def wait() -> str:
        await let_go.wait()
        return "done"

    let_go = asyncio.Event()
    between({}, {"wait": wait, "double": double}, test)


@pytest.mark.parametrize(
    ("method", "params", "words"),
    [
        ("broken", {}, "LookupError: no such pod"),
        ("unknown", {}, "unknown method 'unknown'"),
        ("double", {"nonsense": 1}, "TypeError"),
    ],
)
def test_failures_arrive_and_the_channel_goes_on(method: str, params: dict[str, Any], words: str) -> None:
    async def test(left: Channel, right: Channel) -> None:
        with pytest.raises(ChannelError, match=words):
            await left.call(method, **params)
        assert await left.call("double", number=2) == 4

    between({}, {"broken": broken, "double": double}, test)


def test_notices_are_heard_and_not_answered() -> None:
    async def test(left: Channel, right: Channel) -> None:
        left.notify("hear", text="a")
        left.notify("unknown")
        assert await asyncio.wait_for(heard.get(), 10) == "a"
        assert await left.call("double", number=3) == 6

    async def hear(text: str) -> None:
        heard.put_nowait(text)

    heard: asyncio.Queue[str] = asyncio.Queue()
    between({}, {"hear": hear, "double": double}, test)


def test_open_calls_fail_when_the_other_side_goes() -> None:
    async def test(left: Channel, right: Channel) -> None:
        calls = [asyncio.create_task(left.call("wait")) for _ in range(3)]
        await asyncio.wait_for(arrived.wait(), 10)
        right._writer.close()
        for call in calls:
            with pytest.raises(ChannelError, match="gone"):
                await asyncio.wait_for(call, 10)
        with pytest.raises(ChannelError, match="gone"):
            left.notify("wait")

    async def wait() -> None:
        arrived.set()
        await asyncio.Event().wait()

    arrived = asyncio.Event()
    between({}, {"wait": wait}, test)


@pytest.mark.parametrize("line", [b"[1]\n", b"7\n", b'{"id": 99, "result": 1}\n', b'{"id": 99, "error": "x"}\n'])
def test_lines_that_nobody_asked_for_are_left_alone(line: bytes) -> None:
    async def test(left: Channel, right: Channel) -> None:
        left._writer.write(line)
        assert await right.call("double", number=4) == 8
        assert await left.call("double", number=5) == 10

    between({"double": double}, {"double": double}, test)


@pytest.mark.parametrize("line", [b"no JSON\n", b"x" * (LIMIT + 1) + b"\n"])
def test_a_peer_that_speaks_otherwise_is_left(line: bytes) -> None:
    async def test(left: Channel, right: Channel) -> None:
        call = asyncio.create_task(right.call("double", number=1))
        left._writer.write(line)
        with pytest.raises(ChannelError, match="gone"):
            await asyncio.wait_for(call, 10)

    async def never(number: int) -> None:
        await asyncio.Event().wait()

    between({"double": never}, {}, test)
