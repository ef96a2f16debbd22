"""What the API server reaches of pods that a kubelet of this machine runs: their logs, programs and ports.

In: the runtime directory of a cluster.  Out: files, programs and connections inside the pods' network namespaces.
Made by whoever serves the API within ``up``; implements ``serve.pod_streams.PodRuntime``.
There are no images: a program is one of this machine, in the pod's network, with this machine's files.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from switchboard.api.server.pod_requests import PodStream
from switchboard.apply import netns, process
from switchboard.run.home import Home
from switchboard.run.logs import BoundedLog
from switchboard.serve.control_socket import ask_for_namespace

_INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SHELL", "USER")
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONNECT_SECONDS: Final = 10.0


class LocalPods:
    """Pods of the cluster whose runtime directory is ``home``.

    Args:
        home: where the kubelet's door and logs are.
        environment: of this process; programs get a few of its variables.
    """

    def __init__(self, home: Home, environment: Mapping[str, str]) -> None:
        self._home = home
        self._environment = environment

    def log(self, namespace: str, name: str) -> Path:
        """The file that the kubelet keeps."""
        return BoundedLog.of_pod(self._home.log, namespace, name).path

    async def start(self, stream: PodStream) -> process.Session:
        """Starts the command; in a thread, because the kubelet is asked first."""
        running = asyncio.get_running_loop().run_in_executor(None, self._start, stream)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            # The client has gone meanwhile: nobody must be left behind.
            with contextlib.suppress(OSError, LookupError):
                session = await running
                for descriptor in (session.stdin, session.stdout, session.stderr):
                    if descriptor >= 0:
                        os.close(descriptor)
                session.kill()
                await session.terminate(0.0)
            raise

    def _start(self, stream: PodStream) -> process.Session:
        with self._namespace(stream.namespace, stream.name) as inside:
            return process.converse(
                stream.command,
                netns=inside,
                environment=environment_of(stream, self._environment),
                stdin=stream.stdin,
                terminal=stream.tty,
            )

    async def connect(self, namespace: str, name: str, port: int) -> socket.socket:
        """Dials the pod's own loopback address."""
        connection = await asyncio.to_thread(self._socket, namespace, name)
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        except BaseException:
            connection.close()
            raise
        return connection

    def _socket(self, namespace: str, name: str) -> socket.socket:
        with self._namespace(namespace, name) as inside, netns.entered(inside):
            connection = socket.socket()
        connection.setblocking(False)
        return connection

    @contextlib.contextmanager
    def _namespace(self, namespace: str, name: str) -> Iterator[int]:
        """The pod's network namespace; control is in its user namespace already."""
        user, inside = ask_for_namespace(self._home.enter, f"{namespace}/{name}")
        os.close(user)
        try:
            yield inside
        finally:
            os.close(inside)


def environment_of(stream: PodStream, mine: Mapping[str, str]) -> dict[str, str]:
    """Variables of a program: a few of this process, plain ones of the container, and who the pod is."""
    found = {"PATH": _PATH, **{key: mine[key] for key in _INHERITED if key in mine}}
    if stream.tty:
        found["TERM"] = "xterm"
    found |= dict(stream.environment)
    return {
        **found,
        "HOSTNAME": stream.name,
        "POD_NAME": stream.name,
        "POD_NAMESPACE": stream.namespace,
        "POD_IP": stream.ip,
    }
