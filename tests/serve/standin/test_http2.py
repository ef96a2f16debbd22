"""HTTP/2 and gRPC: h2's own client on the other end of a wire."""

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard.serve.standin.answer import Response

GRPC = [("content-type", "application/grpc"), ("te", "trailers")]


class Client:
    def __init__(self, wire, window=None, room=1 << 20):
        self.wire = wire
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding="latin-1"))
        self.events, self.farewells, self.acknowledge = [], [], window is None
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        if room:
            self.h2.increment_flow_control_window(room)
        self.exchange()

    def exchange(self):
        while data := self.h2.data_to_send():
            self.wire.send(data)
            self.receive()

    def receive(self):
        if data := self._without_farewells(self.wire.take()):
            for event in self.h2.receive_data(data):
                self.events.append(event)
                if isinstance(event, DataReceived) and self.acknowledge:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def _without_farewells(self, data):
        """Takes out GOAWAY frames, after which h2's client would hear no more answers."""
        kept = b""
        while data:
            frame, length = Frame.parse_frame_header(memoryview(data[:9]))
            if isinstance(frame, GoAwayFrame):
                frame.parse_body(memoryview(data[9 : 9 + length]))
                self.farewells.append(frame)
            else:
                kept += data[: 9 + length]
            data = data[9 + length :]
        return kept

    def ask(self, path="/x", method="GET", headers=(), body=None, end=True, scheme="http"):
        number = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":path", path), (":scheme", scheme), (":authority", "shop.test")]
        self.h2.send_headers(number, [*pseudo, *headers], end_stream=end and body is None)
        if body is not None:
            self.h2.send_data(number, body, end_stream=end)
        self.exchange()
        return number

    def of(self, kind, number):
        return [event for event in self.events if isinstance(event, kind) and event.stream_id == number]

    def headers(self, number):
        return dict(self.of(ResponseReceived, number)[0].headers)

    def trailers(self, number):
        return dict(self.of(TrailersReceived, number)[0].headers)

    def body(self, number):
        return b"".join(event.data for event in self.of(DataReceived, number))

    def ended(self, number):
        return bool(self.of(StreamEnded, number))


def test_an_answer(wire):
    client = Client(wire)
    number = client.ask("/x?y=z", headers=[("x-b", "1"), ("cookie", "a=1"), ("cookie", "b=2")])
    assert client.headers(number) == {
        ":status": "200", "date": wire.service.date(), "x-a": "1", "content-length": "6",
    }  # fmt: skip
    assert client.body(number) == b"/x?y=z"
    assert client.ended(number)
    (got,) = wire.service.requests
    assert (got.method, got.path, got.host, got.protocol) == ("GET", "/x?y=z", "shop.test", "HTTP/2")
    assert got.headers == {"x-b": "1", "cookie": "a=1; b=2"}


def test_bodies_are_counted(wire):
    client = Client(wire)
    client.ask(method="POST", body=b"a" * 3000, end=False)
    client.h2.send_data(1, b"b" * 10, end_stream=True)
    client.exchange()
    (got,) = wire.service.requests
    assert (got.body_length, got.body) == (3010, b"a" * 2048)


def test_uploads_larger_than_the_first_window(wire):
    client = Client(wire)
    client.ask(method="POST", body=b"", end=False)
    for _ in range(20):
        client.h2.send_data(1, b"a" * 16000)
        client.exchange()
    client.h2.end_stream(1)
    client.exchange()
    assert wire.service.requests[0].body_length == 320_000


def test_answers_larger_than_the_window_wait_for_it(wire):
    wire.service.response = Response(status=200, body=b"x" * 200_000)
    client = Client(wire, window=1000)
    number = client.ask()
    assert len(client.body(number)) == 1000
    client.h2.increment_flow_control_window(150_000, number)
    client.exchange()
    assert len(client.body(number)) == 151_000
    client.h2.increment_flow_control_window(150_000, number)
    client.exchange()
    assert client.body(number) == b"x" * 200_000
    assert client.ended(number)


