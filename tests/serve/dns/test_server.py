import asyncio
import socket
import struct

import dns.asyncquery
import dns.message

from switchboard.compile._dns_records import Answer, Record, RecordType
from switchboard.compile.dns import Zone, ZoneOptions
from switchboard.serve.dns.responder import Responder
from switchboard.serve.dns.server import DnsServer, serve_metrics
from switchboard.view.name import EndpointGroup, NamedEndpoint, NamedService, Names

MANY = tuple(NamedEndpoint((f"10.1.0.{i}",)) for i in range(1, 101))
BIG = NamedService(namespace="shop", name="big", headless=True, groups=(EndpointGroup(MANY),))
WEB = NamedService(namespace="shop", name="web", addresses=("10.96.0.1",))


class Slow:
    """An outside that answers when it is told to."""

    def __init__(self):
        self.go = asyncio.Event()

    async def ask(self, name, kind):
        await self.go.wait()
        return Answer(answers=(Record("example.org.", RecordType.A, 5, "192.0.2.1"),))


async def serve(upstream=None):
    names = Names(services=(BIG, WEB), namespaces=("shop",))
    server = DnsServer(Responder(Zone(ZoneOptions(), names), upstream))
    stream = socket.create_server(("127.0.0.1", 0))
    port = stream.getsockname()[1]
    datagram = socket.socket(type=socket.SOCK_DGRAM)
    datagram.bind(("127.0.0.1", port))
    await server.start([stream], [datagram])
    return server, port


def framed(query):
    return struct.pack("!H", len(query.to_wire())) + query.to_wire()


def test_a_truncated_answer_is_whole_over_tcp():
    async def run():
        server, port = await serve()
        query = dns.message.make_query("big.shop.svc.cluster.local", "A")
        message, tcp = await dns.asyncquery.udp_with_fallback(query, "127.0.0.1", timeout=5, port=port)
        assert tcp
        assert len(message.answer[0]) == 100
        await server.close()

    asyncio.run(run())


def test_a_slow_answer_does_not_hold_up_the_others():
    async def run():
        outside = Slow()
        server, port = await serve(outside)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        slow = dns.message.make_query("example.org", "A")
        fast = dns.message.make_query("web.shop.svc.cluster.local", "A")
        writer.write(framed(slow) + framed(fast))
        found = []
        for _ in range(2):
            length = int.from_bytes(await reader.readexactly(2), "big")
            found.append(dns.message.from_wire(await reader.readexactly(length)))
            outside.go.set()
        assert [message.id for message in found] == [fast.id, slow.id]
        writer.close()
        await writer.wait_closed()
        await server.close()

    asyncio.run(run())


def test_names_outside_are_asked_for_over_udp():
    async def run():
        outside = Slow()
        outside.go.set()
        server, port = await serve(outside)
        query = dns.message.make_query("example.org", "A")
        message = await dns.asyncquery.udp(query, "127.0.0.1", timeout=5, port=port)
        assert message.answer[0][0].to_text() == "192.0.2.1"
        await server.close()

    asyncio.run(run())


def test_metrics_are_served_over_http():
    async def run():
        responder = Responder(Zone(ZoneOptions()))
        listener = socket.create_server(("127.0.0.1", 0))
        server = await serve_metrics(responder, listener)
        for path, status in ((b"/metrics", b"200 OK"), (b"/other", b"404 Not Found")):
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET " + path + b" HTTP/1.1\r\nHost: dns\r\n\r\n")
            assert status in await reader.read()
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()

    asyncio.run(run())
