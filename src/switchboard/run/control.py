"""Control: the store, the controllers, and everything that follows from them.

A process of its own, forked by init.  It applies the manifests, lets the controllers settle, has the kubelet run the
pods, and keeps node rules, load balancer and gateways at the view; it answers the commands over the control socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from switchboard.apply.certificates import CertificateAuthority, self_signed
from switchboard.apply.conntrack import KernelConntrack
from switchboard.apply.nft import KernelNft
from switchboard.base.discovery import load
from switchboard.base.errors import MachineError
from switchboard.base.findings import Finding
from switchboard.compile.gateway import KeyPair
from switchboard.controllers._contract import IssueCertificate
from switchboard.k8s.kinds import KINDS
from switchboard.run.controllers import ControllerLoop, discover
from switchboard.run.dataplane import Balancer, DataPlane, GatewayFiles, NodeRules
from switchboard.run.events import EventRecorder
from switchboard.run.home import Home
from switchboard.run.issuing import Issuer
from switchboard.run.kubelet import GATEWAY_FILES
from switchboard.run.pod_names import names_change
from switchboard.run.pods import Pods
from switchboard.run.population import now
from switchboard.run.progress import Progress
from switchboard.run.publishing import Publisher
from switchboard.run.supervisor import API, Parts
from switchboard.run.time_zones import time_zone
from switchboard.serve.channel import Channel
from switchboard.serve.control_socket import serve_questions
from switchboard.view.build import build
from switchboard.view.model import View
from switchboard.view.name import Names

if TYPE_CHECKING:
    from switchboard.serve.kubernetes import KubernetesServer

GATEWAY_SERVICE = "switchboard-system/gateway"
READY_SECONDS = 60.0
RETRY_SECONDS = 5.0
_VIEWED = (
    *("Node", "Namespace", "Pod", "Service", "EndpointSlice", "ServiceCIDR"),
    *("Ingress", "IngressClass", "Secret", "NetworkPolicy"),
)


def main(parts: Parts) -> None:
    """The process: ends on SIGTERM, or when it is asked to stop."""
    asyncio.run(Control(parts).run())


class Control:
    """One event loop; nothing else writes to the store."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.options = parts.options
        self.home = Path(parts.home)
        self.nodes = parts.options.node_facts()
        self.progress = Progress(parts.progress, parts.started)
        self.channel = Channel({"pod.status": self._pod_status})
        ranges = self.options.ranges
        self.store = parts.store
        self.authority = CertificateAuthority.create("Switchboard embedded cluster", now())
        self.loop = ControllerLoop(
            self.store,
            discover(),
            clock=now,
            effects={IssueCertificate: Issuer(self.authority, self.store, now)},
            settings={"load-balancer-pool": (ranges.load_balancers,), "time-zones": time_zone},
        )
        events = EventRecorder(self.store, now)
        self.pods = Pods(self.store, self.channel, self.nodes, events, dns=ranges.dns)
        mode = load("switchboard.compile.modes", "nftables", "MODE")
        rules = []
        for node in self.nodes:
            inside = parts.namespaces[node.name]
            rules.append(NodeRules(node.name, KernelNft(inside), KernelConntrack(inside), mode, ranges))
        default = self_signed(["switchboard.invalid"], now())
        files = GatewayFiles(self.home / GATEWAY_FILES, Home(self.home).gateways, KeyPair(default.chain, default.key))
        self.dataplane = DataPlane(rules, Balancer(self.channel), files)
        self.publisher = Publisher(self.store, events)
        self.view = View()
        self.names = Names()
        self.findings: tuple[Finding, ...] = ()
        self.ready = False
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Starts, then follows every change until it is told to stop."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sys.exit, 0)
        await self.channel.open(socket.socket(fileno=self.parts.channel))
        kubelet = asyncio.create_task(self.channel.serve())
        self._settle()
        server = await serve_questions(Home(self.home).control, {"status": self._status, "view": self._view})
        self.store.subscribe(self._changed.set)
        api = await self._serve_api()
        controllers = asyncio.create_task(self.loop.run())
        following = asyncio.create_task(self._follow())
        done, _ = await asyncio.wait({kubelet, controllers, following}, return_when=asyncio.FIRST_COMPLETED)
        server.close()
        if api is not None:
            await api.stop()
        for task in done:
            task.result()
        raise MachineError("kubelet-gone", "The process that runs the pods has ended.")

    async def _serve_api(self) -> KubernetesServer | None:
        """The Kubernetes API, on the socket that the supervisor has made in the host's namespace."""
        descriptor = self.parts.listeners.get(API)
        if descriptor is None:
            return None
        from switchboard.run.apiserver import serve_within  # imported here: the server is not small

        return await serve_within(self.store, socket.socket(fileno=descriptor), self.home)

    def _settle(self) -> None:
        """Everything that controllers make of the manifests."""
        Home(self.home).authority.write_text(self.authority.certificate)
        self.loop.run_until_settled()
        pods, services = len(self.store.list("Pod")[0]), len(self.store.list("Service")[0])
        self.progress.step(f"{self.parts.manifests} manifests applied: {services} Services, {pods} pods")

    async def _follow(self) -> None:
        """Brings pods and data plane to the store, again after each change."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            self._changed.clear()
            try:
                self.loop.run_until_settled()
            except RuntimeError as error:  # controllers that undo each other must not stop what works
                print(error, file=sys.stderr, flush=True)
            await self._sync()
            if not self.ready and not self._changed.is_set() and (self._complete() or time.monotonic() > deadline):
                await self._forward()
                self.ready = True
                self._tell_ready()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._patience(deadline))

    def _patience(self, deadline: float) -> float | None:
        """Seconds to wait for a change; None is without end."""
        if self.dataplane.behind or self.pods.failing:
            return RETRY_SECONDS
        return None if self.ready else deadline - time.monotonic()

    async def _sync(self) -> None:
        view, findings = build({kind: self.store.list(kind)[0] for kind in _VIEWED})
        change = names_change(self.names, view.names)
        if change is not None:
            self.names = view.names
            self.channel.notify("names", change=msgspec.to_builtins(change))
        if view != self.view or self.dataplane.behind:
            findings = (*findings, *await self.dataplane.sync(view, GATEWAY_SERVICE))
            self.view, self.findings = view, findings
            self.publisher.addresses(view)
            self.publisher.tell(findings)
            if self.ready:
                await self._forward()
        await self.pods.sync(view)

    def _complete(self) -> bool:
        return self.pods.all_ready() and all(pod.addresses and pod.ready for pod in self.view.pods)

    def _tell_ready(self) -> None:
        waiting = self.pods.waiting()
        if waiting:
            shown = ", ".join(waiting[:3]) + (" …" if len(waiting) > 3 else "")
            self.progress.step(f"{len(waiting)} pods are not ready after {READY_SECONDS:.0f} s: {shown}")
        else:
            pods, nodes = len(self.view.pods), len(self.nodes)
            self.progress.step(f"{pods} pods ready, rules on {nodes} nodes, gateway configured")
        self.progress.ready()

    async def _forward(self) -> None:
        """Forwarded ports lead to the gateway's address."""
        for port in self.view.services:
            if f"{port.namespace}/{port.name}" == GATEWAY_SERVICE and port.load_balancer_ips:
                address = port.load_balancer_ips[0]
                await self.channel.call("forward", name=port.port_name, address=address, port=port.port)

    async def _pod_status(self, key: str, ready: bool, restarts: int) -> None:
        await self.pods.told(key, ready, restarts)

    async def _status(self) -> dict[str, Any]:
        kinds = {kind.kind: len(self.store.list(kind.kind)[0]) for kind in KINDS}
        return {
            "ready": self.ready,
            "reachable": await self.channel.call("host"),
            "waiting": self.pods.waiting(),
            "objects": {kind: count for kind, count in kinds.items() if count},
            "findings": msgspec.to_builtins((*self.findings, *self.loop.findings)),
        }

    async def _view(self) -> Any:
        return msgspec.to_builtins(without_keys(self.view))


def without_keys(view: View) -> View:
    """The view without private keys, for whoever asks."""
    gateways = tuple(
        msgspec.structs.replace(
            gateway,
            certificates=tuple(msgspec.structs.replace(each, key="") for each in gateway.certificates),
        )
        for gateway in view.gateways
    )
    return msgspec.structs.replace(view, gateways=gateways)
