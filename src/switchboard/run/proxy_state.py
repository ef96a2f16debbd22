"""One node's proxy, fed by a file: reads a state, programs this network namespace, answers health checks, stays up.

``python -m switchboard.run.proxy_state --state FILE [--ack FILE] [--mode MODE]``.
In goes a JSON file with generation, node, nodes, services and endpointSlices, replaced by rename whenever it changes;
out come the tables of the proxy, and the generation that has been applied in the file of ``--ack``.
Without ``--ack`` it programs the state once and ends.  Called by packet laboratories that compare proxies.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from switchboard.apply.conntrack import Conntrack, KernelConntrack
from switchboard.apply.iptables import Iptables, KernelIptables
from switchboard.apply.ipvs import refuse_ipvs
from switchboard.apply.nft import KernelNft, Nft
from switchboard.base.discovery import load
from switchboard.base.errors import SwitchboardError
from switchboard.compile.health import PORT, Answer, Progress, health_checks, healthy, proxy_answer
from switchboard.compile.modes._mode import DetectLocal, Mode, ProxyOptions
from switchboard.compile.stale_flows import stale_flows, udp_endpoints_changed
from switchboard.k8s import names
from switchboard.rules.iptables import Ruleset as Chains
from switchboard.rules.iptables import parse
from switchboard.rules.iptables_difference import difference as difference_of_chains
from switchboard.rules.nft import Ruleset
from switchboard.rules.nft_difference import difference, replacement
from switchboard.serve.health import HealthServers, listen
from switchboard.view.build import build
from switchboard.view.model import View

_SERVICE_CIDRS = ["10.96.0.0/12", "fd00:10:96::/112"]
_POLL_SECONDS = 0.02
#: Seconds after which a sync that failed is tried again (K101); a change that waits twice as long is a fault.
SYNC_PERIOD = 30.0
MODES = ("nftables", "iptables", "ipvs")
_Families = tuple[Chains, Chains]


class State(msgspec.Struct, kw_only=True):
    """The file: objects as Kubernetes has them, nodes as the laboratory describes them."""

    generation: int = 0
    node: dict[str, Any]
    nodes: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    endpoint_slices: list[dict[str, Any]] = msgspec.field(default_factory=list, name="endpointSlices")


def objects(state: State) -> dict[str, list[dict[str, Any]]]:
    """The state as Kubernetes objects by kind."""
    return {
        "Service": state.services,
        "EndpointSlice": state.endpoint_slices,
        "Node": [_node(n) for n in (state.node, *state.nodes)],
        "ServiceCIDR": [{"kind": "ServiceCIDR", "metadata": {"name": "kubernetes"}, "spec": {"cidrs": _SERVICE_CIDRS}}],
    }


def _node(node: dict[str, Any]) -> dict[str, Any]:
    zone = {names.ZONE_LABEL: node["zone"]} if node.get("zone") else {}
    return {
        "kind": "Node",
        "metadata": {"name": node["name"], "labels": zone},
        "spec": {"podCIDRs": node.get("podCIDRs", [])},
        "status": {"addresses": [{"type": "InternalIP", "address": a} for a in node.get("ips", [])]},
    }


def options(node: dict[str, Any]) -> ProxyOptions:
    """The proxy's settings from the description of its node."""
    detect = node.get("detectLocal") or {}
    mode = DetectLocal(detect.get("mode", DetectLocal.CLUSTER_CIDR))
    return ProxyOptions(
        detect_local=mode,
        cluster_cidrs=tuple(filter(None, node.get("clusterCIDR", "").split(","))),
        interface=detect.get("bridgeInterface") or detect.get("interfaceNamePrefix") or "",
        masquerade_all=bool(node.get("masqueradeAll")),
        node_port_addresses=tuple(node.get("nodePortAddresses") or ()),
        local_addresses=tuple(node.get("loIPs") or ()),
        localhost_node_ports=bool(node.get("localhostNodePorts", True)),
    )


class Applied(msgspec.Struct, frozen=True):
    """What the node has been brought to."""

    view: View
    rules: Any


