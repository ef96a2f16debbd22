"""The outside client: real requests over TCP and TLS, many at a time, and what came of them.

Comes in: a ``RequestPlan``, and the network namespace to be in (a file descriptor) when it is not this one.
Goes out: a ``Measurement``.  Called by ``run`` in a process of the client's own, so that its clock is not held up by
the work of others; one event loop serves all connections.
Names are looked up in the plan only, never in DNS.  Redirects are answers and are not followed.
Everything is bounded: requests, connections at a time, time per request and in all, bytes of an answer.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import nullcontext
from time import perf_counter
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop

from switchboard.apply.netns import entered
from switchboard.base.errors import UsageError
from switchboard.base.findings import Finding
from switchboard.serve.exchange import ClosedError, Exchange, TooLargeError
from switchboard.serve.tally import Measurement, Tally
from switchboard.trace.request import Url, canonical_address, parse_url

Progress = Callable[[int, int], None]

_MOST_REQUESTS = 10_000_000
_MOST_CONNECTIONS = 1000
_GOODBYE_SECONDS = 1.0

# Kinds of failure in the order in which they are recognised; an SSLError is an OSError too.
_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (ssl.SSLCertVerificationError, "certificate"),
    (ssl.SSLError, "tls"),
    (TimeoutError, "time-out"),
    (ConnectionRefusedError, "refused"),
    (ConnectionError, "reset"),
    (OSError, "unreachable"),
    (ClosedError, "closed early"),
    (TooLargeError, "too large"),
    (httptools.HttpParserError, "not HTTP"),
    (httptools.HttpParserUpgrade, "not HTTP"),
)


class RequestPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What to send.

    ``addresses`` maps host names to addresses.  ``per_connection`` requests share a connection.  ``ca`` is PEM text of
    the authorities to trust, empty for those of the system.  ``timeout`` (seconds) is for one request, its connection
    included, ``deadline`` (seconds) for everything.  ``give_up_after`` failures in a row end the run early.
    """

    url: str
    addresses: dict[str, str] = {}
    requests: int = 1000
    concurrency: int = 8
    per_connection: int = 10
    headers: dict[str, str] = {}
    ca: str = ""
    verify: bool = True
    timeout: float = 5.0
    deadline: float = 60.0
    give_up_after: int = 50


def measure(plan: RequestPlan, *, netns: int | None = None, progress: Progress | None = None) -> Measurement:
    """Sends the requests of a plan from the namespace of the descriptor ``netns`` (None: where this thread is).

    ``progress`` is called with (done, requested) about a hundred times, in this thread.
    Raises UsageError for a plan that cannot be sent; whatever happens to requests is part of the measurement.
    """
    run = _Run(plan, progress)
    inside = nullcontext() if netns is None else entered(netns)
    with inside, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run.all())


