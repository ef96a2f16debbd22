"""HTTP/1: bytes in, bytes out."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchboard.serve.standin.answer import Response
from switchboard.serve.standin.http1 import join_headers, render

DATE = b"Date: Mon, 23 Nov 2026 12:00:00 GMT"


def request(line="GET /x HTTP/1.1", *headers, body=b""):
    return "\r\n".join((line, "Host: shop.test", *headers, "", "")).encode("latin-1") + body


def test_an_answer_byte_for_byte(wire):
    assert wire.send(request()).take() == (b"HTTP/1.1 200 OK\r\n" + DATE + b"\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n/x")
    assert not wire.closed


def test_what_a_request_says_arrives(wire):
    head = ["X-A: 1", "x-a:  2 ", "Cookie: a=1", "Cookie: b=2", "Content-Length: 5"]
    wire.send(request("POST /p%20q?r=%2F HTTP/1.1", *head, body=b"hello"))
    (got,) = wire.service.requests
    assert (got.method, got.path, got.protocol, got.host) == ("POST", "/p%20q?r=%2F", "HTTP/1.1", "shop.test")
    assert got.headers == {"host": "shop.test", "x-a": "1, 2", "cookie": "a=1; b=2", "content-length": "5"}
    assert (got.body, got.body_length, got.peer, got.port, got.tls) == (b"hello", 5, "10.1.2.3", 8080, False)


def test_absolute_and_asterisk_targets_stay_as_received(wire):
    wire.send(request("GET http://shop.test/y HTTP/1.1"), request("OPTIONS * HTTP/1.1"))
    assert [got.path for got in wire.service.requests] == ["http://shop.test/y", "*"]


@pytest.mark.parametrize(
    ("line", "headers", "closed", "said"),
    [
        ("GET / HTTP/1.1", [], False, None),
        ("GET / HTTP/1.1", ["Connection: close"], True, b"close"),
        ("GET / HTTP/1.0", [], True, b"close"),
        ("GET / HTTP/1.0", ["Connection: keep-alive"], False, b"keep-alive"),
        ("CONNECT a:1 HTTP/1.1", [], True, b"close"),
    ],
)
def test_keep_alive(wire, line, headers, closed, said):
    sent = wire.send(request(line, *headers)).take()
    assert wire.closed is closed
    assert (b"Connection: " + said in sent) if said else (b"Connection" not in sent)


def test_bodies_are_counted_and_their_beginning_is_kept(wire):
    wire.send(request("PUT / HTTP/1.1", "Content-Length: 70000"), b"a" * 1000, b"b" * 69000)
    (got,) = wire.service.requests
    assert got.body == b"a" * 1000 + b"b" * 1048
    assert got.body_length == 70000


def test_chunked_bodies_and_trailers(wire):
    wire.send(
        request("PUT / HTTP/1.1", "Transfer-Encoding: chunked"),
        b"3;ext=1\r\nabc\r\n",
        b"2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n",
    )
    (got,) = wire.service.requests
    assert (got.body, got.body_length) == (b"abcde", 5)
    assert "x-trailer" not in got.headers


def test_chunked_answers(wire):
    wire.service.response = Response(status=200, body=b"abcdefg", chunks=3)
    assert (
        wire.send(request())
        .take()
        .endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n1\r\ng\r\n0\r\n\r\n")
    )
    assert b"Content-Length: 7\r\n" in wire.send(request("GET / HTTP/1.0")).take()


def test_head_and_bodiless_answers(wire):
    assert wire.send(request("HEAD /xyz HTTP/1.1")).take().endswith(b"Content-Length: 4\r\n\r\n")
    wire.service.response = Response(status=204)
    sent = wire.send(request()).take()
    assert sent.startswith(b"HTTP/1.1 204 No Content\r\n")
    assert b"Content-Length" not in sent


def test_expect_100_continue(wire):
    assert wire.send(request("PUT / HTTP/1.1", "Content-Length: 1", "Expect: 100-continue")).take() == (
        b"HTTP/1.1 100 Continue\r\n\r\n"
    )
    assert wire.send(b"x").take().startswith(b"HTTP/1.1 200 OK")


def test_pipelined_requests_are_answered_in_order(wire):
    wire.service.slow = True
    wire.send(request("GET /1 HTTP/1.1") + request("GET /2 HTTP/1.1"))
    assert [got.path for got in wire.service.requests] == ["/1"]
    wire.service.finish()
    assert wire.take().endswith(b"/1")
    wire.service.finish()
    assert wire.take().endswith(b"/2")


def test_many_pipelined_requests_do_not_nest(wire):
    sent = wire.send(request("GET /1 HTTP/1.1") * 3000).take()
    assert sent.count(b"HTTP/1.1 200 OK") == 3000


def test_reading_stops_while_many_wait(wires):
    wire = wires(queue=4)
    wire.service.slow = True
    wire.send(request() * 5)
    assert not wire.transport.reading
    for _ in range(5):
        wire.service.finish()
    assert wire.transport.reading


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_malformed_requests_are_400(wire, data):
    sent = wire.send(data).take()
    assert sent.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nConnection: close\r\n" in sent
    assert wire.transport.ended
    wire.clock.advance(wire.service.limits.linger)
    assert wire.closed
    assert wire.service.requests == []


def test_a_refusal_waits_for_the_answers_before_it(wire):
    wire.service.slow = True
    wire.send(request("GET /1 HTTP/1.1"), b"nonsense\r\n\r\n")
    assert wire.take() == b""
    wire.service.finish()
    sent = wire.take()
    assert sent.index(b"200 OK") < sent.index(b"400 Bad Request")
    assert sent.count(b"Connection: close") == 1


def test_abort_closes_without_an_answer(wire):
    wire.service.abort = True
    assert wire.send(request()).take() == b""
    assert wire.closed


def test_a_client_that_has_gone_needs_no_answer(wire):
    wire.service.slow = True
    wire.send(request() * 2)
    (work,) = wire.service.work
    wire.lose()
    assert work.cancelled


def test_a_client_that_closed_its_side_gets_its_answer(wire):
    wire.service.slow = True
    wire.send(request())
    wire.eof()
    assert not wire.closed
    wire.service.finish()
    assert wire.take().endswith(b"/x")
    assert wire.closed


def test_a_request_under_way_outlives_silence_and_drain(wire):
    wire.service.slow = True
    wire.send(request())
    wire.pass_time(wire.service.limits.idle * 2)
    wire.service.draining = True
    wire.connection.drain()
    assert not wire.closed
    wire.service.finish()
    assert b"\r\nConnection: close\r\n" in wire.take()
    assert wire.closed


def test_a_stalled_request_is_408(wire):
    wire.send(request("PUT / HTTP/1.1", "Content-Length: 9"), b"x")
    wire.pass_time(wire.service.limits.receive + 1)
    assert wire.take().startswith(b"HTTP/1.1 408 Request Timeout")


def test_other_upgrades_are_passed_over(wire):
    upgrade = request("GET /h2c HTTP/1.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA")
    assert wire.send(upgrade + request("GET /next HTTP/1.1")).take().count(b"200 OK") == 2


@pytest.mark.parametrize(
    ("framing", "body"),
    [("Content-Length: 5", b"hello"), ("Transfer-Encoding: chunked", b"5\r\nhello\r\n0\r\n\r\n")],
)
def test_the_body_beside_an_upgrade_that_is_passed_over(wires, framing, body):
    head = ["X-A: 1", "Connection: Upgrade", "Upgrade: h2c", framing]
    whole = request("POST /up HTTP/1.1", *head, body=body) + request("GET /next HTTP/1.1")
    for cut in range(1, len(whole)):
        wire = wires().send(whole[:cut], whole[cut:])
        first, second = wire.service.requests
        assert (first.method, first.path, first.body, first.headers["x-a"]) == ("POST", "/up", b"hello", "1")
        assert (second.path, second.body) == ("/next", b"")


def test_an_answer_may_close_the_connection(wire):
    wire.service.response = Response(status=200, headers=(("Connection", "close"),), body=b"")
    assert wire.send(request()).take().count(b"Connection: close") == 1
    assert wire.closed


def test_unknown_statuses_have_a_phrase():
    assert render(Response(status=299), method="GET", version="1.1", date="x", close=False).startswith(
        b"HTTP/1.1 299 Unknown\r\n"
    )


def test_joined_headers():
    assert join_headers([(b"A", b"1"), (b"a", b"\xe9")]) == {"a": "1, é"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_pieces_do_not_change_the_answers(wires, data):
    whole = request("POST /1 HTTP/1.1", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n") + request() * 2
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    parts = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert wires().send(*(part for part in parts if part)).take() == wires().send(whole).take()
