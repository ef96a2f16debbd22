"""The outside client against a real server on loopback."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from switchboard.base.errors import UsageError
from switchboard.serve.outside import RequestPlan, measure

Start = Callable[..., Any]
HOST = {"api.example.com": "127.0.0.1"}


def answer(pod: str, extra: str = "", status: str = "200 OK") -> bytes:
    body = f'{{"pod": "{pod}", "namespace": "shop", "service": "shop/tea", "labels": {{"version": "v1"}}}}'.encode()
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{extra}\r\n".encode() + body


def plan(port: int, scheme: str = "http", **facts: Any) -> RequestPlan:
    facts = {"addresses": HOST, "requests": 40, "concurrency": 4} | facts
    return RequestPlan(url=f"{scheme}://api.example.com:{port}/pay?x=1", **facts)


def test_requests_are_counted_by_pod_and_status(serve: Start) -> None:
    server = serve(lambda n, _: answer("b" if n % 4 == 0 else "a", status="503 No" if n == 7 else "200 OK"))
    seen: list[tuple[int, int]] = []
    found = measure(plan(server.port), progress=lambda done, total: seen.append((done, total)))
    assert found.answered == found.requested == 40
    assert found.pods == {"shop/a": 30, "shop/b": 10}
    assert found.services == {"shop/tea": 40}
    assert found.statuses == {200: 39, 503: 1}
    assert found.latency
    assert 0 < found.latency.p50 <= found.latency.p99 <= found.latency.highest <= found.seconds
    assert seen == [(n, 40) for n in range(1, 41)]
    assert found.failures == ()


def test_connections_carry_as_many_requests_as_the_plan_says(serve: Start) -> None:
    server = serve(lambda n, _: answer("a"))
    found = measure(plan(server.port, concurrency=1, per_connection=10))
    assert (found.connections, server.connections) == (4, 4)
    assert found.setup
    assert found.setup.highest <= found.seconds


def test_request_line_and_headers(serve: Start) -> None:
    server = serve(lambda n, _: answer("a"))
    measure(plan(server.port, requests=1, headers={"X-Canary": "always", "Host": "other.example.com"}))
    lines = server.requests[0].decode().split("\r\n")
    assert lines[0] == "GET /pay?x=1 HTTP/1.1"
    assert {"host: other.example.com", "x-canary: always"} < set(lines)
    measure(plan(server.port, requests=1))
    assert f"host: api.example.com:{server.port}" in server.requests[1].decode().split("\r\n")


def test_tls_with_server_name_and_verification(serve: Start, certificate: tuple[ssl.SSLContext, str]) -> None:
    context, authority = certificate
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    server = serve(lambda n, _: answer("a"), context)
    assert measure(plan(server.port, "https", ca=authority)).statuses == {200: 40}
    assert set(names) == {"api.example.com"}
    context.sni_callback = None


def test_wrong_certificates_are_told_and_the_run_gives_up(
    serve: Start, certificate: tuple[ssl.SSLContext, str]
) -> None:
    server = serve(lambda n, _: answer("a"), certificate[0])
    found = measure(plan(server.port, "https", give_up_after=5, concurrency=1))
    assert found.answered == 0
    assert [(f.kind, f.count) for f in found.failures] == [("certificate", 5)]
    assert "verify failed" in found.failures[0].examples[0]
    assert found.stopped == "5 requests in a row failed"
    assert measure(plan(server.port, "https", verify=False)).statuses == {200: 40}


def test_tls_to_a_plain_server_fails_as_tls(serve: Start) -> None:
    server = serve(lambda n, _: b"HTTP/1.1 400 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    found = measure(plan(server.port, "https", requests=1, timeout=0.3))
    assert found.answered == 0
    assert found.failures[0].kind in ("tls", "time-out")


def test_refused_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    found = measure(plan(port, give_up_after=3, concurrency=1))
    assert [(f.kind, f.count) for f in found.failures] == [("refused", 3)]
    assert found.latency is None


def test_server_that_never_answers_times_out(serve: Start) -> None:
    server = serve(lambda n, _: b"")
    found = measure(plan(server.port, requests=2, concurrency=2, timeout=0.2))
    assert [(f.kind, f.count, f.examples) for f in found.failures] == [("time-out", 2, ("no answer within 0.2 s",))]


def test_deadline_ends_everything(serve: Start) -> None:
    server = serve(lambda n, _: b"" if n >= 5 else answer("a"))
    found = measure(plan(server.port, requests=10, concurrency=1, timeout=30, deadline=1))
    assert found.answered == 5
    assert "deadline of 1 s" in found.stopped


def test_idle_connection_closed_by_the_server_is_not_an_error(serve: Start) -> None:
    server = serve(lambda n, _: None if n == 1 else answer("a"))
    found = measure(plan(server.port, requests=5, concurrency=1))
    assert (found.answered, found.retried, found.failures) == (5, 1, ())


def test_first_request_without_answer_is_an_error(serve: Start) -> None:
    server = serve(lambda n, _: None)
    found = measure(plan(server.port, requests=3, concurrency=1))
    assert [(f.kind, f.count) for f in found.failures] == [("closed early", 3)]


def test_close_is_obeyed(serve: Start) -> None:
    server = serve(lambda n, _: answer("a", "connection: close\r\n"))
    found = measure(plan(server.port, requests=6, concurrency=2))
    assert (found.answered, found.connections) == (6, 6)


@pytest.mark.parametrize(
    ("facts", "reference"),
    [
        ({"url": "https://"}, "bad-url"),
        ({"url": "tcp://127.0.0.1:80"}, "bad-url"),
        ({"url": "http://nobody.example/"}, "no-address"),
        ({"url": "http://nobody.example/", "addresses": {"nobody.example": "nonsense"}}, "no-address"),
        ({"url": "http://127.0.0.1/", "requests": 0}, "bad-request-count"),
        ({"url": "http://127.0.0.1/", "concurrency": 100_000}, "bad-request-count"),
        ({"url": "http://127.0.0.1/", "headers": {"a": "b\r\nc: d"}}, "bad-header"),
        ({"url": "http://127.0.0.1/", "headers": {"a": "→"}}, "bad-header"),
        ({"url": "https://127.0.0.1/", "ca": "nonsense"}, "bad-ca"),
    ],
)
def test_plans_that_cannot_be_sent(facts: dict[str, Any], reference: str) -> None:
    with pytest.raises(UsageError) as caught:
        measure(RequestPlan(**facts))
    assert caught.value.reference == reference
