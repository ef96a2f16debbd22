"""One TCP connection to a stand-in: bytes of any client come in, the layer that understands them answers.

Made by ``program`` for each accepted connection.  The first bytes choose the layer (``sniff``), TLS is taken off first
and the plain text is sniffed again.  A client that says nothing is waited for.
Layers are ``http1``, ``http2``, ``websocket`` and ``Echo`` here; they write through this object, which bounds the
output by not reading from a peer that does not read.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, cast

from switchboard.serve.standin.limits import Limits
from switchboard.serve.standin.sniff import Kind, awaits_line, classify, classify_overdue

if TYPE_CHECKING:
    from switchboard.serve.standin.answer import Request, Response
    from switchboard.serve.standin.tls import TlsChannel


class Cancellable(Protocol):
    """Work under way for a request."""

    def cancel(self, /) -> object:
        """Gives it up."""


Reply = Callable[["Response | None"], None]


class Service(Protocol):
    """What connections need of their stand-in (``program.StandIn``)."""

    limits: Limits
    draining: bool

    @property
    def ready(self) -> bool:
        """Whether the pod is ready; told to gRPC health checks."""

    def handle(self, request: Request, reply: Reply) -> Cancellable | None:
        """Answers through ``reply`` (None: abort), at once or later; what is returned can be cancelled."""

    def demands_tls(self, port: int) -> bool:
        """Whether plain text on the port is refused."""

    def tls_context(self) -> ssl.SSLContext | None:
        """The context of the pod's certificate; None when there is none."""

    def date(self) -> str:
        """The time as the Date header has it."""

    def opened(self, connection: Connection) -> bool:
        """A connection came; False when there are too many."""

    def closed(self, connection: Connection) -> None:
        """A connection has gone."""

    def count(self, event: str) -> None:
        """Counts an event that is no HTTP answer."""


class Layer(Protocol):
    """A protocol on a connection, after sniffing."""

    @property
    def busy(self) -> bool:
        """Whether an answer is owed that this side has not given yet."""

    @property
    def receiving(self) -> bool:
        """Whether a request has begun and not ended."""

    def feed(self, data: bytes) -> None:
        """Takes bytes of the client."""

    def eof(self) -> None:
        """The client will send nothing more."""

    def drain(self) -> None:
        """Finishes what is under way, then closes."""

    def expire(self) -> None:
        """The request that is being received has taken too long."""

    def lost(self) -> None:
        """The connection is gone."""

    def readiness(self, ready: bool) -> None:
        """The pod has become ready or unready."""