def test_an_answer_whose_window_never_opens_is_given_up(wire):
    wire.service.response = Response(status=200, body=b"x" * 2000)
    Client(wire, window=100).ask()
    wire.pass_time(wire.service.limits.idle + 1)
    assert not wire.closed
    wire.pass_time(wire.service.limits.idle)
    assert wire.transport.aborted


def test_a_window_enlarged_by_settings_is_used(wire):
    wire.service.response = Response(status=200, body=b"x" * 2000)
    client = Client(wire, window=100)
    number = client.ask()
    client.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 65535})
    client.exchange()
    assert client.ended(number)


def test_many_streams_at_once_in_any_order(wire):
    wire.service.slow = True
    client = Client(wire)
    numbers = [client.ask(f"/{i}") for i in range(5)]
    wire.service.work.reverse()
    for _ in numbers:
        wire.service.finish()
        client.receive()
    assert [client.body(number) for number in numbers] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


@pytest.mark.parametrize("status", [204, 304, 404])
def test_statuses(wire, status):
    wire.service.response = Response(status=status, body=b"" if status < 400 else b"x")
    client = Client(wire)
    number = client.ask()
    assert client.headers(number)[":status"] == str(status)
    assert ("content-length" in client.headers(number)) == (status == 404)
    assert client.ended(number)


def test_head(wire):
    client = Client(wire)
    number = client.ask(method="HEAD")
    assert client.headers(number)["content-length"] == "2"
    assert (client.body(number), client.ended(number)) == (b"", True)


def test_headers_of_connections_are_left_out(wire):
    wire.service.response = Response(status=200, headers=(("Connection", "close"), ("X-B", "2")), body=b"x")
    client = Client(wire)
    headers = client.headers(client.ask())
    assert "connection" not in headers
    assert headers["x-b"] == "2"


def test_abort_resets_the_stream_only(wire):
    wire.service.abort = True
    client = Client(wire)
    number = client.ask()
    assert client.of(StreamReset, number)
    wire.service.abort = False
    assert client.ended(client.ask())


def test_a_cancelled_request_is_given_up(wire):
    wire.service.slow = True
    client = Client(wire)
    number = client.ask()
    client.h2.reset_stream(number)
    client.exchange()
    assert wire.service.work[0].cancelled
    wire.service.finish()
    client.receive()
    assert not client.of(ResponseReceived, number)


def test_a_lost_connection_gives_up_its_requests(wire):
    wire.service.slow = True
    Client(wire).ask()
    wire.lose()
    assert wire.service.work[0].cancelled


def test_limits_of_bodies(wires):
    wire = wires(body=100)
    client = Client(wire)
    number = client.ask(method="POST", body=b"x" * 101, end=False)
    assert client.headers(number)[":status"] == "413"
    assert client.ended(client.ask())


def test_a_body_that_does_not_end_after_its_refusal_is_reset(wires):
    client = Client(wires(body=100, surplus=100))
    number = client.ask(method="POST", body=b"x" * 101, end=False)
    client.h2.send_data(number, b"x" * 100)
    client.exchange()
    assert not client.of(StreamReset, number)
    client.h2.send_data(number, b"x")
    client.exchange()
    assert client.of(StreamReset, number)[0].error_code == ErrorCodes.NO_ERROR


def test_limits_of_heads_and_streams_are_told_to_the_client(wires):
    client = Client(wires(head=5000, streams=7))
    assert any(isinstance(event, RemoteSettingsChanged) for event in client.events)
    assert client.h2.remote_settings.max_concurrent_streams == 7
    assert client.h2.remote_settings.max_header_list_size == 5000


def test_heads_over_the_limit_end_the_connection(wires):
    wire = wires(head=1000)
    client = Client(wire)
    client.ask(headers=[("x-a", "a" * 2000)])
    assert wire.closed
    assert wire.service.requests == []


def test_a_stalled_upload_is_408_and_a_silent_connection_ends(wire):
    client = Client(wire)
    number = client.ask(method="POST", body=b"x", end=False)
    wire.pass_time(wire.service.limits.receive + 1)
    client.receive()
    assert client.headers(number)[":status"] == "408"
    wire.pass_time(wire.service.limits.idle + 1)
    assert wire.closed


