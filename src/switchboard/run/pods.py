"""Pods of the embedded cluster: from scheduled objects to orders for the kubelet, and back into their status.

Reads and writes the store; gives each pod an address of its node's range.  Called by ``run.control`` after the
controllers have settled.
"""

from __future__ import annotations

import asyncio
import contextlib
from base64 import b64decode
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import IPv4Network

import msgspec

from switchboard.api.errors import ApiError
from switchboard.api.metadata import timestamp
from switchboard.api.store import Store
from switchboard.compile.lab import DOMAIN
from switchboard.compile.resolver import Resolver
from switchboard.k8s import objects
from switchboard.k8s.objects import Object
from switchboard.run.events import EventRecorder
from switchboard.run.kubelet import PodOrder
from switchboard.run.pod_files import pod_files
from switchboard.serve.channel import Channel, ChannelError
from switchboard.serve.standin.behaviour import read_behaviour
from switchboard.view.model import View
from switchboard.view.node import Node

_RETRY_SECONDS = 4.0
_FIRST = 2  # .0 is the network, .1 is what a bridge plugin would give the node

# A node's own resolver: the nodes of an embedded cluster have none, as nothing of the machine's is in their reach.
_HOST_RESOLVER = Resolver()


class Addresses:
    """Addresses of one node's pods: the next free one, so that a freed address rests as long as possible."""

    def __init__(self, cidr: str) -> None:
        self._network = IPv4Network(cidr)
        self._next = _FIRST
        self._taken: dict[str, str] = {}

    def take(self, owner: str) -> str:
        """An address for ``owner``; raises LookupError when the range is full."""
        size = self._network.num_addresses - 1
        for _ in range(size - _FIRST):
            address = str(self._network[self._next])
            self._next = self._next + 1 if self._next + 1 < size else _FIRST
            if address not in self._taken:
                self._taken[address] = owner
                return address
        raise LookupError(f"no free address in {self._network}")

    def release(self, owner: str) -> None:
        """Gives back what ``owner`` has."""
        self._taken = {address: by for address, by in self._taken.items() if by != owner}


