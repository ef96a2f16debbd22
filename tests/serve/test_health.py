from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket

import msgspec
import pytest

from switchboard.compile.health import Answer, HealthCheck
from switchboard.serve.health import HealthServers, listen

LOCAL = "127.0.0.1"


def free():
    with contextlib.closing(socket.socket()) as found:
        found.bind((LOCAL, 0))
        return found.getsockname()[1]


def check(port, count=1):
    return HealthCheck(namespace="d", name="s", family=4, port=port, addresses=(LOCAL,), local_endpoints=count)


async def get(port, method="GET", path="/"):
    def ask():
        with contextlib.closing(http.client.HTTPConnection(LOCAL, port, timeout=5)) as client:
            client.request(method, path)
            answer = client.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    return await asyncio.to_thread(ask)


def test_answers_change_and_sockets_stay():
    async def story():
        well = True
        servers = HealthServers(lambda: well)
        port, other = free(), free()
        assert await servers.update([check(port)]) == ()
        status, headers, body = await get(port, path="/any")
        assert (status, headers["X-Load-Balancing-Endpoint-Weight"]) == (200, "1")
        assert json.loads(body)["localEndpoints"] == 1
        await servers.update([check(port, 0)])
        assert (await get(port))[0] == 503
        await servers.update([check(port)])
        well = False
        assert json.loads((await get(port))[2])["serviceProxyHealthy"] is False
        await servers.update([check(other)])
        with pytest.raises(ConnectionRefusedError):
            await get(port)
        assert (await get(other, "HEAD"))[2] == b""
        await servers.close()
        with pytest.raises(ConnectionRefusedError):
            await get(other)

    asyncio.run(story())


def test_a_port_that_is_taken_is_a_finding_and_the_rest_goes_on():
    async def story():
        servers = HealthServers(lambda: True)
        with contextlib.closing(socket.socket()) as taken:
            taken.bind((LOCAL, 0))
            taken.listen()
            port = free()
            (finding,) = await servers.update([check(taken.getsockname()[1]), check(port)])
            assert (finding.reference, finding.object) == ("health-check-port", "Service d/s")
            assert (await get(port))[0] == 200
        await servers.close()

    asyncio.run(story())


@pytest.mark.parametrize("words", [b"nonsense\r\n\r\n", b"GET / SIP/2.0\r\n\r\n", b"x" * 20000, b""])
def test_nonsense_is_hung_up_on(words):
    async def story():
        port = free()
        server = await listen((LOCAL, port), lambda path: Answer(200, (), b"x"))
        reader, writer = await asyncio.open_connection(LOCAL, port)
        writer.write(words)
        writer.write_eof()
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        server.close()

    asyncio.run(story())


def test_paths_are_asked_for_without_their_query():
    async def story():
        port, asked = free(), []

        def ask(path):
            asked.append(path)

        server = await listen((LOCAL, port), ask)
        assert (await get(port, path="/healthz?verbose"))[0] == 404
        assert asked == ["/healthz"]
        server.close()

    asyncio.run(story())


def test_checks_of_both_families_share_a_port():
    async def story():
        servers = HealthServers(lambda: True)
        port = free()
        six = msgspec.structs.replace(check(port, 3), family=6, addresses=("::1",))
        try:
            with contextlib.closing(socket.socket(socket.AF_INET6)) as probe:
                probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        assert await servers.update([check(port), six]) == ()
        assert (await get(port))[1]["X-Load-Balancing-Endpoint-Weight"] == "1"
        await servers.close()

    asyncio.run(story())