def program(state: State, before: Applied | None, nft: Nft, conntrack: Conntrack | None = None) -> Applied:
    """Bring the kernel from ``before`` (None: unknown) to the nftables of the state, then forget stale UDP flows."""

    def tell(old: Ruleset | None, new: Ruleset) -> None:
        nft.apply((replacement(new) if old is None else difference(old, new)).render())

    return sync(state, before, _mode("nftables"), tell, conntrack)


def program_iptables(
    state: State, before: Applied | None, iptables: Iptables, conntrack: Conntrack | None = None
) -> Applied:
    """The same in iptables mode; what the kernel holds is read only when it is unknown."""

    def tell(old: _Families | None, new: _Families) -> None:
        if options(state.node).localhost_node_ports:
            iptables.route_loopback()
        for index, ruleset in enumerate(new):
            applied = old[index] if old else parse(iptables.save(ruleset.family), ruleset.family)[0]
            iptables.restore(ruleset.family, difference_of_chains(applied, ruleset))

    return sync(state, before, _mode("iptables"), tell, conntrack)


def sync(
    state: State, before: Applied | None, mode: Mode, tell: Callable[[Any, Any], None], conntrack: Conntrack | None
) -> Applied:
    """One sync in a proxy mode; ``tell`` takes the rules before (None: unknown) and after to the kernel."""
    view, _ = build(objects(state))
    rules, _ = mode.compile(view, state.node["name"], options(state.node))
    tell(before.rules if before else None, rules)
    if conntrack and udp_endpoints_changed(before.view if before else None, view):
        conntrack.forget(stale_flows(view, conntrack.udp_flows()))
    return Applied(view, rules)


def _mode(name: str) -> Mode:
    mode: Mode = load("switchboard.compile.modes", name, "MODE")
    return mode


class Proxy:
    """The program between two generations: what has been applied, and the servers for health."""

    def __init__(self, mode: Mode, clock: Callable[[], float] = time.time) -> None:
        self.mode, self.clock = mode, clock
        self.applied: Applied | None = None
        self.progress = Progress()
        self.servers = HealthServers(lambda: healthy(self.progress, self.clock(), SYNC_PERIOD))
        self._nft, self._iptables, self._conntrack = KernelNft(), KernelIptables(), KernelConntrack()

    async def take(self, state: State) -> None:
        """Bring the node to a state, then tell load balancers (K114); answers go on meanwhile."""
        self.progress = msgspec.structs.replace(self.progress, waiting=self.clock())
        self.applied = await asyncio.to_thread(self._program, state)
        self.progress = Progress(updated=self.clock())
        primary = "node-port-primary-address" in self.mode.features
        checks = health_checks(self.applied.view, state.node["name"], options(state.node), primary=primary)
        for finding in await self.servers.update(checks):
            sys.stderr.write(f"{finding.object}: {finding.message}\n")

    def _program(self, state: State) -> Applied:
        if self.mode.name == "iptables":
            return program_iptables(state, self.applied, self._iptables, self._conntrack)
        return program(state, self.applied, self._nft, self._conntrack)

    def answer(self, path: str) -> Answer | None:
        """The proxy's own health."""
        progress = dict.fromkeys((4, 6), self.progress)
        return proxy_answer(path, progress, self.clock(), sync_period=SYNC_PERIOD)


async def follow(proxy: Proxy, path: Path, ack: Path | None) -> int:
    """Take each generation of the file; without ``ack`` the first one only.  Never returns otherwise."""
    generation = -1
    if ack:
        with contextlib.suppress(OSError):
            await listen(("0.0.0.0", PORT), proxy.answer)
    while True:
        state = msgspec.json.decode(path.read_bytes(), type=State)
        if state.generation != generation:
            await proxy.take(state)
            generation = state.generation
            if ack is None:
                return 0
            temporary = ack.with_suffix(".new")
            temporary.write_text(str(generation))
            temporary.replace(ack)
        await asyncio.sleep(_POLL_SECONDS)


def main() -> int:
    """Follow the state file until the process is ended; exit code 3 when the machine refuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--ack", type=Path)
    parser.add_argument("--mode", choices=MODES, default=MODES[0])
    arguments = parser.parse_args()
    try:
        if arguments.mode == "ipvs":
            refuse_ipvs()
        return asyncio.run(follow(Proxy(_mode(arguments.mode)), arguments.state, arguments.ack))
    except SwitchboardError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