def test_drain_answers_what_is_under_way_and_says_where_it_stopped(wire):
    wire.service.slow = True
    client = Client(wire)
    number = client.ask()
    wire.service.draining = True
    wire.connection.drain()
    assert not wire.closed
    wire.service.finish()
    client.receive()
    (gone,) = client.farewells
    assert (gone.error_code, gone.last_stream_id) == (ErrorCodes.NO_ERROR, number)
    assert client.ended(number)
    assert wire.closed


def test_a_request_after_the_goaway_is_refused_for_another_try(wire):
    wire.service.slow = True
    client = Client(wire)
    client.ask()
    wire.connection.drain()
    late = client.ask()  # as if the GOAWAY had not been read yet
    assert client.of(StreamReset, late)[0].error_code == ErrorCodes.REFUSED_STREAM
    assert len(wire.service.requests) == 1


def test_drain_of_an_idle_connection_closes_it(wire):
    Client(wire)
    wire.connection.drain()
    assert wire.closed


def test_grpc_echo(wire):
    wire.service.response = Response(
        status=200, headers=(("Content-Type", "application/json"), ("X-B", "2")), body=b'{"pod":1}', grpc_status=5
    )
    client = Client(wire)
    number = client.ask("/shop.Cart/Get", "POST", GRPC, body=b"\0\0\0\0\x01x")
    assert client.headers(number) == {":status": "200", "content-type": "application/grpc", "x-b": "2"}
    assert client.body(number) == b'\0\0\0\0\x09{"pod":1}'
    assert client.trailers(number) == {"grpc-status": "5"}
    assert client.ended(number)


@pytest.mark.parametrize(("ready", "message"), [(True, b"\x08\x01"), (False, b"\x08\x02")])
def test_grpc_health_check(wire, ready, message):
    wire.service.ready = ready
    client = Client(wire)
    number = client.ask("/grpc.health.v1.Health/Check", "POST", GRPC, body=bytes(5))
    assert client.body(number) == b"\0\0\0\0\x02" + message
    assert client.trailers(number) == {"grpc-status": "0"}
    assert wire.service.requests == []


def test_grpc_health_watch_follows_readiness_until_drain(wire):
    client = Client(wire)
    number = client.ask("/grpc.health.v1.Health/Watch", "POST", GRPC, body=bytes(5))
    wire.connection.layer.readiness(False)
    client.receive()
    assert [event.data[-1] for event in client.of(DataReceived, number)] == [1, 2]
    assert not client.ended(number)
    wire.connection.drain()
    client.receive()
    assert client.trailers(number) == {"grpc-status": "14"}
    assert wire.closed


def test_a_cancelled_watch_is_forgotten(wire):
    client = Client(wire)
    number = client.ask("/grpc.health.v1.Health/Watch", "POST", GRPC, body=bytes(5))
    client.h2.reset_stream(number)
    client.exchange()
    wire.connection.layer.readiness(False)
    assert wire.take() == b""


def test_a_broken_frame_gets_a_goaway(wire):
    client = Client(wire)
    wire.send(b"\0\0\x01\x00\x00\0\0\0\x00x")  # DATA on stream 0
    client.receive()
    assert [gone.error_code for gone in client.farewells] == [ErrorCodes.PROTOCOL_ERROR]
    assert wire.closed
    assert wire.service.counts["h2-error"] == 1


FRAMES = st.builds(
    lambda kind, flags, number, body: b"%b%c%c%b%b" % (
        len(body).to_bytes(3, "big"), kind, flags, number.to_bytes(4, "big"), body
    ),
    st.integers(0, 10),
    st.integers(0, 255),
    st.integers(0, 9),
    st.binary(max_size=40),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FRAMES | st.binary(max_size=9), max_size=8), st.sampled_from([GRPC, []]))
def test_no_frames_raise_and_silence_ends_the_connection(wires, frames, headers):
    wire = wires(head=1000, body=100)
    client = Client(wire)
    client.ask(headers=headers, method="POST", body=b"x", end=False)
    wire.send(*frames)
    try:
        client.receive()
    except ProtocolError:
        pytest.fail("the answer to garbage is garbage")
    wire.connection.drain()
    wire.eof()
    for _ in range(3):
        wire.pass_time(wire.service.limits.idle + 1)
    assert wire.closed
