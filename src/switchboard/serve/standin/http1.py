"""HTTP/1.0 and 1.1 for one connection (RFC 9112): bytes come in, requests go to the stand-in, answers go out.

Made by ``connection``; parsing is httptools'.  Pipelined requests are answered in order, one at a time.
Of a body only the first bytes are kept and the rest is counted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

import httptools
import msgspec

from switchboard.serve.standin.answer import BODILESS, KEPT_BODY, Request, Response

if TYPE_CHECKING:
    from switchboard.serve.standin.connection import Cancellable, Connection, Service

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def refusal(status: int, why: str) -> Response:
    """An answer of the stand-in itself to a request that it cannot take."""
    body = msgspec.json.encode({"status": status, "standIn": why}) + b"\n"
    return Response(status=status, headers=(("Content-Type", "application/json"),), body=body)


def render(response: Response, *, method: str, version: str, date: str, close: bool) -> bytes:
    """The bytes of an answer; chunked only where the client's version (``1.1``) has that."""
    chunked = response.chunks > 0 and version == "1.1" and response.status not in BODILESS
    lines = [f"HTTP/1.1 {response.status} {_PHRASES.get(response.status, 'Unknown')}", f"Date: {date}"]
    lines.extend(f"{name}: {value}" for name, value in response.headers)
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    elif response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body)}")
    if close:
        lines.append("Connection: close")
    elif version == "1.0":
        lines.append("Connection: keep-alive")
    head = "\r\n".join((*lines, "", "")).encode("latin-1")
    if method == "HEAD":
        return head
    return head + (_chunked(response.body, response.chunks) if chunked else response.body)


