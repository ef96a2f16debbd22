"""The kubelet of all nodes: makes the network, runs stand-ins and gateway processes, reports readiness.

Runs as a process of its own, forked by init.  Control asks over the channel (``pod.start``, ``pod.stop``,
``pod.service``, ``forward``); this process tells ``pod.status``.  It holds the pods' namespaces: they go with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from switchboard.apply import envoy, netns, process
from switchboard.apply.certificates import self_signed
from switchboard.apply.envoy_admin import Admin
from switchboard.apply.fabric import Fabric
from switchboard.compile import lab
from switchboard.rules.lab import Route
from switchboard.run import pod_files
from switchboard.run.home import Home
from switchboard.run.logs import BoundedLog
from switchboard.run.pod_files import PodFiles
from switchboard.run.pod_names import DNS_IMAGE, ClusterNames, NamesChange
from switchboard.run.progress import Progress
from switchboard.run.runtime import Runtime
from switchboard.run.supervisor import Parts
from switchboard.serve.channel import Channel
from switchboard.serve.control_socket import NamespaceDoor
from switchboard.serve.forward import Forward
from switchboard.serve.standin.answer import PodFacts
from switchboard.serve.standin.behaviour import read_behaviour
from switchboard.serve.standin.program import StandIn
from switchboard.serve.standin.seen import Seen

T = TypeVar("T")

GATEWAY_IMAGE = "switchboard.dev/gateway"
GATEWAY_FILES = "gateway/xds"
_READY_POLL_SECONDS = 0.01
_LOG_CHECK_SECONDS = 5.0


class PodOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What control wants to run: one pod with its address and the ports to answer on (protocol, number)."""

    namespace: str
    name: str
    uid: str
    node: str
    zone: str
    address: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    images: tuple[str, ...] = ()
    ports: tuple[tuple[str, int], ...] = ()
    service: str | None = None
    secrets: dict[str, tuple[str, str]] = {}
    grace_seconds: float = 30.0
    files: PodFiles = PodFiles()

    @property
    def key(self) -> str:
        """``namespace/name/uid``: a re-created pod of the same name is another one."""
        return f"{self.namespace}/{self.name}/{self.uid}"


def main(parts: Parts) -> None:
    """The process: ends on SIGTERM."""
    import uvloop

    uvloop.run(Kubelet(parts).run())


