"""A stand-in as a whole, over loopback sockets: start, readiness, calls, termination, bounds."""

import asyncio
import random
import socket
from contextlib import asynccontextmanager

import msgspec
import pytest
import uvloop

from switchboard.apply.certificates import self_signed
from switchboard.serve.standin.answer import PodFacts
from switchboard.serve.standin.behaviour import Behaviour, Effects, Latency
from switchboard.serve.standin.limits import Limits
from switchboard.serve.standin.program import StandIn
from switchboard.serve.standin.seen import Seen

POD = PodFacts(namespace="shop", name="web-0", labels={"app": "web"})
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    def runner(coroutine):
        async def bounded():
            async with asyncio.timeout(10):
                return await coroutine

        with asyncio.Runner(loop_factory=request.param) as owner:
            faults = []
            owner.get_loop().set_exception_handler(lambda loop, context: faults.append(context))
            result = owner.run(bounded())
        assert faults == []
        return result

    return runner


@asynccontextmanager
async def standing(behaviour=None, pod=POD, certificates=lambda name: None, **options):
    standin = StandIn(pod, behaviour or Behaviour(), certificates, random.Random(1), lambda: 1795435200.5, **options)
    tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
    tcp.bind(("127.0.0.1", 0))
    tcp.listen()
    udp.bind(("127.0.0.1", 0))
    standin.address, standin.udp = tcp.getsockname(), udp.getsockname()
    await standin.start([tcp], [udp])
    try:
        yield standin
    finally:
        await standin.terminate(0)


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


async def ask(standin, data=GET):
    reader, writer = await asyncio.open_connection(*standin.address)
    writer.write(data)
    return reader, writer


