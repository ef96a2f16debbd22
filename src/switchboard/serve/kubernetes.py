"""The Kubernetes API over HTTPS: sockets only; what is answered is decided by ``api.server``.

In: connections on a listening socket.  Out: answers and watches.
Called by ``run``: alone by ``switchboard apiserver``, within the control process by ``up``.
Specification: RFC 9110, RFC 9112; https://kubernetes.io/docs/reference/using-api/api-concepts/
Nothing here waits for a client for ever: bodies and unread watches have their time, then the connection goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any, Final, Protocol

from aiohttp import web

from switchboard.api import errors
from switchboard.api.server import answers
from switchboard.api.server.answers import Answer
from switchboard.api.server.pod_requests import PodStream
from switchboard.api.server.request import MAX_BODY, Certificate, Request, query_of
from switchboard.api.server.watches import Watch
from switchboard.api.store import Store
from switchboard.serve.pod_streams import PodRuntime, PodStreams

BODY_SECONDS: Final = 60.0
WRITE_SECONDS: Final = 30.0
BOOKMARK_SECONDS: Final = 60.0
# As kube-apiserver's --min-request-timeout: watches end after this to twice this.
WATCH_SECONDS: Final = 1800.0
_HIGH_WATER: Final = 256 * 1024
_FIELDS: Final = 32 * 1024


class Handler(Protocol):
    """What decides."""

    store: Store

    def handle(self, request: Request) -> Answer | Watch | PodStream:
        """The answer to a request."""


class Changes:
    """Wakes watches when the store has changed."""

    def __init__(self, store: Store) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._unsubscribe: Callable[[], None] = store.subscribe(self._wake)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, seconds: float) -> bool:
        """True after a change, false when the time is over."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True

    def close(self) -> None:
        """Ends the subscription."""
        self._unsubscribe()
        self._wake()


class KubernetesServer:
    """Serves one API on one listening socket.

    Args:
        handler: decides on answers.
        context: TLS with the server's certificate, asking clients for theirs.
        pods: what runs pods here, None where nothing does.
    """

    def __init__(self, handler: Handler, context: ssl.SSLContext, pods: PodRuntime | None = None) -> None:
        self._handler = handler
        self._context = context
        self._changes = Changes(handler.store)
        self._streams = PodStreams(handler.store, pods)
        self._stopping = False
        self._runner: web.ServerRunner | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accepts connections from now on."""
        server = web.Server(
            self._serve, access_log=None, handler_cancellation=True, max_line_size=_FIELDS, max_field_size=_FIELDS
        )
        self._runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.SockSite(self._runner, listener, ssl_context=self._context, backlog=1024).start()

    async def stop(self) -> None:
        """Ends watches, then connections."""
        self._stopping = True
        self._changes.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            facts = await _facts(request)
        except errors.ApiError as error:
            answer = _response(answers.refusal(error))
            answer.force_close()
            return answer
        decided = self._decide(facts)
        if isinstance(decided, Watch):
            return await self._watch(request, decided)
        if isinstance(decided, PodStream):
            try:
                return await self._streams.serve(request, decided)
            except errors.ApiError as error:
                return _response(answers.refusal(error))
        try:
            # What is told must be true after a crash as well.
            await self._handler.store.flush()
        except errors.ApiError as error:
            decided = answers.refusal(error)
        return _response(decided)

    def _decide(self, facts: Request) -> Answer | Watch | PodStream:
        try:
            return self._handler.handle(facts)
        except Exception as error:  # noqa: BLE001 - one request must not end the server; the client learns of it
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"{facts.method} {facts.path} failed", "exception": error}
            )
            return answers.refusal(errors.InternalError(f"{type(error).__name__} while answering"))

    async def _watch(self, request: web.BaseRequest, watch: Watch) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": watch.content_type, "Cache-Control": "no-cache, private"}
        )
        await self._handler.store.flush()
        await response.prepare(request)
        transport = request.transport
        if transport is not None:
            transport.set_write_buffer_limits(high=_HIGH_WATER)
        loop = asyncio.get_running_loop()
        end = loop.time() + (watch.timeout or WATCH_SECONDS * (1 + random.random()))
        mark = loop.time() + BOOKMARK_SECONDS
        try:
            while not self._stopping and loop.time() < end:
                lines = watch.next_lines()
                if loop.time() >= mark:
                    lines += watch.bookmark()
                    mark = loop.time() + BOOKMARK_SECONDS
                if lines:
                    async with asyncio.timeout(WRITE_SECONDS):
                        await response.write(lines)
                elif watch.ended:
                    break
                else:
                    await self._changes.wait(min(end, mark) - loop.time())
            await response.write_eof()
        except TimeoutError:
            # It does not read; what it has missed it may ask for from the version it knows.
            if transport is not None:
                _drop(transport)
        except ConnectionError:
            pass
        return response


def _drop(transport: asyncio.Transport) -> None:
    """End a connection at once: nothing that is still to be sent stays behind, in the kernel neither."""
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _facts(request: web.BaseRequest) -> Request:
    path, _, query = request.raw_path.partition("?")
    if not path.startswith("/"):
        # The absolute form, as proxies send it.
        path = request.rel_url.raw_path
    return Request(
        method=request.method,
        path=path.partition("#")[0],
        query=query_of(query),
        headers=tuple((key.lower(), value) for key, value in request.headers.items()),
        body=await _body(request) if request.can_read_body else b"",
        certificate=_certificate(request),
    )


async def _body(request: web.BaseRequest) -> bytes:
    found = bytearray()
    too_large = errors.RequestEntityTooLarge(f"Request entity too large: limit is {MAX_BODY}")
    if (request.content_length or 0) > MAX_BODY:
        await _discard(request)
        raise too_large
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                found += chunk
                if len(found) > MAX_BODY:
                    raise too_large
    except TimeoutError as error:
        raise errors.BadRequest("the body did not arrive in time") from error
    except (web.HTTPException, ValueError, ConnectionError) as error:
        raise errors.BadRequest("the body cannot be read") from error
    return bytes(found)


async def _discard(request: web.BaseRequest) -> None:
    """Read a little more than is allowed, so that a client that is still sending can hear the answer."""
    left = 2 * MAX_BODY
    with contextlib.suppress(TimeoutError, ValueError, ConnectionError):
        async with asyncio.timeout(5.0):
            async for chunk in request.content.iter_any():
                left -= len(chunk)
                if left < 0:
                    return


def _certificate(request: web.BaseRequest) -> Certificate | None:
    found: Any = request.transport.get_extra_info("peercert") if request.transport is not None else None
    if not found:
        return None
    parts = [pair for rdn in found.get("subject", ()) for pair in rdn]
    name = next((value for key, value in parts if key == "commonName"), "")
    return Certificate(name, tuple(value for key, value in parts if key == "organizationName")) if name else None


def _response(answer: Answer) -> web.Response:
    found = web.Response(status=answer.status, body=answer.body, headers={"Content-Type": answer.content_type})
    found.headers["Cache-Control"] = "no-cache, private"
    for key, value in answer.headers:
        found.headers.add(key, value)
    return found


def tls(certificate: str, key: str, clients: str) -> ssl.SSLContext:
    """TLS of the server: files of its chain and key; ``clients`` (PEM) vouches for the certificates of clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=clients)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context