class Kubelet:
    """All nodes' pods; one event loop, netlink calls are short and made in place."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.home = Path(parts.home)
        self.nodes = {node.name: node for node in parts.options.node_facts()}
        self.fabric = Fabric(dict(parts.namespaces))
        # Netlink sockets run an event loop of their own, so they live in a thread of their own.
        self._netlink = ThreadPoolExecutor(1, "netlink")
        self.channel = Channel(
            {
                "pod.start": self.start_pod,
                "pod.stop": self.stop_pod,
                "pod.service": self.set_service,
                "route": self.route,
                "forward": self.forward,
                "host": self.host,
                "names": self.change_names,
            }
        )
        self.standins: dict[str, StandIn] = {}
        self.logs: dict[str, BoundedLog] = {}
        self.processes: dict[str, process.Running] = {}
        self.orders: dict[str, PodOrder] = {}
        self.interfaces: dict[str, str] = {}
        self.forwards: dict[str, Forward] = {}
        # What may be entered from outside: the fabric's namespaces by name, pods as namespace/name.
        self.doors = {name: inside for name, inside in parts.namespaces.items() if name != lab.HOST}
        self._seen = Seen()
        self.names = ClusterNames(lab.DOMAIN)
        self._interface = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Makes the fabric, then serves control until it has gone."""
        progress = Progress(self.parts.progress, self.parts.started)
        options = self.parts.options
        await self._do(self.fabric.make, lab.fabric(tuple(self.nodes.values()), options.clients, options.ranges))
        zones = len({node.zone for node in self.nodes.values() if node.zone})
        progress.step(f"{len(self.nodes)} nodes in {zones} zones, {options.clients} outside clients, one internet")
        if self.parts.runtime is Runtime.ROOT and options.host_link:
            told = await self._do(self._link_host)
            if told:
                progress.step(told)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sys.exit, 0)
        NamespaceDoor(Home(self.home).enter, self.doors, self.parts.user).open()
        await self.channel.open(socket.socket(fileno=self.parts.channel))
        await self.channel.serve()

    async def _do(self, work: Callable[..., T], *arguments: Any) -> T:
        """Netlink work, in order."""
        return await asyncio.get_running_loop().run_in_executor(self._netlink, work, *arguments)

    def _link_host(self) -> str:
        """Joins the host by one link with its routes; they vanish with the cluster's namespaces."""
        self.fabric.namespaces[lab.HOST] = self.parts.host
        ranges = self.parts.options.ranges
        taken = self.fabric.overlapping(lab.HOST, (ranges.load_balancers, ranges.nodes, ranges.clients))
        if taken:
            del self.fabric.namespaces[lab.HOST]
            return f"the host has a route to {taken} already: it is not joined to the cluster by address"
        self.fabric.make(lab.host(lab.host_link(self.parts.options.name), ranges))
        return ""

    async def start_pod(self, order: dict[str, Any]) -> None:
        """Makes the pod's namespace and starts what runs in it; its readiness is told by ``pod.status``."""
        pod = msgspec.convert(order, PodOrder)
        if pod.key in self.orders:
            return
        self.orders[pod.key] = pod
        try:
            await self._start_pod(pod)
        except BaseException:
            with contextlib.suppress(OSError, KeyError):
                await self.stop_pod(pod.key, 0.0)
            raise

    async def _start_pod(self, pod: PodOrder) -> None:
        interface = f"pod{self._interface}"
        self._interface += 1
        self.interfaces[pod.key] = interface
        self.fabric.namespaces[pod.key] = self.doors[f"{pod.namespace}/{pod.name}"] = netns.create()
        await self._do(self.fabric.make, lab.pod(pod.key, interface, pod.address, self.nodes[pod.node]))
        pod_files.write(self.home, f"{pod.namespace}/{pod.name}", pod.files)
        if GATEWAY_IMAGE in pod.images:
            self._task(self._run_gateway(pod))
        elif DNS_IMAGE in pod.images:
            await self.names.serve(pod.key, pod.address, *self._sockets(pod))
            self._tell_ready(pod.key, True)
        else:
            await self._start_standin(pod)

    async def stop_pod(self, key: str, grace_seconds: float) -> None:
        """Ends what runs in the pod, within its grace period, then removes its namespace."""
        pod = self.orders.pop(key, None)
        if pod is None:
            return
        standin = self.standins.pop(key, None)
        if standin is not None:
            await standin.terminate(grace_seconds)
            self.logs.pop(key).close()
        running = self.processes.pop(key, None)
        if running is not None:
            await running.terminate(grace_seconds)
        await self.names.stop(key)
        if self.doors.get(f"{pod.namespace}/{pod.name}") == self.fabric.namespaces[key]:
            del self.doors[f"{pod.namespace}/{pod.name}"]
            pod_files.remove(self.home, f"{pod.namespace}/{pod.name}")
        await self._do(self.fabric.remove_link, pod.node, self.interfaces.pop(key))
        await self._do(self.fabric.forget, key)

    async def set_service(self, key: str, service: str | None) -> None:
        """Tells a stand-in the one Service that selects it."""
        if key in self.standins:
            self.standins[key].set_service(service)

    async def route(self, add: list[dict[str, Any]], remove: list[dict[str, Any]]) -> None:
        """Changes routes of a namespace of the fabric (the load balancer's)."""
        for route in msgspec.convert(remove, list[Route]):
            await self._do(self.fabric.unroute, route)
        for route in msgspec.convert(add, list[Route]):
            await self._do(self.fabric.route, route)

    async def change_names(self, change: dict[str, Any]) -> None:
        """What names mean from now on."""
        self.names.change(msgspec.convert(change, NamesChange))

    async def host(self) -> bool:
        """Whether the host is joined by address."""
        return lab.HOST in self.fabric.namespaces

    async def forward(self, name: str, address: str, port: int) -> None:
        """Points a forwarded port of the host at an address, as seen by an outside client."""
        if name not in self.parts.listeners:
            return
        connect = partial(self._connect, self.fabric.namespaces[lab.INTERNET], address, port)
        if name in self.forwards:
            self.forwards[name].lead(connect)
            return
        listener = socket.socket(fileno=self.parts.listeners[name])
        listener.setblocking(False)
        self.forwards[name] = Forward(listener, connect)
        await self.forwards[name].start()

    async def _start_standin(self, pod: PodOrder) -> None:
        behaviour, findings = read_behaviour(pod.annotations, f"{pod.namespace}/{pod.name}")
        for finding in findings:
            print(f"{finding.object}: {finding.field}: {finding.message}", file=sys.stderr)
        facts = PodFacts(
            namespace=pod.namespace,
            name=pod.name,
            node=pod.node,
            zone=pod.zone,
            ip=pod.address,
            labels=pod.labels,
            images=pod.images,
            service=pod.service or "",
        )

        def certificates(secret: str) -> tuple[str, str] | None:
            if secret:
                return pod.secrets.get(secret)
            own = self_signed([pod.name, pod.address], datetime.now(UTC))
            return own.chain, own.key

        log = self.logs[pod.key] = BoundedLog.of_pod(self.home / "log", pod.namespace, pod.name)
        standin = StandIn(
            facts,
            behaviour,
            certificates,
            random.Random(),
            time.time,
            connect=partial(self._connect_from, pod),
            seen=self._seen,
            ready_changed=partial(self._tell_ready, pod.key),
            log=log.write,
        )
        self.standins[pod.key] = standin
        await standin.start(*self._sockets(pod))

    def _tell_ready(self, key: str, ready: bool) -> None:
        if key in self.orders:
            self.channel.notify("pod.status", key=key, ready=ready, restarts=0)

    async def _connect_from(self, pod: PodOrder, host: str, port: int) -> socket.socket:
        """A connection of a pod to a name, as its resolver finds it."""
        return await self._connect(self.fabric.namespaces[pod.key], self.names.resolve(host, pod.files), port)

    async def _connect(self, namespace: int, host: str, port: int) -> socket.socket:
        with netns.entered(namespace):
            connection = socket.socket()
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(connection, (host, port))
        except BaseException:
            connection.close()
            raise
        return connection

    def _sockets(self, pod: PodOrder) -> tuple[list[socket.socket], list[socket.socket]]:
        """Listening sockets inside the pod's namespace, on all its addresses."""
        tcp, udp = [], []
        with netns.entered(self.fabric.namespaces[pod.key]):
            for protocol, number in pod.ports:
                kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
                listener = socket.socket(socket.AF_INET, kind)
                listener.setblocking(False)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(("0.0.0.0", number))
                if protocol == "UDP":
                    udp.append(listener)
                else:
                    listener.listen(256)
                    tcp.append(listener)
        return tcp, udp

    async def _run_gateway(self, pod: PodOrder) -> None:
        """Keeps one Envoy running in the pod; a crash is a restart of the container, with back-off."""
        restarts = 0
        delay = 0.1
        own = Home(self.home).gateways / pod.name
        log = BoundedLog.of_pod(self.home / "log", pod.namespace, pod.name)
        own_log = BoundedLog(own / envoy.LOG)
        while pod.key in self.orders:
            arguments = envoy.argv(str(self.home / GATEWAY_FILES), str(own), node=pod.name)
            running = process.spawn(arguments, netns=self.fabric.namespaces[pod.key], output=log.path)
            self.processes[pod.key] = running
            ended = asyncio.ensure_future(running.wait())
            while not ended.done() and not await asyncio.to_thread(Admin(str(own)).ready):
                await asyncio.wait([ended], timeout=_READY_POLL_SECONDS)
            if not ended.done():
                self.channel.notify("pod.status", key=pod.key, ready=True, restarts=restarts)
                began = time.monotonic()
                while not ended.done():
                    await asyncio.wait([ended], timeout=_LOG_CHECK_SECONDS)
                    log.bound()
                    own_log.bound()
                if time.monotonic() - began > 60:
                    delay = 0.1
            if pod.key not in self.orders:
                return
            restarts += 1
            self.channel.notify("pod.status", key=pod.key, ready=False, restarts=restarts)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 10.0)

    def _task(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            print(f"task failed: {task.exception()!r}", file=sys.stderr)
            os._exit(3)  # a kubelet that lost a pod must not go on as if it ran