class Pods:
    """What runs, by ``namespace/name/uid``."""

    def __init__(
        self,
        store: Store,
        kubelet: Channel,
        nodes: Iterable[Node],
        events: EventRecorder,
        *,
        dns: str = "",
        resolver: Resolver = _HOST_RESOLVER,
    ) -> None:
        self._dns = dns
        self._resolver = resolver
        self._store = store
        self._kubelet = kubelet
        self._events = events
        self._stopping: dict[str, asyncio.Task[None]] = {}
        self._nodes = {node.name: node for node in nodes}
        self._addresses = {node.name: Addresses(node.pod_cidrs[0]) for node in nodes}
        self._running: dict[str, PodOrder] = {}
        self._ready: dict[str, tuple[bool, int]] = {}
        self._not_before: dict[str, float] = {}

    async def sync(self, view: View) -> None:
        """Starts what is scheduled, ends what is being deleted, keeps memberships of Services up to date."""
        wanted: dict[str, Object] = {}
        for pod in self._store.list("Pod")[0]:
            if (pod.get("spec") or {}).get("nodeName") in self._nodes:
                wanted[f"{objects.key(pod)}/{objects.uid(pod)}"] = pod
        ports = target_ports(view)
        for key, pod in wanted.items():
            if pod["metadata"].get("deletionTimestamp"):
                self._begin_stop(key, pod)
            elif key not in self._running and self._not_before.get(key, 0.0) <= asyncio.get_running_loop().time():
                self._not_before.pop(key, None)
                await self._start(key, pod, ports.get(objects.key(pod), frozenset()))
        self._not_before = {key: moment for key, moment in self._not_before.items() if key in wanted}
        for key in [key for key in self._running if key not in wanted]:
            self._begin_stop(key, None)
        await self._memberships(services_of(view))

    @property
    def failing(self) -> bool:
        """Whether a pod could not be started and is to be tried again."""
        return bool(self._not_before)

    def all_ready(self) -> bool:
        """Whether every pod that has a node runs and is ready."""
        return not self._not_before and all(self._ready.get(key, (False, 0))[0] for key in self._running)

    def waiting(self) -> list[str]:
        """Pods that run and are not ready."""
        return sorted(key.rpartition("/")[0] for key in self._running if not self._ready.get(key, (False, 0))[0])

    async def told(self, key: str, ready: bool, restarts: int) -> None:
        """The kubelet's word about a pod goes into its status."""
        self._ready[key] = (ready, restarts)
        order = self._running.get(key)
        if order is None:
            return
        pod = self._store.find("Pod", order.namespace, order.name)
        if pod is not None and objects.uid(pod) == order.uid:
            self._write_status(pod, order)

    async def _start(self, key: str, pod: Object, service_ports: Iterable[tuple[str, int]]) -> None:
        spec = pod["spec"]
        node = self._nodes[spec["nodeName"]]
        try:
            address = self._addresses[node.name].take(key)
        except LookupError as error:
            self._failed(key, pod, str(error))
            return
        order = PodOrder(
            namespace=objects.namespace(pod),
            name=objects.name(pod),
            uid=objects.uid(pod),
            node=node.name,
            zone=node.zone,
            address=address,
            labels=dict(objects.labels(pod)),
            annotations=dict(objects.annotations(pod)),
            images=tuple(str(c.get("image", "")) for c in spec.get("containers") or ()),
            ports=tuple(sorted({*declared_ports(spec), *service_ports})),
            secrets=self._secrets(objects.namespace(pod), objects.annotations(pod)),
            files=pod_files(pod, address, self._dns, DOMAIN, self._resolver),
        )
        self._running[key] = order
        self._write_status(pod, order)
        try:
            await self._kubelet.call("pod.start", order=msgspec.to_builtins(order))
        except ChannelError as error:
            del self._running[key]
            self._addresses[order.node].release(key)
            self._failed(key, pod, str(error))

    def _begin_stop(self, key: str, pod: Object | None) -> None:
        """Ends a pod beside everything else: its grace period may be long."""
        if key in self._stopping:
            return
        grace = float(pod["metadata"].get("deletionGracePeriodSeconds", 30)) if pod else 0.0
        task = asyncio.get_running_loop().create_task(self._stop(key, grace, pod))
        self._stopping[key] = task
        task.add_done_callback(lambda _: self._stopping.pop(key))

    async def _stop(self, key: str, grace_seconds: float, pod: Object | None) -> None:
        order = self._running.get(key)
        if order is not None:
            with contextlib.suppress(ChannelError):  # a kubelet that has gone takes its pods with it
                await self._kubelet.call("pod.stop", key=key, grace_seconds=grace_seconds)
            del self._running[key]
            self._ready.pop(key, None)
            self._addresses[order.node].release(key)
        if pod is not None:
            self._forget_object(pod)

    def _failed(self, key: str, pod: Object, why: str) -> None:
        """Tells it on the pod, and tries again at a sync that is not sooner than the wait says."""
        self._not_before[key] = asyncio.get_running_loop().time() + _RETRY_SECONDS
        message = f"Failed to create pod sandbox: {why}"
        self._events.record("kubelet", pod, "Warning", "FailedCreatePodSandBox", message)

    def _forget_object(self, pod: Object) -> None:
        try:
            self._store.delete(
                "Pod", objects.namespace(pod), objects.name(pod), uid=objects.uid(pod), grace_period_seconds=0
            )
        except ApiError:
            pass  # somebody else was faster

    async def _memberships(self, selecting: dict[str, set[str]]) -> None:
        for key, order in list(self._running.items()):
            if key not in self._running:
                continue  # it has ended while the kubelet was told about another
            names = selecting.get(f"{order.namespace}/{order.name}", set())
            service = next(iter(names)) if len(names) == 1 else None
            if service != order.service:
                self._running[key] = msgspec.structs.replace(order, service=service)
                await self._kubelet.call("pod.service", key=key, service=service)

    def _secrets(self, namespace: str, annotations: Mapping[str, str]) -> dict[str, tuple[str, str]]:
        """Certificates that the pod serves itself; a Secret that is missing leaves it without."""
        found = {}
        name = read_behaviour(annotations, namespace)[0].tls_secret
        secret = self._store.find("Secret", namespace, name) if name else None
        data = (secret or {}).get("data") or {}
        if "tls.crt" in data and "tls.key" in data:
            found[name] = (b64decode(data["tls.crt"]).decode(), b64decode(data["tls.key"]).decode())
        return found

    def _write_status(self, pod: Object, order: PodOrder) -> None:
        ready, restarts = self._ready.get(order.key, (False, 0))
        status = pod_status(pod, order, self._nodes[order.node], ready, restarts, self._store.clock())
        try:
            self._store.update_status({**pod, "status": status})
        except ApiError:
            pass  # the object has changed: the next sync sees it as it is


