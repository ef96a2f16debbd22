"""UDP flows that would go on reaching an endpoint that is no longer there, because the kernel remembers them.

In go the view after a sync and the flows that the kernel tracks; out come those that must be forgotten.
Called by ``run`` after a sync that changed endpoints of a UDP Service; TCP is never touched (K122).
Specification: K117 to K122 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable

from switchboard.rules.conntrack import Flow
from switchboard.view.model import View
from switchboard.view.service import Endpoint

_Endpoints = frozenset[tuple[str, int]]


def udp_endpoints_changed(before: View | None, after: View) -> bool:
    """Whether a sync from ``before`` (None: unknown) calls for a look at the flows (K117).

    Another address of a Service does not: a flow to it that passed untouched goes on so, as with kube-proxy.
    """

    def endpoints(view: View) -> dict[str, tuple[Endpoint, ...]]:
        return {p.key: p.endpoints for p in view.services if p.protocol == "UDP" and p.proxied and p.endpoints}

    return bool(endpoints(after)) and (before is None or endpoints(before) != endpoints(after))


def stale_flows(view: View, flows: Iterable[Flow]) -> tuple[Flow, ...]:
    """Flows to a UDP service port whose answers do not come from one of its serving endpoints.

    That includes flows from before there was any endpoint, which were never translated (K119); a service port
    without a serving endpoint is left alone (K120).  A NodePort is recognised by its number only (K118).
    """
    addresses: dict[tuple[str, int], _Endpoints] = {}
    node_ports: dict[int, _Endpoints] = {}
    for port in view.services:
        serving = frozenset((e.address, e.port) for e in port.endpoints if e.serving)
        if port.protocol != "UDP" or not port.proxied or not serving:
            continue
        for address in (*port.cluster_ips, *port.load_balancer_ips, *port.external_ips):
            addresses.setdefault((address, port.port), serving)
        if port.node_port:
            node_ports.setdefault(port.node_port, serving)
    stale = []
    for flow in flows:
        serving_now = addresses.get((flow.destination, flow.port)) or node_ports.get(flow.port)
        if flow.protocol == "udp" and serving_now and (flow.reply_source, flow.reply_port) not in serving_now:
            stale.append(flow)
    return tuple(stale)
