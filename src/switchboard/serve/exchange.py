"""One HTTP/1.1 client connection, one request at a time (RFC 9112, parsed by llhttp).

Comes in: the bytes of a request.  Goes out: status and body, or what went wrong as an exception.
Called by ``serve.outside``, many of these in one event loop.
"""

from __future__ import annotations

import asyncio

import httptools

MOST_BYTES = 1 << 20


class ClosedError(Exception):
    """The peer closed the connection; ``clean`` when it had not sent a byte of the answer."""

    def __init__(self, message: str, *, clean: bool) -> None:
        """``clean`` tells whether the request may safely be sent again."""
        super().__init__(message)
        self.clean = clean


class TooLargeError(Exception):
    """The answer has more than ``MOST_BYTES`` bytes."""


class Exchange(asyncio.Protocol):
    """A connection; ``reusable`` after an answer tells whether the next request may use it."""

    def __init__(self) -> None:
        """To be connected by an event loop."""
        self.reusable = True
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[tuple[int, bytes]] | None = None
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._body: list[bytes] = []
        self._size = 0
        self._begun = self._headed = self._sized = False

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; raises ClosedError, TooLargeError, HttpParserError or OSError."""
        if self._transport is None or self._lost.done():
            raise ClosedError("the connection was closed between two requests", clean=True)
        self._waiter = self._loop.create_future()
        self._begun = self._headed = self._sized = self.reusable = False
        self._transport.write(request)
        return await self._waiter

    async def close(self, patience: float) -> None:
        """Says goodbye; cuts the connection when that takes longer than ``patience`` seconds."""
        if self._transport is None:
            return
        self._transport.close()
        await asyncio.wait((self._lost,), timeout=patience)
        self._transport.abort()

    def abort(self) -> None:
        """Cuts the connection."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._begun = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(error)
        if self._size > MOST_BYTES:
            self._fail_for_size()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.reusable = False
        if exc is None and self._headed and not self._sized:
            # Without a length the end of the connection is the end of the answer (RFC 9112, 6.3).
            self.on_message_complete()
        words = "the connection was closed before the answer was complete"
        self._fail(exc or ClosedError(words, clean=not self._begun))
        if not self._lost.done():
            self._lost.set_result(None)

    def on_message_begin(self) -> None:
        """Called by the parser."""
        self._body, self._size, self._headed, self._sized = [], 0, False, False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        del value
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._sized = True

    def on_headers_complete(self) -> None:
        """Called by the parser."""
        self._headed = True

    def on_body(self, body: bytes) -> None:
        """Called by the parser; what is over the limit is counted and thrown away."""
        self._size += len(body)
        if self._size <= MOST_BYTES:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Called by the parser; interim answers (1xx) are passed over."""
        status = self._parser.get_status_code()
        if status < 200 or self._waiter is None or self._waiter.done():
            return
        if self._size > MOST_BYTES:
            self._fail_for_size()
            return
        self.reusable = self._parser.should_keep_alive() and not self._lost.done()
        self._waiter.set_result((status, b"".join(self._body)))

    def _fail_for_size(self) -> None:
        self._fail(TooLargeError(f"the answer has more than {MOST_BYTES} bytes"))

    def _fail(self, error: Exception) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
            self.abort()