def declared_ports(spec: Object) -> Iterable[tuple[str, int]]:
    """(protocol, number) of every container port."""
    for container in spec.get("containers") or ():
        for port in container.get("ports") or ():
            yield str(port.get("protocol", "TCP")), int(port["containerPort"])


def services_of(view: View) -> dict[str, set[str]]:
    """Pod ``namespace/name`` to the names of the Services that have it as an endpoint."""
    found: dict[str, set[str]] = {}
    for port in view.services:
        for endpoint in port.endpoints:
            if endpoint.pod:
                found.setdefault(endpoint.pod, set()).add(port.name)
    return found


def target_ports(view: View) -> dict[str, frozenset[tuple[str, int]]]:
    """Pod ``namespace/name`` to the (protocol, port) pairs that Services send to."""
    found: dict[str, set[tuple[str, int]]] = {}
    for port in view.services:
        for endpoint in port.endpoints:
            if endpoint.pod and port.protocol in ("TCP", "UDP"):
                found.setdefault(endpoint.pod, set()).add((port.protocol, endpoint.port))
    return {pod: frozenset(ports) for pod, ports in found.items()}


def pod_status(pod: Object, order: PodOrder, node: Node, ready: bool, restarts: int, now: datetime) -> Object:
    """The status that a kubelet writes; times of conditions change only with their status."""
    before = pod.get("status") or {}
    old = {c.get("type"): c for c in before.get("conditions") or ()}
    at = timestamp(now)
    started = before.get("startTime") or at

    def condition(kind: str, met: bool) -> Object:
        word = "True" if met else "False"
        known = old.get(kind)
        changed = known["lastTransitionTime"] if known and known.get("status") == word else at
        reason = {} if met else {"reason": "ContainersNotReady"}
        return {"type": kind, "status": word, "lastProbeTime": None, "lastTransitionTime": changed, **reason}

    containers = [
        {
            "name": container["name"],
            "image": container.get("image", ""),
            "imageID": "",
            "ready": ready,
            "started": True,
            "restartCount": restarts,
            "lastState": {},
            "state": {"running": {"startedAt": started}},
        }
        for container in pod["spec"].get("containers") or ()
    ]
    return {
        **before,
        "phase": "Running",
        "hostIP": node.addresses[0],
        "hostIPs": [{"ip": address} for address in node.addresses],
        "podIP": order.address,
        "podIPs": [{"ip": order.address}],
        "startTime": started,
        "conditions": [
            condition("PodReadyToStartContainers", True),
            condition("Initialized", True),
            condition("Ready", ready),
            condition("ContainersReady", ready),
            condition("PodScheduled", True),
        ],
        "containerStatuses": containers,
        "qosClass": before.get("qosClass", "BestEffort"),
    }
