"""Logs, exec, attach and port-forward of the Kubernetes API: what a kubelet does for kube-apiserver.

In: a request that has been authorized and understood (``PodStream``), and the pods of this cluster (``PodRuntime``).
Out: a stream of text, or a WebSocket until one side ends.  Called by ``serve.kubernetes``.
Specification: https://kubernetes.io/docs/reference/using-api/api-concepts/ (streams of pods), the modules named below.
Without pods (the API server alone) every stream is answered as Kubernetes does when a node cannot be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TypeVar

from aiohttp import WSMsgType, web

from switchboard.api import errors
from switchboard.api.errors import BadRequest
from switchboard.api.server.pod_requests import EXEC, LOG, PORT_FORWARD, PodStream
from switchboard.api.store import Store
from switchboard.k8s import objects
from switchboard.serve import port_forward, remote_command
from switchboard.serve.pod_log import Line, LogFile, Printer, moment_of
from switchboard.serve.remote_command import Session

T = TypeVar("T")

_KUBELET: Final = 10250
_BATCH: Final = 1000
# A log is looked at this often for new lines.
_LOOK_SECONDS: Final = 0.1
# What runs in a pod that has gone ends after at most this.
_PATIENCE_SECONDS: Final = 0.5
_NO_STDIN: Final = b"this pod is a stand-in: it has no standard input; showing its log\r\n"


class PodRuntime(Protocol):
    """What runs the pods."""

    def log(self, namespace: str, name: str) -> Path:
        """The file of a pod's log."""

    async def start(self, stream: PodStream) -> Session:
        """Starts the command within the pod; raises OSError when it cannot be, LookupError without such a pod."""

    async def connect(self, namespace: str, name: str, port: int) -> socket.socket:
        """A connection to a port of the pod, made inside it; raises OSError, LookupError."""