def _chunked(body: bytes, parts: int) -> bytes:
    size = max(1, -(-len(body) // parts))
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def join_headers(fields: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names to values; repeated ones joined by ``, ``, cookies by ``; `` (RFC 9110 5.3, RFC 9113 8.2.3)."""
    headers: dict[str, str] = {}
    for raw, content in fields:
        name, value = raw.decode("latin-1").lower(), content.decode("latin-1").strip()
        if name in headers:
            headers[name] += ("; " if name == "cookie" else ", ") + value
        else:
            headers[name] = value
    return headers


def _has_body(request: Request) -> bool:
    chunked = "transfer-encoding" in request.headers
    return request.method != "CONNECT" and (chunked or request.headers.get("content-length", "0") != "0")


def _framing(method: bytes, headers: dict[str, str]) -> bytes:
    """The head of a request as far as it frames the body, for a parser that starts anew."""
    kept = ("content-length", "transfer-encoding")
    lines = [f"{name}: {headers[name]}" for name in kept if name in headers]
    if "close" in headers.get("connection", "").lower():
        lines.append("connection: close")
    return method + b" / HTTP/1.1\r\n" + "\r\n".join((*lines, "", "")).encode("latin-1")


class Http1:
    """The layer; its ``on_`` methods are called by the parser."""

    def __init__(self, connection: Connection, service: Service) -> None:
        self._connection = connection
        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[tuple[Request, str, bool]] = deque()
        self._working: Cancellable | None = None
        self._current: tuple[Request, str, bool] | None = None
        self._turning = False
        self._finished = False  # the client sends no more, or is not listened to any more
        self._refusal: Response | None = None
        self._upgrade: tuple[Request, list[tuple[bytes, bytes]]] | None = None
        self._passed_over: tuple[bytes, bytes, dict[str, str]] | None = None
        self._rest = b""
        self._headers: dict[str, str] = {}
        self._begin()
        self.receiving = False

    @property
    def busy(self) -> bool:
        return self._current is not None or bool(self._queue)

    # ---- what the connection says

    def feed(self, data: bytes) -> None:
        if self._finished:
            return
        if self._upgrade is not None:
            self._rest += data
            self._connection.hold(True)
            return
        in_head = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgraded(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self._refusal = self._refusal or refusal(400, f"not HTTP: {error}")
        if in_head and self._in_head:
            # The parser keeps an unfinished line to itself, so what it took in without a word is counted here.
            self._unread += len(data)
            if self._unread > self._service.limits.head:
                self._refusal = self._refusal or refusal(431, "the head of the request is too large")
        self._finish_if_refused()

    def eof(self) -> None:
        self._finished = True
        if not self.busy:
            self._connection.close()

    def drain(self) -> None:
        if not self.busy and not self.receiving:
            self._finished = True
            self._connection.close()

    def expire(self) -> None:
        self._refusal = refusal(408, "the request did not go on")
        self._finish_if_refused()

    def lost(self) -> None:
        self._finished = True
        self._queue.clear()
        if self._working is not None:
            self._working.cancel()
            self._working = None

    def readiness(self, ready: bool) -> None:
        """HTTP/1 has no word for it."""

    # ---- what the parser says

    def on_message_begin(self) -> None:
        self._begin()
        self.receiving = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._add_head(len(url))
        if len(self._url) > self._service.limits.head:
            self._refusal = self._refusal or refusal(414, "the target of the request is too long")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._add_head(len(name) + len(value) + 4)
        if self._in_head and self._refusal is None:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head = False
        headers = self._headers = join_headers(self._fields)
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._service.limits.body:
            self._refusal = self._refusal or refusal(413, "the body is too large")
        elif headers.get("expect", "").lower() == "100-continue" and not self.busy and self._refusal is None:
            self._connection.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        self._length += len(body)
        if len(self._body) < KEPT_BODY:
            self._body += body[: KEPT_BODY - len(self._body)]
        if self._length > self._service.limits.body:
            self._refusal = self._refusal or refusal(413, "the body is too large")

    def on_message_complete(self) -> None:
        self.receiving = False
        if self._refusal is not None or self._finished:
            return
        version = self._parser.get_http_version()
        request = self._request(version)
        if self._parser.should_upgrade() and request.headers.get("upgrade", "").lower() == "websocket":
            self._upgrade = (request, self._fields)
            return
        if self._parser.should_upgrade() and _has_body(request):
            # The parser leaves the body to the new protocol; without one it is still to come.
            self._passed_over = (self._parser.get_method(), self._url, self._headers)
            return
        self._queue.append((request, version, self._parser.should_keep_alive() and request.method != "CONNECT"))
        if len(self._queue) >= self._service.limits.queue:
            self._connection.hold(True)
        self._turn()

    # ---- inside

    def _begin(self) -> None:
        self._url = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers = {}
        self._body = b""
        self._length = 0
        self._head = 0
        self._unread = 0
        self._in_head = True

    def _add_head(self, size: int) -> None:
        self._head += size
        if self._head > self._service.limits.head:
            self._refusal = self._refusal or refusal(431, "the head of the request is too large")

    def _request(self, version: str) -> Request:
        return Request(
            method=self._parser.get_method().decode("latin-1"),
            path=self._url.decode("latin-1"),
            headers=self._headers,
            host=self._headers.get("host", ""),
            peer=self._connection.peer,
            port=self._connection.local_port,
            protocol=f"HTTP/{version}",
            tls=self._connection.tls is not None,
            body_length=self._length,
            body=self._body,
        )

    def _turn(self) -> None:
        """Hands waiting requests to the stand-in while it answers at once; a loop, because recursion has a floor."""
        if self._turning:
            return
        self._turning = True
        while self._queue and self._current is None and not self._connection.closing:
            self._current = self._queue.popleft()
            self._working = self._service.handle(self._current[0], self._reply)
        self._turning = False
        if not self._queue and not self._connection.closing:
            self._connection.hold(False)
            if self._current is None and self._refusal is not None:
                self._finish_if_refused()
            elif self._current is None and self._finished:
                self._connection.close()

    def _reply(self, response: Response | None) -> None:
        assert self._current is not None
        request, version, keep = self._current
        self._current = self._working = None
        if response is None:
            self._connection.close()
            return
        closing = any(name.lower() == "connection" and value.lower() == "close" for name, value in response.headers)
        over = not keep or closing or (self._service.draining and not self._queue)
        date, said = self._service.date(), over and not closing
        self._connection.write(render(response, method=request.method, version=version, date=date, close=said))
        if over:
            self._finished = True
            self._connection.close()
        else:
            self._turn()

    def _finish_if_refused(self) -> None:
        """Sends the refusal once every request before it has its answer."""
        if self._refusal is None:
            return
        self._finished = True
        if self.busy:
            return
        date, response = self._service.date(), self._refusal
        self._connection.write(render(response, method="GET", version="1.1", date=date, close=True))
        self._connection.refuse()

    def _upgraded(self, rest: bytes) -> None:
        """The client asks for another protocol: WebSocket is granted, others are passed over (RFC 9110 7.8)."""
        if self._upgrade is not None:
            self._rest = rest
            request, fields = self._upgrade
            self._current = (request, "1.1", True)
            self._working = self._service.handle(request, lambda response: self._grant(fields, response))
            return
        self._parser = httptools.HttpRequestParser(self)
        if self._passed_over is not None:
            method, url, headers = self._passed_over
            self._passed_over = None
            self._parser.feed_data(_framing(method, headers))
            self._url, self._headers = url, headers
        if rest:
            self.feed(rest)

    def _grant(self, fields: list[tuple[bytes, bytes]], response: Response | None) -> None:
        """Opens the WebSocket unless the pod's behaviour says otherwise."""
        if response is None or response.status != 200 or self._upgrade is None:
            self._upgrade = None
            self._reply(response)
            return
        from switchboard.serve.standin.websocket import WebSocket

        request = self._upgrade[0]
        socket = WebSocket(self._connection, self._service)
        self._connection.switch(socket)
        self._connection.hold(False)
        socket.open(request.path, fields, self._rest)
