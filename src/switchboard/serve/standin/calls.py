"""Requests that a stand-in makes to other Services while it answers one.

URLs come in, one JSON object for each goes out (``url``, ``status``, ``ms``, ``body`` or ``error``).
Called by ``program``.
The socket comes from the caller, because it must be made inside the pod's network namespace and its name looked up by
the cluster's DNS.  Certificates of called Services are not verified: a rehearsal has no trust store.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec

from switchboard.serve.standin.limits import Limits

Connect = Callable[[str, int], Awaitable[socket.socket]]

HOPS = "x-standin-hops"
MOST_HOPS = 8
PROPAGATED = ("traceparent", "tracestate", "baggage", "x-request-id", "b3")


def outgoing_headers(headers: Mapping[str, str], propagate: tuple[str, ...]) -> dict[str, str] | None:
    """What a call carries on of the request that caused it; None when the chain of calls has become too long.

    Without that bound two pods that call each other would never stop.
    """
    text = headers.get(HOPS, "0")
    hops = int(text) if text.isdecimal() and len(text) < 4 else MOST_HOPS
    if hops >= MOST_HOPS:
        return None
    carried = {name: headers[name] for name in (*PROPAGATED, *propagate) if name in headers}
    return {**carried, HOPS: str(hops + 1)}


async def call(url: str, headers: Mapping[str, str], connect: Connect, limits: Limits) -> dict[str, Any]:
    """The outcome of one GET; never raises for what the network or the peer does."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    result: dict[str, Any] = {"url": url}
    try:
        async with asyncio.timeout(limits.call):
            status, body = await _get(url, headers, connect, limits.call_body)
        result |= {"status": status, "body": _readable(body)}
    except TimeoutError:
        result["error"] = f"no answer within {limits.call:g} s"
    except (OSError, ValueError, httptools.HttpParserError) as error:
        result["error"] = str(error) or type(error).__name__
    result["ms"] = round((loop.time() - started) * 1000, 3)
    return result


async def _get(url: str, headers: Mapping[str, str], connect: Connect, most: int) -> tuple[int, bytes]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sock = await connect(host, port)
    try:
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=_client_context() if secure else None, server_hostname=host if secure else None
        )
    except BaseException:
        sock.close()
        raise
    lines = [f"GET {target} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close"]
    lines.extend(f"{name}: {value}" for name, value in headers.items())
    try:
        writer.write("\r\n".join((*lines, "", "")).encode("latin-1", "replace"))
        answer = _Answer(most)
        parser = httptools.HttpResponseParser(answer)
        while not answer.complete and (data := await reader.read(65536)):
            parser.feed_data(data)
    finally:
        writer.close()
    if not answer.complete and not answer.started:
        raise ConnectionResetError("the connection was closed without an answer")
    return parser.get_status_code(), answer.body


class _Answer:
    """Collects a response from the parser's calls; too long a body is cut."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.started = False
        self.complete = False
        self.body = b""

    def on_headers_complete(self) -> None:
        self.started = True

    def on_body(self, part: bytes) -> None:
        self.body += part[: self._most - len(self.body)]
        self.complete = self.complete or len(self.body) >= self._most

    def on_message_complete(self) -> None:
        self.complete = True


def _client_context() -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _readable(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return body.decode("latin-1")
