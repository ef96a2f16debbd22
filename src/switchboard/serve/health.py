"""HTTP servers for health checks: one for each Service's health check port, and one for the proxy itself.

In go ``HealthCheck`` facts whenever they change, and a function that answers for the proxy; out go answers on sockets.
Called by ``run`` in the network namespace of the node; nothing is decided here.
Specification: K126 to K132 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from http import HTTPStatus

from switchboard.base.findings import Finding, Severity
from switchboard.compile.health import Answer, HealthCheck, not_found, service_answer

_SECONDS = 5.0
_MOST_BYTES = 8192
_Ask = Callable[[str], Answer | None]
_Place = tuple[str, int]


class HealthServers:
    """Listens for what ``update`` was told last; ``healthy`` says whether the proxy is."""

    def __init__(self, healthy: Callable[[], bool]) -> None:
        self._healthy = healthy
        self._checks: dict[_Place, HealthCheck] = {}
        self._servers: dict[_Place, asyncio.Server] = {}

    async def update(self, checks: Iterable[HealthCheck]) -> tuple[Finding, ...]:
        """Listen for these checks and no others; a port that cannot be had is a finding, and the rest goes on (K130).

        A port that stays keeps its socket; only its answer changes.
        """
        self._checks = {(address, check.port): check for check in checks for address in check.addresses}
        for place in self._servers.keys() - self._checks.keys():
            await _closed(self._servers.pop(place))
        findings = []
        for place, check in self._checks.items():
            if place in self._servers:
                continue
            try:
                self._servers[place] = await listen(place, lambda path, place=place: self._answer(path, place))  # type: ignore[misc]
            except OSError as error:
                findings.append(_refused(check, place, error))
        return tuple(findings)

    async def close(self) -> None:
        """Listen no more."""
        await self.update(())

    def _answer(self, path: str, place: _Place) -> Answer:
        """Every path is answered alike, as load balancers differ in what they ask for."""
        return service_answer(self._checks[place], proxy_healthy=self._healthy())


async def listen(place: _Place, ask: _Ask) -> asyncio.Server:
    """Serve ``ask`` (path to answer, None: not found) at an address and port; raises OSError.

    The address may be one that the node gets later.
    """
    address, port = place
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in address:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind((address, port))
        server.setblocking(False)
        return await asyncio.start_server(
            lambda reader, writer: _serve(reader, writer, ask), sock=server, limit=_MOST_BYTES
        )
    except BaseException:
        server.close()
        raise


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ask: _Ask) -> None:
    """One request and one answer; a client that dawdles or says nonsense is hung up on."""
    with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
                if len(words) == 3 and words[2].startswith("HTTP/1."):
                    answer = ask(words[1].partition("?")[0]) or not_found()
                    writer.write(_bytes(answer, body=words[0] != "HEAD"))
                    await writer.drain()
        finally:
            writer.close()


def _bytes(answer: Answer, *, body: bool) -> bytes:
    status = HTTPStatus(answer.status)
    headers = (*answer.headers, ("Content-Length", str(len(answer.body))), ("Connection", "close"))
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode() + (answer.body if body else b"")


async def _closed(server: asyncio.Server) -> None:
    server.close()
    # Answers that are under way end by themselves, in a bounded time.
    with suppress(TimeoutError):
        await asyncio.wait_for(server.wait_closed(), _SECONDS)


def _refused(check: HealthCheck, place: _Place, error: OSError) -> Finding:
    return Finding(
        reference="health-check-port",
        message=f"Health checks cannot be answered on {place[0]} port {place[1]}: {error.strerror or error}.",
        severity=Severity.WARNING,
        object=f"Service {check.namespace}/{check.name}",
        field="spec.healthCheckNodePort",
    )
