"""Connections: which layer gets the bytes, and when silence, pressure or a refusal end them."""

import ssl

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard.serve.standin.connection import Connection
from switchboard.serve.standin.sniff import PREFACE

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_plain_tcp_comes_back(wire):
    assert wire.send(b"hello").take() == b"hello"
    assert wire.send(b"GET / HTTP/1.1\r\n\r\n").take() == b"GET / HTTP/1.1\r\n\r\n"
    assert wire.service.counts == {"tcp": 1}


def test_a_silent_client_is_waited_for(wire):
    wire.pass_time(wire.service.limits.idle - 1)
    assert (wire.take(), wire.closed) == (b"", False)
    wire.pass_time(2)
    assert wire.closed


def test_an_undecided_word_is_echoed_after_a_moment(wire):
    assert wire.send(b"PO").take() == b""
    wire.clock.advance(wire.service.limits.sniff)
    assert wire.take() == b"PO"


def test_more_bytes_decide_before_the_moment_is_over(wire):
    assert wire.send(b"PO", b"NG").take() == b"PONG"
    wire.clock.advance(1)
    assert wire.take() == b""


def test_a_slow_request_line_is_not_taken_for_plain_tcp(wire):
    wire.send(b"GET /")
    wire.clock.advance(5)
    assert wire.take() == b""
    assert wire.send(GET[5:]).take().startswith(b"HTTP/1.1 200 ")


def test_a_request_line_that_never_ends_is_given_up(wire):
    wire.send(b"GET /")
    wire.pass_time(wire.service.limits.receive + 1)
    assert wire.closed


@pytest.mark.parametrize("data", [b"GE", b"hello", PREFACE[:5]])
def test_a_client_that_closes_its_side_gets_its_bytes_back(wire, data):
    wire.send(data)
    wire.eof()
    assert (wire.take(), wire.closed) == (data, True)


def test_a_client_that_closes_without_a_word(wire):
    wire.eof()
    assert (wire.take(), wire.closed) == (b"", True)


def test_requests_in_any_pieces(wires):
    whole = wires().send(GET).take()
    for cut in range(1, len(GET)):
        assert wires().send(GET[:cut], GET[cut:]).take() == whole
    assert wires().send(*(GET[i : i + 1] for i in range(len(GET)))).take() == whole


def test_a_peer_that_does_not_read_is_not_read(wire):
    wire.send(b"hello")
    wire.connection.pause_writing()
    assert not wire.transport.reading
    wire.connection.hold(True)
    wire.connection.resume_writing()
    assert not wire.transport.reading
    wire.connection.hold(False)
    assert wire.transport.reading
    wire.connection.pause_writing()
    wire.pass_time(wire.service.limits.idle + 1)
    assert wire.transport.aborted


def test_plain_text_is_refused_where_tls_is_demanded(wire):
    wire.service.tls_only = True
    assert wire.send(GET).take() == b""
    assert wire.closed
    assert wire.service.counts == {"plain-text-refused": 1}


def test_the_beginning_of_a_client_hello_is_not_refused(wire):
    wire.service.tls_only = True
    wire.send(b"\x16", b"\x03\x01\x00")
    assert not wire.closed


def test_without_a_certificate_tls_is_closed(wire):
    wire.send(bytes.fromhex("160301020001000001fc0303"))
    assert wire.closed
    assert wire.service.counts == {"no-certificate": 1}


def test_garbage_within_tls_is_closed_with_an_alert(wire):
    wire.service.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    wire.send(bytes.fromhex("160301000a0100000000000000000000"))
    assert wire.closed
    assert wire.take()[:1] == b"\x15"
    assert wire.service.counts == {"tls-error": 1}


def test_addresses_are_canonical(wire):
    wire.transport.get_extra_info = lambda name, default=None: {
        "peername": ("::ffff:10.9.8.7", 1, 0, 0),
        "sockname": ("::ffff:10.244.0.7", 8443, 0, 0),
    }[name]
    connection = Connection(wire.service, wire.clock)
    connection.connection_made(wire.transport)
    assert (connection.peer, connection.local_port) == ("10.9.8.7", 8443)


def test_too_many_connections_are_refused(wire):
    wire.service.opened = lambda connection: False
    Connection(wire.service, wire.clock).connection_made(wire.transport)
    assert wire.transport.aborted


def test_drain_closes_what_is_idle_or_plain_tcp(wires):
    for data in (b"", b"hello", GET):
        wire = wires().send(data) if data else wires()
        assert not wire.closed
        wire.connection.drain()
        assert wire.closed


def test_drain_lets_a_beginning_request_be_answered_once(wire):
    wire.send(GET[:4])
    wire.service.draining = True
    wire.connection.drain()
    assert not wire.closed
    assert b"\r\nConnection: close\r\n" in wire.send(GET[4:]).take()
    assert wire.closed


BEGINNINGS = st.sampled_from(
    [
        b"",
        GET[:-2],
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        PREFACE,
        PREFACE + bytes(9),
        b"\x16\x03\x01",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    BEGINNINGS,
    st.lists(st.binary(max_size=64) | st.sampled_from([GET, b"\r\n", b"0\r\n\r\n", b"ffffffffffffffff\r\n"])),
    st.booleans(),
)
def test_no_bytes_raise_and_silence_ends_every_connection(wires, beginning, parts, closes):
    wire = wires(head=256, body=512)
    wire.send(*(part for part in (beginning, *parts) if part))
    if closes:
        wire.eof()
    sent = sum(map(len, parts)) + len(beginning)
    assert len(wire.transport.sent) <= 4096 + 512 * sent
    for _ in range(3):
        wire.pass_time(wire.service.limits.idle + 1)
    assert wire.closed
    wire.lose()
    assert wire.service.gone == 1
