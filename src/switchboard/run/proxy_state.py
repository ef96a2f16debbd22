"""One node's proxy, fed by a file: reads a state, programs nftables in this network namespace, and stays up.

``python -m switchboard.run.proxy_state --state FILE [--ack FILE]``.
In goes a JSON file with generation, node, nodes, services and endpointSlices, replaced by rename whenever it changes;
out come the tables of the proxy, and the generation that has been applied in the file of ``--ack``.
Without ``--ack`` it programs the state once and ends.  Called by packet laboratories that compare proxies.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from switchboard.apply.conntrack import Conntrack, KernelConntrack
from switchboard.apply.nft import KernelNft, Nft
from switchboard.base.discovery import load
from switchboard.base.errors import SwitchboardError
from switchboard.compile.modes._mode import DetectLocal, Mode, ProxyOptions
from switchboard.compile.stale_flows import stale_flows, udp_endpoints_changed
from switchboard.k8s import names
from switchboard.rules.nft import Ruleset
from switchboard.rules.nft_difference import difference, replacement
from switchboard.view.build import build
from switchboard.view.model import View

_SERVICE_CIDRS = ["10.96.0.0/12", "fd00:10:96::/112"]
_POLL_SECONDS = 0.02


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
    )


class Applied(msgspec.Struct, frozen=True):
    """What the node has been brought to."""

    view: View
    rules: Ruleset


def program(state: State, before: Applied | None, nft: Nft, conntrack: Conntrack | None = None) -> Applied:
    """Bring the kernel from ``before`` (None: unknown) to the rules of the state, then forget stale UDP flows."""
    view, _ = build(objects(state))
    mode: Mode = load("switchboard.compile.modes", "nftables", "MODE")
    rules: Ruleset
    rules, _ = mode.compile(view, state.node["name"], options(state.node))
    transaction = replacement(rules) if before is None else difference(before.rules, rules)
    nft.apply(transaction.render())
    if conntrack and udp_endpoints_changed(before.view if before else None, view):
        conntrack.forget(stale_flows(view, conntrack.udp_flows()))
    return Applied(view, rules)


def main() -> int:
    """Follow the state file until the process is ended; exit code 3 when the machine refuses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--ack", type=Path)
    arguments = parser.parse_args()
    nft, conntrack, generation = KernelNft(), KernelConntrack(), -1
    applied: Applied | None = None
    while True:
        state = msgspec.json.decode(arguments.state.read_bytes(), type=State)
        if state.generation != generation:
            try:
                applied = program(state, applied, nft, conntrack)
            except SwitchboardError as error:
                sys.stderr.write(f"{error}\n")
                return error.exit_code
            generation = state.generation
            if arguments.ack is None:
                return 0
            temporary = arguments.ack.with_suffix(".new")
            temporary.write_text(str(generation))
            temporary.replace(arguments.ack)
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
