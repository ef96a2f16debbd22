"""The addresses of a node that answer NodePorts, and with them health checks of load balancers.

In go a node and the proxy's settings; out come addresses, or None for "every local one".
Called by the proxy modes and ``compile.health``.
Specification: K73 to K76 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

import ipaddress

from switchboard.compile.modes._mode import ProxyOptions
from switchboard.view.choice import addresses_of
from switchboard.view.node import Node

PRIMARY = ("primary",)


def limits(family: int, options: ProxyOptions) -> tuple[str, ...]:
    """The CIDRs of one family (4 or 6) that NodePorts are limited to."""
    return tuple(r for r in addresses_of(options.node_port_addresses, family) if "/" in r)


def accepting(family: int, node: Node, options: ProxyOptions, *, primary: bool) -> frozenset[str] | None:
    """The addresses of one family that answer NodePorts, None for every local address.

    ``primary`` says that the mode's default is the node's first address rather than every one (K73, K74).
    """
    mine = addresses_of(node.addresses, family)
    if options.node_port_addresses == PRIMARY or (primary and not options.node_port_addresses):
        return frozenset(mine[:1])
    wanted = [ipaddress.ip_network(r, strict=False) for r in limits(family, options)]
    if not wanted or any(r.prefixlen == 0 for r in wanted):
        return None
    loopback = ("127.0.0.1", "::1")[family == 6]
    candidates = {*mine, *addresses_of(options.local_addresses, family), loopback}
    return frozenset(a for a in candidates if any(ipaddress.ip_address(a) in r for r in wanted))
