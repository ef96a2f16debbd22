"""What follows from the view: rules of every node, routes of the load balancer, configuration of the gateways.

In goes a ``View``; each part is compiled (pure) and only the difference is applied.  A part that the machine refuses
becomes findings, keeps what it had, and is tried again as a whole.  Called by ``run.control``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from switchboard.apply import envoy
from switchboard.apply.conntrack import Conntrack
from switchboard.apply.envoy_admin import Admin
from switchboard.apply.nft import Nft
from switchboard.base.errors import MachineError
from switchboard.base.findings import Finding
from switchboard.compile import gateway as gateways
from switchboard.compile import lab, policy
from switchboard.compile.gateway.rejections import blame
from switchboard.compile.modes._mode import Mode, ProxyOptions
from switchboard.compile.stale_flows import stale_flows, udp_endpoints_changed
from switchboard.rules.lab import Route
from switchboard.rules.nft import Ruleset
from switchboard.rules.nft_difference import Transaction, difference, removal, replacement
from switchboard.serve.channel import Channel
from switchboard.view.model import View
from switchboard.view.route import Gateway

Findings = tuple[Finding, ...]


class NodeRules:
    """The rules of one node, in memory as applied; a refused transaction is followed by a full replacement."""

    def __init__(self, node: str, nft: Nft, conntrack: Conntrack, mode: Mode, ranges: lab.Ranges) -> None:
        self._node = node
        self._nft = nft
        self._conntrack = conntrack
        self._mode = mode
        self._own = lab.node_tables(ranges)
        self._applied: Ruleset | None = None
        self._view: View | None = None

    @property
    def behind(self) -> bool:
        """Whether the kernel has refused what is wanted."""
        return self._applied is None

    def sync(self, view: View) -> Findings:
        """Blocks for as long as nft takes; the transaction is all or nothing."""
        services, findings = self._mode.compile(view, self._node, ProxyOptions())
        policies, about_policies = policy.compile_node(view, self._node)
        findings = (*findings, *about_policies)
        desired = Ruleset((*services.tables, *policies.tables, *self._own))
        change = self._anew(desired) if self._applied is None else difference(self._applied, desired)
        try:
            if change:
                self._nft.apply(change.render())
            if udp_endpoints_changed(self._view, view):
                self._conntrack.forget(stale_flows(view, self._conntrack.udp_flows()))
        except MachineError as error:
            self._applied = self._view = None
            refusal = Finding(
                reference=error.reference, message=error.message, object=f"Node {self._node}", field=error.context
            )
            return (*findings, refusal)
        self._applied, self._view = desired, view
        return findings

    @staticmethod
    def _anew(desired: Ruleset) -> Transaction:
        """Everything; policies may have tables in the kernel that nothing asks for now."""
        gone = removal(key for key in policy.TABLES if desired.table(*key) is None)
        return Transaction((*gone.commands, *replacement(desired).commands))


class Balancer:
    """The load balancer's routes in the cloud, as announced."""

    def __init__(self, kubelet: Channel) -> None:
        self._kubelet = kubelet
        self._routes: dict[str, Route] = {}

    async def sync(self, view: View) -> None:
        """Announces each address to the nodes that pass its health check."""
        wanted = {route.destination: route for route in lab.balancer(lab.announcers(view))}
        add = [route for key, route in wanted.items() if self._routes.get(key) != route]
        remove = [route for key, route in self._routes.items() if key not in wanted]
        if add or remove:
            await self._kubelet.call("route", add=msgspec.to_builtins(add), remove=msgspec.to_builtins(remove))
        self._routes = wanted


class GatewayFiles:
    """The files that the Envoys of the gateway pods watch."""

    def __init__(self, files: Path, pods: Path, default: gateways.KeyPair) -> None:
        self._files = files
        self._pods = pods
        self._settings = gateways.Settings(default_certificate=default)

    def sync(self, view: View, gateway: Gateway) -> Findings:
        """Blocks until every Envoy that runs has taken or refused the change."""
        config, findings = gateways.compile(gateway, view, self._settings)
        readers = [Admin(str(path.parent)) for path in sorted(self._pods.glob(f"*/{envoy.ADMIN}"))]
        _, rejected = envoy.publish(config, str(self._files), readers)
        refused = (fault for each in rejected for fault in blame(each.file, each.reason, config))
        return (*findings, *refused)


class DataPlane:
    """All of it; ``sync`` works on the parts side by side."""

    def __init__(self, nodes: list[NodeRules], balancer: Balancer, files: GatewayFiles) -> None:
        self._nodes = nodes
        self._balancer = balancer
        self._files = files

    @property
    def behind(self) -> bool:
        """Whether a part was refused at the last sync, so that another one is due although nothing has changed."""
        return any(node.behind for node in self._nodes)

    async def sync(self, view: View, service: str) -> Findings:
        """Brings everything to the view; ``service`` is the one that publishes the gateway pods."""
        gateway = next((g for g in view.gateways if g.service == service), None)
        work = [asyncio.to_thread(node.sync, view) for node in self._nodes]
        if gateway is not None:
            work.append(asyncio.to_thread(self._files.sync, view, gateway))
        *found, _ = await asyncio.gather(*work, self._balancer.sync(view))
        return tuple(dict.fromkeys(finding for part in found for finding in part or ()))