async def answer(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return head, msgspec.json.decode(await reader.readexactly(length))


def test_an_answer_names_pod_and_time(run):
    async def scenario():
        async with standing() as standin:
            reader, writer = await ask(standin)
            head, document = await answer(reader)
            writer.close()
            return head, document, standin.address[1]

    head, document, port = run(scenario())
    assert b"\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n" in head
    assert (document["pod"], document["peer"], document["port"]) == ("web-0", "127.0.0.1", port)


def test_counts(run):
    async def scenario():
        async with standing() as standin:
            for wish in ("x-echo-status: 404", "x-echo-status: 404", "x-echo-abort: 1", "x-none: 1"):
                reader, writer = await ask(standin, f"GET / HTTP/1.1\r\n{wish}\r\nConnection: close\r\n\r\n".encode())
                await reader.read()
                writer.close()
            return dict(standin.counts)

    assert run(scenario()) == {"connections": 4, "404": 2, "aborted": 1, "200": 1}


def test_service_follows_the_cluster(run):
    async def scenario():
        async with standing() as standin:
            reader, writer = await ask(standin)
            told = [(await answer(reader))[1].get("service")]
            for name in ("web", None):
                standin.set_service(name)
                writer.write(GET)
                told.append((await answer(reader))[1].get("service"))
            writer.close()
            return told

    assert run(scenario()) == [None, "shop/web", None]


def test_stand_ins_of_a_process_share_what_they_saw(run):
    async def scenario():
        seen = Seen()
        pod = msgspec.structs.replace(POD, service="web")
        async with standing(pod=pod, seen=seen) as one, standing(pod=pod, seen=seen) as two:
            reader, writer = await ask(one, b"GET / HTTP/1.1\r\nx-corpus-id: i\r\n\r\n")
            await answer(reader)
            writer.close()
            reader, writer = await ask(two, b"GET /__seen/i HTTP/1.1\r\n\r\n")
            _, document = await answer(reader)
            writer.close()
            return document["seen"]

    assert run(scenario()) == 1


def test_readiness_is_told_when_it_changes(run):
    async def scenario():
        told = []
        async with standing(ready_changed=told.append) as standin:
            standin.set_ready(True)
            standin.set_ready(False)
            standin.set_ready(False)
            standin.set_ready(True)
            assert standin.ready
        return told

    assert run(scenario()) == [True, False, True, False]


def test_a_late_start(run):
    async def scenario():
        told = []
        async with standing(Behaviour(start_after=0.05), ready_changed=told.append) as standin:
            reader, writer = await ask(standin)
            head, document = await answer(reader)
            assert not standin.ready
            await until(lambda: standin.ready)
            writer.write(GET)
            later, _ = await answer(reader)
            writer.close()
            return head[:12], document["standIn"], later[:12], told

    assert run(scenario()) == (b"HTTP/1.1 503", "still starting", b"HTTP/1.1 200", [True, False])


def test_a_stop_before_the_late_start_leaves_no_timer(run):
    async def scenario():
        async with standing(Behaviour(start_after=3600)) as standin:
            await standin.terminate(0)
            return standin.ready

    assert run(scenario()) is False


def test_delay_and_latency_are_waited_for(run):
    async def scenario():
        loop = asyncio.get_running_loop()
        behaviour = Behaviour(latency=Latency(0.02), effects=Effects(delay=0.02))
        async with standing(behaviour) as standin:
            started = loop.time()
            reader, writer = await ask(standin)
            await answer(reader)
            writer.close()
            return loop.time() - started

    assert run(scenario()) >= 0.039


def test_datagrams_come_back(run):
    async def scenario():
        async with standing() as standin:
            loop, sock = asyncio.get_running_loop(), socket.socket(type=socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(standin.udp)
            with sock:
                for data in (b"hello", b"\0", b"x" * 9000):
                    await loop.sock_sendall(sock, data)
                    assert await loop.sock_recv(sock, 65536) == data
            return standin.counts["udp"]

    assert run(scenario()) == 3


def test_calls_are_made_through_the_given_connections(run):
    async def scenario():
        async with standing(pod=msgspec.structs.replace(POD, name="stock-0")) as stock:

            async def connect(host, port):
                sock = socket.socket()
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, stock.address)
                return sock

            behaviour = Behaviour(calls=("http://stock/items", "http://stock/more"), propagate=("x-release",))
            async with standing(behaviour, connect=connect) as web:
                reader, writer = await ask(web, b"GET / HTTP/1.1\r\nx-release: canary\r\n\r\n")
                _, document = await answer(reader)
                writer.close()
                return document["calls"]

    calls = run(scenario())
    assert [(call["url"], call["status"]) for call in calls] == [
        ("http://stock/items", 200),
        ("http://stock/more", 200),
    ]
    assert calls[0]["body"]["pod"] == "stock-0"
    assert calls[0]["body"]["headers"]["x-release"] == "canary"


def test_a_pod_that_calls_itself_stops(run):
    async def scenario():
        async def connect(host, port):
            sock = socket.socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, web.address)
            return sock

        async with standing(Behaviour(calls=("http://self/",)), connect=connect) as web:
            reader, writer = await ask(web)
            _, document = await answer(reader)
            writer.close()
            return document, web.counts["200"]

    document, answers = run(scenario())
    depth = 0
    while isinstance(document, dict) and "body" in document.get("calls", [{}])[0]:
        document, depth = document["calls"][0]["body"], depth + 1
    assert depth == 8
    assert answers == 9


def test_calls_without_connections_are_told(run):
    async def scenario():
        async with standing(Behaviour(calls=("http://a/",))) as standin:
            reader, writer = await ask(standin)
            _, document = await answer(reader)
            writer.close()
            return document["calls"]

    assert run(scenario()) == [{"url": "http://a/", "error": "this pod cannot call"}]


def test_termination_finishes_what_is_under_way(run):
    async def scenario():
        async with standing() as standin:
            idle_reader, idle = await ask(standin)
            await answer(idle_reader)
            busy_reader, busy = await ask(standin, b"GET / HTTP/1.1\r\nx-echo-delay-ms: 50\r\n\r\n")
            await until(lambda: standin.connections == 2)
            await asyncio.sleep(0)
            ending = asyncio.ensure_future(standin.terminate(20))
            assert await idle_reader.read() == b""
            with pytest.raises(OSError):  # noqa: PT011 - refused or reset
                await asyncio.open_connection(*standin.address)
            head, _ = await answer(busy_reader)
            rest = await busy_reader.read()
            await ending
            idle.close()
            busy.close()
            return head, rest, standin.connections, standin.ready

    head, rest, connections, ready = run(scenario())
    assert b"\r\nConnection: close\r\n" in head
    assert (rest, connections, ready) == (b"", 0, False)


