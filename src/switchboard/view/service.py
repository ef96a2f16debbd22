"""Neutral facts about Services and their endpoints, for one cluster.

Made by ``view.build``, read by compilers, tracer and reports.  The unit is the service port
(namespace, name, port name, protocol), as in kube-proxy (K5 of the behaviour list).
"""

from __future__ import annotations

import msgspec


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One address and port behind a service port, with the three conditions of an EndpointSlice.

    ``port`` is the pod's port.  ``node`` and ``zone`` are empty when unknown.  ``zone_hints`` and
    ``node_hints`` come from the slice.  ``pod`` is ``namespace/name`` or empty.
    """

    address: str
    port: int
    node: str = ""
    zone: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: tuple[str, ...] = ()
    node_hints: tuple[str, ...] = ()
    pod: str = ""


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One port of one Service with everything that decides where its traffic goes.

    Addresses are canonical; ``cluster_ips`` has one entry per family.  ``node_port`` and
    ``health_check_node_port`` are 0 when there is none.  ``load_balancer_ips`` holds addresses with ipMode
    VIP only (K15).  ``source_ranges`` are CIDRs.  ``affinity_seconds`` is 0 for affinity None.
    ``headless`` ports have endpoints and no addresses; proxies ignore them.
    ``proxy_name`` names the other proxy that serves this Service instead of ours (K1), empty for ours.
    """

    namespace: str
    name: str
    port_name: str
    protocol: str
    port: int
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    node_port: int = 0
    health_check_node_port: int = 0
    source_ranges: tuple[str, ...] = ()
    internal_local: bool = False
    external_local: bool = False
    affinity_seconds: int = 0
    app_protocol: str = ""
    headless: bool = False
    proxy_name: str = ""
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def key(self) -> str:
        """``namespace/name:port-name/protocol``, unique in a cluster."""
        return f"{self.namespace}/{self.name}:{self.port_name}/{self.protocol}"

    @property
    def proxied(self) -> bool:
        """Whether a node's proxy programs it: it has an address of its own and no other proxy claims it (K1, K3)."""
        return bool(self.cluster_ips) and not self.headless and not self.proxy_name

    @property
    def externally_accessible(self) -> bool:
        """Has a NodePort, a load balancer address or an external address, as the proxy sees it (K19)."""
        return bool(self.node_port or self.load_balancer_ips or self.external_ips)
