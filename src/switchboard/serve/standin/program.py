"""A stand-in: the program that answers on every port of one pod.

The node process makes one for each pod and hands over the listening sockets it has made inside the pod's network
namespace; hundreds share one event loop.  ``set_ready`` and ``set_service`` follow the cluster, ``terminate`` is
SIGTERM followed by SIGKILL.  TCP goes to ``connection``, UDP is echoed.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections import Counter
from collections.abc import Callable, Sequence
from socket import socket
from typing import Any, cast

import msgspec

from switchboard.serve.standin.answer import Decision, PodFacts, Request, answer, decide
from switchboard.serve.standin.behaviour import Behaviour
from switchboard.serve.standin.calls import Connect
from switchboard.serve.standin.connection import Cancellable, Connection, Reply
from switchboard.serve.standin.limits import Limits
from switchboard.serve.standin.seen import Seen

# From the name of a Secret in the pod's namespace to (chain PEM, key PEM); None when there is none.
# The empty name asks for a certificate of the pod's own.
Certificates = Callable[[str], "tuple[str, str] | None"]


class StandIn:
    """One pod's program.

    Args:
        pod: what answers say of the pod.
        behaviour: from the pod's annotations.
        certificates: finds certificates, see ``Certificates``; asked at the first TLS connection.
        rng: draws latencies and errors.
        now: seconds since the epoch, for the Date header.
        connect: makes a connected, non-blocking socket inside the pod's namespace; without it ``calls`` fail.
        seen: shared by the stand-ins of a process, so that any pod of a Service knows what its siblings saw.
        ready_changed: told the new readiness whenever it changes.
        log: takes a line for each answer and for what happens to the program, as a real one writes to its output.
    """

    def __init__(
        self,
        pod: PodFacts,
        behaviour: Behaviour,
        certificates: Certificates,
        rng: random.Random,
        now: Callable[[], float],
        *,
        connect: Connect | None = None,
        seen: Seen | None = None,
        limits: Limits | None = None,
        ready_changed: Callable[[bool], None] | None = None,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.pod = pod
        self.behaviour = behaviour
        self.limits = limits or Limits()
        self.draining = False
        self.counts: Counter[str] = Counter()
        self._certificates = certificates
        self._rng = rng
        self._now = now
        self._connect = connect
        self._seen = seen if seen is not None else Seen()
        self._ready_changed = ready_changed
        self._log = log or (lambda line: None)
        self._wanted_ready = True
        self._starting = behaviour.start_after > 0
        self._told_ready = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._servers: list[asyncio.Server] = []
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._connections: set[Connection] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone = asyncio.Event()
        self._context: ssl.SSLContext | None = None
        self._date = (0, "")

    # ---- what the node process asks for

    @property
    def ready(self) -> bool:
        """Whether the pod is ready: wanted so, past its start, and not terminating."""
        return self._wanted_ready and not self._starting and not self.draining and self._loop is not None

    @property
    def connections(self) -> int:
        """How many TCP connections are open."""
        return len(self._connections)

    async def start(self, tcp: Sequence[socket], udp: Sequence[socket]) -> None:
        """Serves these sockets, which it closes in the end: bound ones, TCP listening or not."""
        loop = self._loop = asyncio.get_running_loop()
        if self._starting:
            self._timers["start"] = loop.call_later(self.behaviour.start_after, self._started)
        for sock in tcp:
            sock.setblocking(False)
            server = await loop.create_server(lambda: Connection(self, loop), sock=sock, backlog=1024)
            self._servers.append(server)
        for sock in udp:
            sock.setblocking(False)
            transport, _ = await loop.create_datagram_endpoint(lambda: DatagramEcho(self), sock=sock)
            self._datagrams.append(transport)
        ports = [f"{s.getsockname()[1]}/{'udp' if s in udp else 'tcp'}" for s in (*tcp, *udp)]
        self._log(f"listening on {', '.join(ports) or 'no port'}")
        self._tell_ready()

    def set_ready(self, ready: bool) -> None:
        """Says what the cluster makes of the pod; gRPC health follows, HTTP goes on answering."""
        self._wanted_ready = ready
        self._tell_ready()

    def set_service(self, name: str | None) -> None:
        """Names the one Service that selects the pod (``name`` or ``namespace/name``); None for none or several."""
        self.pod = msgspec.structs.replace(self.pod, service=name or "")

    async def terminate(self, grace_seconds: float) -> None:
        """SIGTERM, then SIGKILL after the grace period; returns when nothing is left.

        The ports close at once, idle connections too, as most programs do; requests under way are finished, their
        answers say ``Connection: close`` (HTTP/2: GOAWAY).  A deaf program goes on serving for the whole time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max(0.0, grace_seconds)
        self._log(f"SIGTERM, {grace_seconds:g} s to finish" + (", ignored" if self.behaviour.ignore_sigterm else ""))
        if not self.behaviour.ignore_sigterm:
            self.draining = True
            self._tell_ready()
            self._close_ports()
            for connection in list(self._connections):
                connection.drain()
        if self.behaviour.ignore_sigterm or self._connections:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._gone.wait()
        self._kill()
        while self._connections:
            await asyncio.sleep(0)

    # ---- what connections ask for (connection.Service)

    def handle(self, request: Request, reply: Reply) -> Cancellable | None:
        """Decides, waits where the behaviour says so, and answers through ``reply``."""
        decision = decide(self.behaviour, request, self._rng, starting=self._starting)
        if self.behaviour.calls and decision.reason == "" and not decision.abort:
            task = asyncio.ensure_future(self._answer_with_calls(request, decision, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return task
        if decision.delay > 0:
            assert self._loop is not None
            delay = min(decision.delay, self.limits.delay)
            return self._loop.call_later(delay, self._answer, request, decision, reply)
        self._answer(request, decision, reply)
        return None

    def demands_tls(self, port: int) -> bool:
        """Whether plain text on the port is refused."""
        return self.behaviour.demands_tls(port)

    def tls_context(self) -> ssl.SSLContext | None:
        """The context of the named Secret's certificate, or of one of the pod's own; None when neither is usable."""
        if self._context is None:
            from switchboard.serve.standin.tls import server_context

            for name in dict.fromkeys((self.behaviour.tls_secret, "")):
                pair = self._certificates(name)
                if pair is None:
                    continue
                with contextlib.suppress(ssl.SSLError):
                    self._context = server_context(*pair)
                    break
        return self._context

    def forget_certificate(self) -> None:
        """Asks for the certificate again at the next connection, because its Secret has changed."""
        self._context = None

    def date(self) -> str:
        """The time as the Date header has it."""
        second = int(self._now())
        if self._date[0] != second:
            self._date = (second, time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second)))
        return self._date[1]

    def opened(self, connection: Connection) -> bool:
        """Takes a connection unless there are too many."""
        self._connections.add(connection)
        self.counts["connections"] += 1
        if "sweep" not in self._timers:
            self._arm_sweep()
        return len(self._connections) <= self.limits.connections and not self.draining

    def closed(self, connection: Connection) -> None:
        """Forgets a connection."""
        self._connections.discard(connection)
        if not self._connections:
            self._disarm("sweep")
            if self.draining:
                self._gone.set()

    def count(self, event: str) -> None:
        """Counts an answer's status or another event."""
        self.counts[event] += 1

    # ---- inside

    async def _answer_with_calls(self, request: Request, decision: Decision, reply: Reply) -> None:
        from switchboard.serve.standin.calls import call, outgoing_headers

        headers = outgoing_headers(request.headers, self.behaviour.propagate)
        if headers is None or self._connect is None:
            why = "this pod cannot call" if self._connect is None else "the chain of calls is too long"
            results: list[dict[str, object]] = [{"url": url, "error": why} for url in self.behaviour.calls]
        else:
            connect = self._connect
            calls = (call(url, headers, connect, self.limits) for url in self.behaviour.calls)
            results = await asyncio.gather(*calls)
        if decision.delay > 0:
            await asyncio.sleep(min(decision.delay, self.limits.delay))
        self._answer(request, decision, reply, results)

    def _answer(
        self, request: Request, decision: Decision, reply: Reply, calls: Sequence[dict[str, object]] = ()
    ) -> None:
        response = answer(self.pod, request, decision, self._seen, calls)
        if decision.abort:
            self.counts["aborted"] += 1
            self._log(f'{request.peer} "{request.method} {request.path} {request.protocol}" aborted')
            reply(None)
            return
        self._log(f'{request.peer} "{request.method} {request.path} {request.protocol}" {response.status}')
        self.counts[str(response.status)] += 1
        reply(response)

    def _started(self) -> None:
        self._timers.pop("start", None)
        self._starting = False
        self._tell_ready()

    def _tell_ready(self) -> None:
        if self.ready == self._told_ready:
            return
        self._told_ready = self.ready
        for connection in list(self._connections):
            if connection.layer is not None:
                connection.layer.readiness(self._told_ready)
        if self._ready_changed is not None:
            self._ready_changed(self._told_ready)

    def _arm_sweep(self) -> None:
        assert self._loop is not None
        self._timers["sweep"] = self._loop.call_later(self.limits.sweep, self._sweep)

    def _disarm(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()

    def _sweep(self) -> None:
        assert self._loop is not None
        self._timers.pop("sweep", None)
        now = self._loop.time()
        for connection in list(self._connections):
            connection.expire(now)
        if self._connections:
            self._arm_sweep()

    def _close_ports(self) -> None:
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()
        self._servers.clear()
        self._datagrams.clear()

    def _kill(self) -> None:
        self.draining = True
        self._tell_ready()
        self._close_ports()
        for task in list(self._tasks):
            task.cancel()
        for connection in list(self._connections):
            connection.abort()
        for name in list(self._timers):
            self._disarm(name)


class DatagramEcho(asyncio.DatagramProtocol):
    """Sends each datagram back to where it came from (RFC 862)."""

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin
        self._transport: asyncio.DatagramTransport | None = None
        self._pressed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._standin.count("udp")
        # What the network does not take now is dropped, as a kernel would: a queue could only grow.
        if self._transport is not None and not self._pressed:
            self._transport.sendto(data, addr)

    def error_received(self, exc: Exception) -> None:
        """A peer that has gone is no fault of the pod's."""

    def pause_writing(self) -> None:
        self._pressed = True

    def resume_writing(self) -> None:
        self._pressed = False