def test_the_grace_period_ends_what_does_not_end(run):
    async def scenario():
        async with standing() as standin:
            reader, writer = await ask(standin, b"GET / HTTP/1.1\r\nx-echo-delay-ms: 60000\r\n\r\n")
            await until(lambda: standin.connections == 1 and standin.counts["connections"] == 1)
            await asyncio.sleep(0.01)
            await standin.terminate(0.02)
            try:
                left = await reader.read()
            except ConnectionResetError:
                left = b""
            writer.close()
            return left, standin.connections

    assert run(scenario()) == (b"", 0)


def test_a_deaf_program_serves_until_it_is_killed(run):
    async def scenario():
        async with standing(Behaviour(ignore_sigterm=True)) as standin:
            ending = asyncio.ensure_future(standin.terminate(0.2))
            await asyncio.sleep(0)
            reader, writer = await ask(standin)
            head, _ = await answer(reader)
            ready = standin.ready
            await ending
            try:
                left = await reader.read()
            except ConnectionResetError:
                left = b""
            writer.close()
            return head, ready, left, standin.connections

    head, ready, left, connections = run(scenario())
    assert head.startswith(b"HTTP/1.1 200")
    assert b"Connection: close" not in head
    assert (ready, left, connections) == (True, b"", 0)


def test_termination_twice_is_fine(run):
    async def scenario():
        async with standing() as standin:
            await asyncio.gather(standin.terminate(1), standin.terminate(1))

    run(scenario())


def test_silent_connections_are_swept(run):
    async def scenario():
        async with standing(limits=Limits(idle=0.02, sweep=0.01)) as standin:
            reader, writer = await asyncio.open_connection(*standin.address)
            assert await reader.read() == b""
            writer.close()
            await until(lambda: standin.connections == 0)

    run(scenario())


def test_connections_are_bounded(run):
    async def scenario():
        async with standing(limits=Limits(connections=1)) as standin:
            reader, writer = await ask(standin)
            await answer(reader)
            other, second = await ask(standin)
            try:
                refused = await other.read()
            except ConnectionResetError:
                refused = b""
            writer.write(GET)
            head, _ = await answer(reader)
            writer.close()
            second.close()
            return refused, head[:12]

    assert run(scenario()) == (b"", b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("pairs", "asked", "usable"),
    [
        ({"app-tls": "good"}, ["app-tls"], True),
        ({"": "good"}, ["app-tls", ""], True),
        ({"app-tls": "bad", "": "good"}, ["app-tls", ""], True),
        ({}, ["app-tls", ""], False),
    ],
)
def test_certificates_are_looked_for_in_order(pairs, asked, usable):
    from datetime import UTC, datetime

    good, names = self_signed(["a.test"], datetime(2026, 11, 23, tzinfo=UTC)), []

    def certificates(name):
        names.append(name)
        return {"good": good, "bad": ("x", "y")}.get(pairs.get(name))

    standin = StandIn(POD, Behaviour(tls_secret="app-tls"), certificates, random.Random(1), lambda: 0.0)
    assert (standin.tls_context() is not None) is usable
    assert names == asked
    if usable:
        assert standin.tls_context() is standin.tls_context()
        standin.forget_certificate()
        standin.tls_context()
        assert names == asked * 2


def test_hundreds_of_pods_start_cheaply_in_sockets_and_timers(run):
    async def scenario():
        before = len(asyncio.all_tasks())
        standins = []
        for number in range(100):
            standin = StandIn(POD, Behaviour(), lambda name: None, random.Random(number), lambda: 0.0)
            sockets = [socket.socket(), socket.socket()]
            for sock in sockets:
                sock.bind(("127.0.0.1", 0))
            await standin.start(sockets, [])
            standins.append(standin)
        tasks = len(asyncio.all_tasks()) - before
        await asyncio.gather(*(standin.terminate(0) for standin in standins))
        return tasks

    assert run(scenario()) == 0
