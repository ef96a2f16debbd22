"""Every bound is kept: what is over it is refused, what is at it is not."""

import pytest

from switchboard.serve.standin.limits import Limits


def head(*headers):
    return "\r\n".join(("PUT /x HTTP/1.1", "Host: a", *headers, "", "")).encode()


def status(wire):
    return int(wire.take().split(b" ")[1])


@pytest.mark.parametrize(("size", "expected"), [(100, 200), (400, 431)])
def test_head(wires, size, expected):
    assert status(wires(head=256).send(head("X: " + "a" * size))) == expected


def test_an_unfinished_head_is_refused_before_it_fills_memory(wires):
    wire = wires(head=256).send(b"PUT /x HTTP/1.1\r\nX: ", *[b"a" * 50] * 10)
    assert status(wire) == 431


def test_target(wires):
    wire = wires(head=256).send(b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status(wire) in (414, 431)


@pytest.mark.parametrize(("length", "expected"), [(100, 200), (101, 413)])
def test_declared_body(wires, length, expected):
    assert status(wires(body=100).send(head(f"Content-Length: {length}"), b"x" * length)) == expected


def test_a_body_too_large_is_refused_before_it_is_sent(wires):
    assert status(wires(body=100).send(head("Content-Length: 101", "Expect: 100-continue"))) == 413


@pytest.mark.parametrize(("chunks", "expected"), [(10, 200), (11, 413)])
def test_chunked_body(wires, chunks, expected):
    wire = wires(body=100)
    wire.send(head("Transfer-Encoding: chunked"), b"a\r\n0123456789\r\n" * chunks, b"0\r\n\r\n")
    assert status(wire) == expected


def test_refused_input_is_thrown_away_and_then_the_connection_ends(wires):
    wire = wires(body=100, linger=2.0).send(head("Content-Length: 1000"))
    wire.send(*[b"x" * 100] * 10)
    assert not wire.closed
    wire.clock.advance(2.0)
    assert wire.closed


def test_endless_lines_before_a_request_keep_nothing(wires):
    wire = wires(head=256).send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", *[b"\r\n" * 100] * 20)
    assert status(wire) == 200


def test_times_are_ordered():
    limits = Limits()
    assert 0 < limits.sniff < limits.receive < limits.idle
    assert limits.sweep < limits.receive