class Connection(asyncio.Protocol):
    """Bytes of one client; see the module."""

    __slots__ = (
        "_buffer", "_held", "_loop", "_pressed", "_service", "_timer", "_transport",
        "closing", "last", "layer", "local_port", "peer", "tls",
    )  # fmt: skip

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._held = False
        self._pressed = False
        self.layer: Layer | None = None
        self.tls: TlsChannel | None = None
        self.closing = False
        self.peer = ""
        self.local_port = 0
        self.last = 0.0

    # ---- what asyncio says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername") or ("",)
        here = transport.get_extra_info("sockname") or ("", 0)
        self.peer = str(peer[0]).removeprefix("::ffff:")
        self.local_port = int(here[1])
        self.last = self._loop.time()
        if not self._service.opened(self):
            self.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.closing = True
        self._stop_timer()
        if self.layer is not None:
            self.layer.lost()
        self._service.closed(self)

    def data_received(self, data: bytes) -> None:
        self.last = self._loop.time()
        if self.closing:
            return
        if self.tls is None:
            self._plain(data, self._service.demands_tls(self.local_port))
        else:
            self._decrypt(data)

    def eof_received(self) -> bool:
        """Keeps the way out open: a client may close its side after the question and read the answer."""
        if self.closing:
            return False
        if self.layer is None and self._buffer:
            self._choose(classify_overdue(self._buffer))
        if self.layer is None:
            self.close()
        else:
            self.layer.eof()
        return True

    def pause_writing(self) -> None:
        self._pressed = True
        self._adjust_reading()

    def resume_writing(self) -> None:
        self._pressed = False
        self._adjust_reading()

    # ---- what layers ask for

    def write(self, data: bytes) -> None:
        """Sends plain text, under TLS where there is one."""
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data if self.tls is None else self.tls.encrypt(data))

    def hold(self, held: bool) -> None:
        """Stops or resumes reading, for a layer that has enough to do."""
        self._held = held
        self._adjust_reading()

    def switch(self, layer: Layer) -> None:
        """Puts another layer in charge (a WebSocket after its handshake)."""
        self.layer = layer

    def close(self) -> None:
        """Sends what is waiting, then closes; input is ignored from now on."""
        if self.closing or self._transport is None:
            return
        self.closing = True
        self._stop_timer()
        self._goodbye()
        self._transport.close()

    def refuse(self) -> None:
        """Closes after a refusal in the middle of a request: input is thrown away first.

        Closing at once would reset the connection, and the peer would lose the answer.
        """
        if self.closing or self._transport is None:
            return
        self.closing = True
        self._stop_timer()
        self.hold(False)
        self._goodbye()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            self._transport.write_eof()
        self._timer = self._loop.call_later(self._service.limits.linger, self._transport.close)

    def abort(self) -> None:
        """Closes without an answer and forgets what is waiting."""
        self.closing = True
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    # ---- what the stand-in asks for

    def drain(self) -> None:
        """Finishes the requests under way, then closes."""
        if self.layer is None:
            if not self._buffer:
                self.close()
        else:
            self.layer.drain()

    def expire(self, now: float) -> None:
        """Closes what has been silent too long; ``now`` is the loop's time."""
        limits, silent = self._service.limits, now - self.last
        if self.closing or self._pressed:
            # A peer that does not read gets as long as one that does not write.
            if silent > limits.idle:
                self.abort()
        elif self.layer is None:
            waiting = bool(self._buffer) or (self.tls is not None and not self.tls.established)
            if silent > (limits.receive if waiting else limits.idle):
                self.close()
        elif self.layer.busy:
            return
        elif self.layer.receiving:
            if silent > limits.receive:
                self.layer.expire()
        elif silent > 2 * limits.idle:
            # It was asked to end and has not: an answer waits for a window that does not open.
            self.abort()
        elif silent > limits.idle:
            self.layer.drain()

    # ---- inside

    def _decrypt(self, data: bytes) -> None:
        assert self.tls is not None
        try:
            plain = self.tls.feed(data)
        except ssl.SSLError:
            self._service.count("tls-error")
            self._flush_tls()
            self.close()
            return
        self._flush_tls()
        if plain:
            self._plain(plain, demand_tls=False)
        if self.tls.closed and not self.closing:
            self.eof_received()

    def _flush_tls(self) -> None:
        if self.tls is not None and self._transport is not None and (data := self.tls.pending()):
            self._transport.write(data)

    def _plain(self, data: bytes, demand_tls: bool) -> None:
        if self.layer is not None:
            self.layer.feed(data)
            return
        self._stop_timer()
        self._buffer += data
        kind = classify(self._buffer)
        if demand_tls and kind is not Kind.TLS and (kind is not None or self._buffer[0] != 0x16):
            self._service.count("plain-text-refused")
            self.close()
        elif kind is not None:
            self._choose(kind)
        elif not awaits_line(self._buffer):
            self._timer = self._loop.call_later(self._service.limits.sniff, self._overdue)

    def _overdue(self) -> None:
        self._timer = None
        if self.layer is None and self._buffer and not self.closing:
            self._choose(classify_overdue(self._buffer))

    def _choose(self, kind: Kind) -> None:
        data, self._buffer = self._buffer, b""
        if kind is Kind.TLS and self.tls is None:
            self._begin_tls(data)
            return
        self.layer = self._make(kind)
        self.layer.feed(data)
        if self._service.draining and not self.closing:
            self.layer.drain()

    def _begin_tls(self, data: bytes) -> None:
        from switchboard.serve.standin.tls import TlsChannel

        context = self._service.tls_context()
        if context is None:
            self._service.count("no-certificate")
            self.close()
            return
        self.tls = TlsChannel(context)
        self._decrypt(data)

    def _make(self, kind: Kind) -> Layer:
        if kind is Kind.HTTP1:
            from switchboard.serve.standin.http1 import Http1

            return Http1(self, self._service)
        if kind is Kind.HTTP2:
            from switchboard.serve.standin.http2 import Http2

            return Http2(self, self._service)
        return Echo(self, self._service)

    def _goodbye(self) -> None:
        if self.tls is not None and self._transport is not None and not self._transport.is_closing():
            self._transport.write(self.tls.close())

    def _adjust_reading(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        wanted = self.closing or not (self._held or self._pressed)
        if wanted and not self._transport.is_reading():
            self._transport.resume_reading()
        elif not wanted and self._transport.is_reading():
            self._transport.pause_reading()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Echo:
    """Plain TCP: sends back what comes (RFC 862)."""

    busy = False
    receiving = False

    def __init__(self, connection: Connection, service: Service) -> None:
        self._connection = connection
        service.count("tcp")

    def feed(self, data: bytes) -> None:
        self._connection.write(data)

    def eof(self) -> None:
        self._connection.close()

    def drain(self) -> None:
        self._connection.close()

    def expire(self) -> None:
        self._connection.close()

    def lost(self) -> None:
        """Nothing is kept."""

    def readiness(self, ready: bool) -> None:
        """An echo does not know readiness."""
