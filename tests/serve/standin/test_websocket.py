"""WebSocket echo: wsproto's own client on the other end of a wire."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate

from switchboard.serve.standin.answer import Response


class Client:
    def __init__(self, wire, **fields):
        self.wire, self.frames = wire, WSConnection(ConnectionType.CLIENT)
        self.opening = self.send(Request(host="shop.test", target="/chat?x=1", **fields))

    def send(self, event):
        self.wire.send(self.frames.send(event))
        return self.receive()

    def receive(self):
        if data := self.wire.take():
            self.frames.receive_data(data)
        return list(self.frames.events())


def test_the_handshake(wire):
    client = Client(wire, subprotocols=["v2.chat", "v1.chat"], extensions=[PerMessageDeflate()])
    (accepted,) = client.opening
    assert isinstance(accepted, AcceptConnection)
    assert accepted.subprotocol == "v2.chat"
    assert accepted.extensions == []
    assert wire.service.requests[0].path == "/chat?x=1"
    assert wire.service.counts["101"] == 1


@pytest.mark.parametrize("event", [TextMessage(data="grüße 電話"), BytesMessage(data=b"\0\xff" * 3)])
def test_messages_come_back(wire, event):
    (got,) = Client(wire).send(event)
    assert type(got) is type(event)
    assert bytes(got.data, "utf-8") if isinstance(got.data, str) else bytes(got.data)
    assert got.data == event.data
    assert got.message_finished


def test_fragments_make_one_message(wire):
    client = Client(wire)
    first = client.send(TextMessage(data="a", message_finished=False))
    second = client.send(TextMessage(data="b", message_finished=True))
    assert [(event.data, event.message_finished) for event in (*first, *second)] == [("a", False), ("b", True)]


def test_ping(wire):
    assert Client(wire).send(Ping(payload=b"x")) == [Pong(payload=b"x")]


def test_close(wire):
    (closed,) = Client(wire).send(CloseConnection(code=1000, reason="bye"))
    assert closed.code == 1000
    assert wire.closed


def test_messages_sent_with_the_handshake(wire):
    client = WSConnection(ConnectionType.CLIENT)
    opening = client.send(Request(host="a", target="/"))
    wire.send(opening + b"\x81\x82\0\0\0\0hi")
    client.receive_data(wire.take())
    assert [type(event) for event in client.events()] == [AcceptConnection, TextMessage]


def test_messages_sent_while_the_handshake_is_slow(wire):
    wire.service.slow = True
    client = Client(wire)
    wire.send(b"\x81\x82\0\0\0\0hi")
    assert not wire.transport.reading
    wire.service.finish()
    assert [type(event) for event in client.receive()] == [AcceptConnection, TextMessage]
    assert wire.transport.reading


def test_behaviour_may_refuse_the_handshake(wire):
    wire.service.response = Response(status=503, body=b"no")
    client = Client(wire)
    assert isinstance(client.opening[0], RejectConnection)
    assert client.opening[0].status_code == 503


def test_abort(wire):
    wire.service.abort = True
    assert Client(wire).opening == []
    assert wire.closed


@pytest.mark.parametrize(
    "headers", ["", "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Key: a\r\nSec-WebSocket-Version: 8\r\n"]
)
def test_a_bad_handshake_is_400(wire, headers):
    wire.send(f"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{headers}\r\n".encode())
    assert wire.take().startswith(b"HTTP/1.1 400 ")
    assert wire.closed


def test_bad_frames_end_with_a_reason(wire):
    client = Client(wire)
    wire.send(b"\x81\x02hi")  # not masked
    (closed,) = client.receive()
    assert closed.code == 1002
    assert wire.closed


def test_drain_says_going_away(wire):
    client = Client(wire)
    wire.connection.drain()
    assert client.receive()[0].code == 1001
    assert wire.closed


def test_drain_during_the_handshake(wire):
    wire.service.slow = True
    client = Client(wire)
    wire.service.draining = True
    wire.connection.drain()
    wire.service.finish()
    assert [type(event) for event in client.receive()] == [AcceptConnection, CloseConnection]


def test_silence_ends_it(wire):
    Client(wire)
    wire.pass_time(wire.service.limits.idle + 1)
    assert wire.closed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=64)), st.booleans())
def test_no_frames_raise(wires, parts, masked):
    wire = wires()
    Client(wire)
    for part in parts:
        wire.send(bytes([0x81, 0x80 | len(part) % 126]) + bytes(4) + part if masked else part)
    wire.connection.drain()
    wire.eof()
    assert wire.closed