class PodStreams:
    """Carries streams out; ``runtime`` is None where no pods run."""

    def __init__(self, store: Store, runtime: PodRuntime | None) -> None:
        self._store = store
        self._runtime = runtime

    async def serve(self, request: web.BaseRequest, stream: PodStream) -> web.StreamResponse:
        """The answer; raises ApiError before anything was sent."""
        if stream.kind == LOG:
            return await self._log(request, stream)
        # Told before what is asked for is even possible, as a proxying kube-apiserver does it.
        runtime = self._reached(stream)
        wanted = port_forward.SUBPROTOCOLS if stream.kind == PORT_FORWARD else remote_command.SUBPROTOCOLS
        protocol = _protocol(request, wanted)
        if stream.kind == PORT_FORWARD and protocol != port_forward.TUNNEL and not stream.ports:
            raise BadRequest('query parameter "ports" is required')
        if stream.waiting:
            raise BadRequest(f"unable to upgrade connection: container not found ({_quoted(stream.container)})")
        ws = web.WebSocketResponse(
            protocols=(protocol,), compress=False, max_msg_size=remote_command.MOST_MESSAGE, timeout=2.0
        )
        await ws.prepare(request)
        if stream.kind == PORT_FORWARD:
            async with self._while_it_runs(stream, ws.close):
                await _forward(ws, protocol, stream, runtime)
        elif stream.kind == EXEC:
            await self._execute(ws, request, stream, runtime)
        else:
            await self._attach(ws, stream, runtime)
        return ws

    async def _log(self, request: web.BaseRequest, stream: PodStream) -> web.StreamResponse:
        if not stream.node:
            return web.Response(text="")
        runtime = self._reached(stream)
        if stream.log.previous:
            raise BadRequest(
                f"previous terminated container {_quoted(stream.container)} in pod {_quoted(stream.name)} not found"
            )
        if stream.waiting:
            raise BadRequest(
                f"container {_quoted(stream.container)} in pod {_quoted(stream.name)} "
                f"is waiting to start: {stream.waiting}"
            )
        response = web.StreamResponse(headers={"Content-Type": "text/plain", "Cache-Control": "no-cache, private"})
        log = LogFile(runtime.log(stream.namespace, stream.name), moment_of(stream.created))
        show = Printer(stream.log)
        try:
            await response.prepare(request)
            lines = log.history(stream.log, self._store.clock())
            while not show.full() and (batch := await _in_thread(lambda: list(islice(lines, _BATCH)))):
                await _write(response, b"".join(map(show, batch)))
            if stream.log.follow and not show.full():
                async for batch in self._coming(log, stream):
                    await _write(response, b"".join(map(show, batch)))
                    if show.full():
                        break
            await _write(response, b"".join(map(show, log.end())))
            await response.write_eof()
        except ConnectionError:
            pass
        finally:
            log.close()
        return response

    async def _coming(self, log: LogFile, stream: PodStream) -> AsyncIterator[list[Line]]:
        """New lines until the pod has gone and everything of it is told; empty ones let the caller notice an end."""
        while True:
            there = self._runs(stream)
            lines = log.more()
            yield lines
            if not lines:
                if not there:
                    return
                await asyncio.sleep(_LOOK_SECONDS)

    def _runs(self, stream: PodStream) -> bool:
        pod = self._store.find("Pod", stream.namespace, stream.name)
        if pod is None or objects.uid(pod) != stream.uid:
            return False
        return objects.status(pod).get("phase") not in ("Succeeded", "Failed")

    async def _attach(self, ws: web.WebSocketResponse, stream: PodStream, runtime: PodRuntime) -> None:
        """The log from now on stands for what the program writes."""
        log = LogFile(runtime.log(stream.namespace, stream.name), moment_of(stream.created))
        listening = asyncio.create_task(_ignore(ws))
        try:
            await _in_thread(log.skip)
            if stream.stdin:
                channel = remote_command.STDERR if stream.stderr else remote_command.STDOUT
                await ws.send_bytes(bytes((channel,)) + _NO_STDIN)
            ending = b"\r\n" if stream.tty else b"\n"
            async for batch in self._coming(log, stream):
                if listening.done():
                    break
                if batch and stream.stdout:
                    text = b"".join(line.text + ending for line in batch)
                    await ws.send_bytes(bytes((remote_command.STDOUT,)) + text)
            await remote_command.finish(ws, remote_command.success())
        except (ConnectionError, RuntimeError):
            pass
        finally:
            listening.cancel()
            log.close()

    async def _execute(
        self, ws: web.WebSocketResponse, request: web.BaseRequest, stream: PodStream, runtime: PodRuntime
    ) -> None:
        try:
            session = await runtime.start(stream)
        except FileNotFoundError:
            why = f"exec: {_quoted(stream.command[0])}: executable file not found in $PATH"
        except LookupError as error:
            why = f"container not found ({_quoted(stream.container)}): {error}"
        except OSError as error:
            why = f"exec: {_quoted(stream.command[0])}: {(error.strerror or str(error)).lower()}"
        else:
            connection = request.transport.get_extra_info("socket") if request.transport is not None else None
            wanted = ((remote_command.STDOUT, stream.stdout), (remote_command.STDERR, stream.stderr))
            shown = [channel for channel, told in wanted if told]

            async def kill() -> None:
                session.kill()

            async with self._while_it_runs(stream, kill):
                await remote_command.converse(ws, session, stream.command, connection, shown)
            return
        await remote_command.finish(ws, remote_command.failed(f"error executing command in container: {why}"))

    @contextlib.asynccontextmanager
    async def _while_it_runs(self, stream: PodStream, end: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Calls ``end`` when the pod goes before what is done meanwhile."""

        async def watch() -> None:
            while self._runs(stream):
                await asyncio.sleep(_PATIENCE_SECONDS)
            with contextlib.suppress(ConnectionError, RuntimeError):
                await end()

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()

    def _reached(self, stream: PodStream) -> PodRuntime:
        """What runs the pod; raises ``ServerFault`` as for a node that does not answer."""
        if self._runtime is not None:
            return self._runtime
        node = self._store.find("Node", "", stream.node)
        addresses = [
            objects.mapping(a).get("address") for a in objects.sequence(objects.status(node or {}).get("addresses"))
        ]
        host = next((str(a) for a in addresses if a), stream.node)
        why = f"dial tcp {host}:{_KUBELET}: connect: connection refused"
        if stream.kind != LOG:
            raise errors.InternalError(f"error dialing backend: {why}")
        path = f"containerLogs/{stream.namespace}/{stream.name}/{stream.container}"
        raise errors.ServerFault(f'Get "https://{host}:{_KUBELET}/{path}": {why}')


def _protocol(request: web.BaseRequest, wanted: Sequence[str]) -> str:
    """The subprotocol to speak, the first of the client's that is known; raises BadRequest with what is."""
    upgrade = request.headers.get("Upgrade", "").lower()
    if upgrade.startswith("spdy"):
        raise BadRequest(
            "SPDY is not served, only WebSocket is; kubectl uses it since 1.31 "
            "(remove KUBECTL_REMOTE_COMMAND_WEBSOCKETS and KUBECTL_PORT_FORWARD_WEBSOCKETS from its environment)"
        )
    if upgrade != "websocket" or "upgrade" not in request.headers.get("Connection", "").lower():
        raise BadRequest("Upgrade request required")
    if request.method != "GET":
        raise BadRequest("a WebSocket is opened with GET")
    offered = [
        word.strip() for value in request.headers.getall("Sec-WebSocket-Protocol", []) for word in value.split(",")
    ]
    found = next((word for word in offered if word in wanted), "")
    if not found:
        raise BadRequest(
            f"unable to negotiate a subprotocol: client offers [{', '.join(offered)}], "
            f"this server speaks [{', '.join(wanted)}]"
        )
    return found


async def _forward(ws: web.WebSocketResponse, protocol: str, stream: PodStream, runtime: PodRuntime) -> None:
    async def connect(port: int) -> socket.socket:
        return await runtime.connect(stream.namespace, stream.name, port)

    if protocol == port_forward.TUNNEL:
        await port_forward.Tunnel(ws, connect).run()
    else:
        await port_forward.Channels(ws, stream.ports, connect).run()


async def _ignore(ws: web.WebSocketResponse) -> None:
    """Reads what the client says, so that pings are answered; returns when it has gone."""
    while (await ws.receive()).type in (WSMsgType.BINARY, WSMsgType.TEXT):
        pass


async def _write(response: web.StreamResponse, data: bytes) -> None:
    if data:
        await response.write(data)


async def _in_thread(work: Callable[[], T]) -> T:
    """Reading a log of some megabytes holds up nobody; a cancelled caller waits until the thread has left the file."""
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await running
        raise


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
