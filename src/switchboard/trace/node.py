"""What the rules of one node do with a connection to a service address.

Comes in: the entry that the address leads to, the node, and where the connection comes from.
Goes out: a ruling: the endpoints it is spread over with equal probability, or why it ends here.
Called by ``trace.path``.  The endpoints come from ``view.choice``, which the proxy modes use too.
Specification: kube-proxy 1.36 in nftables mode, the packet-flow matrix (K38 to K88 of the behaviour list), with
sources recognised by the cluster's pod range.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import ip_address, ip_network

import msgspec

from switchboard.trace.lookup import Destination, Entry
from switchboard.trace.result import Outcome, Verdict
from switchboard.view.choice import addresses_of, choose, family_of
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort


class Source(StrEnum):
    """Where a connection comes from, as the node sees it."""

    OUTSIDE = "outside"
    POD = "pod"
    NODE = "node"


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """``endpoints`` share the connections equally; when there is none, ``end`` says what happens instead."""

    endpoints: tuple[Endpoint, ...] = ()
    masquerade: bool = False
    why: str = ""
    end: Outcome | None = None


def rule(entry: Entry, node: Node, source: Source, client: str) -> Ruling:
    """The ruling of one node; ``client`` is the source address, empty when unknown."""
    refused = _source_ranges(entry, client)
    if refused:
        return Ruling(end=refused)
    port = entry.port
    choice = choose(port, node, family_of(entry.address))
    if entry.kind is Destination.CLUSTER_IP:
        local, policy = port.internal_local, "internalTrafficPolicy"
        masquerade = source is not Source.POD
    else:
        local = port.external_local and source is Source.OUTSIDE
        policy = "externalTrafficPolicy"
        masquerade = source is Source.NODE or not port.external_local
    endpoints = choice.local if local else choice.cluster
    if endpoints:
        why = f"{policy} {'Local' if local else 'Cluster'}"
        if port.external_local and not local and entry.kind is not Destination.CLUSTER_IP:
            why = f"externalTrafficPolicy Local, but a connection from a {source} may use every endpoint"
        return Ruling(endpoints=endpoints, masquerade=masquerade, why=f"{why}{_selection(endpoints, port, local)}")
    return Ruling(end=_nothing(port, node, policy if local and choice.any_endpoints else ""))


def _selection(endpoints: tuple[Endpoint, ...], port: ServicePort, local: bool) -> str:
    """Why these endpoints and not all."""
    if not any(e.ready for e in endpoints):
        return ": none is ready, so those that terminate and still serve"
    ready = [e for e in port.endpoints if e.ready and family_of(e.address) == family_of(endpoints[0].address)]
    if local:
        return ": only endpoints on this node"
    if len(endpoints) < len(ready):
        return f": hints choose {len(endpoints)} of {len(ready)} ready endpoints"
    return ": all ready endpoints"


def _nothing(port: ServicePort, node: Node, policy: str) -> Outcome:
    service = f"{port.namespace}/{port.name}"
    if policy:
        return Outcome(
            verdict=Verdict.DROPPED,
            reason=f"{policy} is Local and node {node.name} has no usable endpoint of {service}; others have.",
            hint=f"Run a pod of {service} on {node.name}, or set {policy} to Cluster.",
        )
    return Outcome(
        verdict=Verdict.REFUSED,
        reason=f"Service {service} has no usable endpoint for port {port.port}.",
        hint="Compare its selector with the labels of the pods, and see whether they are ready.",
    )


def _source_ranges(entry: Entry, client: str) -> Outcome | None:
    """The end that loadBalancerSourceRanges puts to a connection, None when it may pass (K18, K83 to K88)."""
    ranges = addresses_of(entry.port.source_ranges, family_of(entry.address))
    if entry.kind is not Destination.LOAD_BALANCER or not ranges:
        return None
    networks = [ip_network(r, strict=False) for r in ranges]
    if any(n.prefixlen == 0 for n in networks):
        return None
    listed = ", ".join(ranges)
    if not client:
        return Outcome(
            verdict=Verdict.UNKNOWN,
            reason=f"loadBalancerSourceRanges admits {listed} only, and the client's address is not known.",
            hint="Name the client's address.",
        )
    if any(ip_address(client) in n for n in networks):
        return None
    return Outcome(
        verdict=Verdict.DROPPED,
        reason=f"{client} is in none of the loadBalancerSourceRanges: {listed}.",
        hint=f"Add the client's range to the Service {entry.port.namespace}/{entry.port.name}.",
    )
