"""Which endpoints of a service port a node uses: the one decision that every proxy mode and the tracer share.

In go one ``ServicePort``, one ``Node`` and an address family; out come the two lists that traffic is spread over.
Called by the proxy modes in ``compile.modes`` and by ``trace``.
Specification: CategorizeEndpoints of kube-proxy 1.36, K24 to K37 of the behaviour list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort


class Choice(msgspec.Struct, frozen=True):
    """The endpoints of one family of a service port, as one node sees them.

    ``cluster`` serves traffic under the Cluster policy (and the short circuits of external Local), ``local``
    serves traffic under the Local policy; each keeps the order of ``ServicePort.endpoints``.
    ``any_endpoints`` is cluster-wide: it separates *drop* (endpoints elsewhere) from *reject* (none at all).
    """

    cluster: tuple[Endpoint, ...] = ()
    local: tuple[Endpoint, ...] = ()
    any_endpoints: bool = False

    @property
    def reachable(self) -> tuple[Endpoint, ...]:
        """The union of both lists: what this node may send packets to (K36, K45)."""
        return self.cluster + tuple(e for e in self.local if e not in self.cluster)


def family_of(address: str) -> int:
    """4 or 6, the family of an address or CIDR that is already canonical."""
    return 6 if ":" in address else 4


def addresses_of(addresses: Iterable[str], family: int) -> tuple[str, ...]:
    """Those addresses or CIDRs that belong to the family (4 or 6), in order."""
    return tuple(a for a in addresses if family_of(a) == family)


def externally_accessible(port: ServicePort, family: int) -> bool:
    """Has an external destination in this family: each family has a proxy of its own, which sees only that (K19)."""
    return bool(
        port.node_port or addresses_of(port.load_balancer_ips, family) or addresses_of(port.external_ips, family)
    )


def choose(port: ServicePort, node: Node, family: int | None = None) -> Choice:
    """The endpoints that ``node`` uses for ``port``.

    ``family`` is 4 or 6; by default the family of the Service's first address (or of its first endpoint).
    Hints and conditions of the other family's endpoints do not count, as each family is programmed by itself (K8).
    """
    if family is None:
        family = next((family_of(a) for a in (*port.cluster_ips, *(e.address for e in port.endpoints))), 4)
    external = externally_accessible(port, family)
    endpoints = [e for e in port.endpoints if family_of(e.address) == family]
    usable = _ready_or_draining(endpoints)
    cluster: tuple[Endpoint, ...] = ()
    local: tuple[Endpoint, ...] = ()
    if external or not port.internal_local:
        near = _near(node, endpoints)
        cluster = tuple(filter(near, usable)) if near else usable
    if port.internal_local or (external and port.external_local):
        local = _ready_or_draining([e for e in endpoints if e.node == node.name and node.name])
    return Choice(cluster, local, bool(usable))


def _ready_or_draining(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """Ready endpoints; only if there is none, those that still serve while they terminate (K24 to K26)."""
    found = tuple(endpoints)
    return tuple(e for e in found if e.ready) or tuple(e for e in found if e.serving and e.terminating)


def _near(node: Node, endpoints: Iterable[Endpoint]) -> Callable[[Endpoint], bool] | None:
    """The topology filter that the hints of the ready endpoints ask for, None for none (K27 to K33)."""
    ready = [e for e in endpoints if e.ready]
    if ready and all(e.node_hints for e in ready) and any(node.name in e.node_hints for e in ready):
        return lambda e: node.name in e.node_hints
    if node.zone and ready and all(e.zone_hints for e in ready) and any(node.zone in e.zone_hints for e in ready):
        return lambda e: node.zone in e.zone_hints
    return None
