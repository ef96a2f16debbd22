"""Calls to other Services: outcomes as data, whatever the peer does, over loopback."""

import asyncio
import socket

import pytest

from switchboard.serve.standin.calls import HOPS, MOST_HOPS, call, outgoing_headers
from switchboard.serve.standin.limits import Limits


def test_tracing_headers_and_those_named_are_passed_on():
    headers = {"traceparent": "00-1", "x-release": "canary", "x-user": "a", "host": "b", "cookie": "c"}
    assert outgoing_headers(headers, ("x-release", "x-absent")) == {
        "traceparent": "00-1",
        "x-release": "canary",
        HOPS: "1",
    }


@pytest.mark.parametrize(("hops", "expected"), [("3", "4"), (str(MOST_HOPS), None), ("many", None), ("9" * 99, None)])
def test_chains_of_calls_end(hops, expected):
    headers = outgoing_headers({HOPS: hops}, ())
    assert headers == ({HOPS: expected} if expected else None)


def outcome(answer, url="http://stock.shop/items?x=1", limits=None, headers=None):
    """What ``call`` makes of a server that reads one head and sends ``answer``; and the head."""
    heads, asked = [], []

    async def serve(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await reader.read()
        else:
            writer.write(answer)
        writer.close()

    async def run():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]

        async def connect(host, wanted):
            asked.append((host, wanted))
            sock = socket.socket()
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            return sock

        async with server:
            result = await call(url, headers or {}, connect, limits or Limits())
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0)
        for _ in range(5):  # transports close in the turns after
            await asyncio.sleep(0)
        return result

    return asyncio.run(run()), b"".join(heads), asked


def test_a_call():
    result, head, asked = outcome(
        b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"pod":"a"}', headers={"traceparent": "00-1"}
    )
    assert result.pop("ms") >= 0
    assert result == {"url": "http://stock.shop/items?x=1", "status": 200, "body": {"pod": "a"}}
    assert asked == [("stock.shop", 80)]
    assert head.startswith(b"GET /items?x=1 HTTP/1.1\r\nHost: stock.shop\r\n")
    assert b"\r\ntraceparent: 00-1\r\n" in head


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n", 503, "no"),
        (b"HTTP/1.0 200 X\r\n\r\nuntil the end", 200, "until the end"),
        (b"HTTP/1.1 204 X\r\n\r\n", 204, ""),
        (b"HTTP/1.1 200 X\r\nContent-Length: 3000\r\n\r\n" + b"y" * 3000, 200, "y" * 1000),
        (b"HTTP/1.1 200 X\r\nContent-Length: 9999\r\n\r\n" + b"[" * 9999, 200, "[" * 1000),
    ],
)
def test_answers(answer, status, body):
    result, _, _ = outcome(answer, limits=Limits(call_body=1000))
    assert (result["status"], result["body"]) == (status, body)


@pytest.mark.parametrize(
    ("answer", "why"), [(b"", "without an answer"), (b"SSH-2.0-x\r\n", ""), (None, "no answer within 0.05 s")]
)
def test_faults_are_told(answer, why):
    result, _, _ = outcome(answer, limits=Limits(call=0.05))
    assert why in result["error"]
    assert "status" not in result


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError("refused"), socket.gaierror(-2, "Name not known"), ValueError()]
)
def test_a_connection_that_cannot_be_made_is_told(error):
    async def connect(host, port):
        raise error

    result = asyncio.run(call("http://nobody/", {}, connect, Limits()))
    assert result["error"]


def test_ports_of_urls():
    assert outcome(b"HTTP/1.1 204 X\r\n\r\n", "http://a:8080")[2] == [("a", 8080)]
    assert outcome(b"", "https://a/", Limits(call=0.5))[2] == [("a", 443)]
    assert "error" in outcome(b"", "http://a:99999/")[0]