class _Run:
    """One run of a plan."""

    def __init__(self, plan: RequestPlan, progress: Progress | None) -> None:
        self._plan, self._progress = plan, progress
        url = parse_url(plan.url)
        if isinstance(url, Finding):
            raise UsageError(url.reference, url.message, hint=url.hint)
        self._url, self._address = url, _address(plan, url)
        self._bytes = _request(plan, url)
        self._tls = _tls(plan) if url.scheme == "https" else None
        self._tally = Tally()
        self._left = plan.requests
        self._every = max(1, plan.requests // 100)
        self._stopped = ""

    async def all(self) -> Measurement:
        """Everything, within the deadline."""
        begin = perf_counter()
        workers = min(self._plan.concurrency, self._plan.requests)
        tasks = [asyncio.create_task(self._worker()) for _ in range(workers)]
        try:
            _, late = await asyncio.wait(tasks, timeout=self._plan.deadline)
            if late:
                self._stopped = f"the deadline of {self._plan.deadline:g} s has passed"
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for result in ended:
            if isinstance(result, Exception):
                raise result
        seconds = perf_counter() - begin
        return self._tally.measurement(self._plan.url, self._plan.requests, seconds, self._stopped)

    async def _worker(self) -> None:
        """Sends requests one after the other until none is left."""
        connection: Exchange | None = None
        used = 0
        try:
            while self._left and not self._stopped:
                self._left -= 1
                if connection is not None and (used >= self._plan.per_connection or not connection.reusable):
                    await connection.close(_GOODBYE_SECONDS)
                    connection = None
                used = 0 if connection is None else used
                connection = await self._one(connection)
                used += 1
                self._report()
        finally:
            if connection is not None:
                await connection.close(_GOODBYE_SECONDS)

    async def _one(self, connection: Exchange | None) -> Exchange | None:
        """One request, counted; the connection when it can be used again."""
        begin = perf_counter()
        try:
            async with asyncio.timeout(self._plan.timeout):
                try:
                    fresh = connection is None
                    connection = connection or await self._connect()
                    status, body = await connection.ask(self._bytes)
                except ClosedError as error:
                    # A server may close an idle connection just as a request leaves: again, once (RFC 9110, 9.2.2).
                    if fresh or not error.clean:
                        raise
                    self._tally.retried += 1
                    connection = await self._connect()
                    status, body = await connection.ask(self._bytes)
        except tuple(kind for kind, _ in _KINDS) as error:
            self._failed(error)
            if connection is not None:
                connection.abort()
            return None
        self._tally.answer(status, body, perf_counter() - begin)
        return connection

    async def _connect(self) -> Exchange:
        begin = perf_counter()
        loop = asyncio.get_running_loop()
        name = self._url.host if self._tls else None
        _, connection = await loop.create_connection(
            Exchange, self._address, self._url.port, ssl=self._tls, server_hostname=name
        )
        self._tally.connected(perf_counter() - begin)
        return connection

    def _failed(self, error: BaseException) -> None:
        kind = next(name for known, name in _KINDS if isinstance(error, known))
        if kind == "time-out":
            message = f"no answer within {self._plan.timeout:g} s"
        else:
            message = str(error) or type(error).__name__
        self._tally.failure(kind, message)
        if self._tally.failed_in_a_row >= self._plan.give_up_after:
            self._stopped = self._stopped or f"{self._tally.failed_in_a_row} requests in a row failed"

    def _report(self) -> None:
        done = self._tally.answered + self._tally.failed
        if self._progress and (done % self._every == 0 or done == self._plan.requests):
            self._progress(done, self._plan.requests)


def _address(plan: RequestPlan, url: Url) -> str:
    """Where to connect to; raises UsageError for what cannot be sent."""
    if url.scheme not in ("http", "https"):
        raise UsageError("bad-url", f"Requests are HTTP, so {plan.url} cannot be sent.", hint="Use http or https.")
    if not (1 <= plan.requests <= _MOST_REQUESTS and 1 <= plan.concurrency <= _MOST_CONNECTIONS):
        raise UsageError(
            "bad-request-count",
            f"{plan.requests} requests over {plan.concurrency} connections is out of bounds.",
            hint=f"At most {_MOST_REQUESTS} requests over {_MOST_CONNECTIONS} connections, and at least one.",
        )
    written = {name.lower(): address for name, address in plan.addresses.items()}.get(url.host, url.address)
    address = canonical_address(written)
    if not address:
        raise UsageError(
            "no-address", f"No address is given for {url.host}.", hint="Names are not looked up: name the address."
        )
    return address


def _request(plan: RequestPlan, url: Url) -> bytes:
    """The bytes of every request."""
    parts = urlsplit(plan.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port == (443 if url.scheme == "https" else 80) else f":{url.port}"
    headers = {"host": host + port, "user-agent": "switchboard", "accept": "application/json"}
    headers |= {name.lower(): value for name, value in plan.headers.items()}
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    if any("\n" in line or "\r" in line for line in lines):
        raise UsageError("bad-header", "A header or the URL holds a line break.")
    try:
        return "\r\n".join(lines).encode("latin-1")
    except UnicodeEncodeError as error:
        hint = "Write other characters percent-encoded."
        raise UsageError("bad-header", "The URL or a header is not Latin-1.", hint=hint) from error


def _tls(plan: RequestPlan) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=plan.ca or None)
    except ssl.SSLError as error:
        raise UsageError(
            "bad-ca", "The certificate authorities are not PEM certificates.", context=str(error)
        ) from error
    if not plan.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
