"""Service ports as Envoy clusters with their endpoints.

In: the service ports that routes refer to and how each is spoken to.  Out: clusters with their endpoints.
Called by ``compile.gateway.config``.  A change of endpoints replaces one cluster; Envoy lets requests that are under
way end on the old one.
"""

from __future__ import annotations

import msgspec

from switchboard.compile.gateway.draft import Draft, Protocol
from switchboard.rules import envoy
from switchboard.view.choice import addresses_of, family_of
from switchboard.view.service import Endpoint, ServicePort

_UNLIMITED = 1_000_000_000


class Upstream(msgspec.Struct, frozen=True, order=True):
    """A service port and how it is spoken to; two routes may ask for different ways."""

    key: str
    protocol: Protocol = Protocol.HTTP
    connect_timeout: int = Draft().connect_timeout

    @property
    def name(self) -> str:
        """The cluster's name: the key alone for the usual way."""
        protocol = f"|{self.protocol}" if self.protocol is not Protocol.HTTP else ""
        timeout = f"|{self.connect_timeout}s" if self.connect_timeout != Draft().connect_timeout else ""
        return f"{self.key}{protocol}{timeout}"


def usable(port: ServicePort) -> tuple[Endpoint, ...]:
    """The endpoints that get requests: ready ones, and only without any those that still serve while terminating.

    Of a dual-stack Service the first family: both families lead to the same pods.
    """
    addresses = (*port.cluster_ips, *(e.address for e in port.endpoints))
    family = next((family_of(a) for a in addresses), 4)
    of_family = [e for e in port.endpoints if addresses_of((e.address,), family)] or list(port.endpoints)
    ready = tuple(e for e in of_family if e.ready)
    return ready or tuple(e for e in of_family if e.serving and e.terminating)


def assignment(port: ServicePort) -> envoy.ClusterLoadAssignment:
    """The endpoints of a service port, grouped by zone, in an order of their own."""
    zones: dict[str, list[Endpoint]] = {}
    for endpoint in sorted(set(usable(port)), key=lambda e: (e.address, e.port)):
        zones.setdefault(endpoint.zone, []).append(endpoint)
    groups = (
        envoy.LocalityLbEndpoints(
            tuple(
                envoy.LbEndpoint(envoy.EndpointAddress(envoy.Address(envoy.SocketAddress(e.address, e.port))))
                for e in zones[zone]
            ),
            envoy.Locality(zone) if zone else None,
        )
        for zone in sorted(zones)
    )
    return envoy.ClusterLoadAssignment(port.key, tuple(groups))


def cluster(upstream: Upstream, port: ServicePort) -> envoy.Cluster:
    """The cluster of one way to speak to a service port, which may be without endpoints."""
    http2 = upstream.protocol in (Protocol.GRPC, Protocol.GRPCS)
    options = envoy.HttpProtocolOptions(
        envoy.ExplicitHttpConfig(None, {}) if http2 else envoy.ExplicitHttpConfig({}),
        envoy.CommonHttpOptions(idle_timeout=envoy.seconds(60)),
    )
    tls = upstream.protocol in (Protocol.HTTPS, Protocol.GRPCS)
    return envoy.Cluster(
        name=upstream.name,
        type="STATIC",
        load_assignment=assignment(port),
        connect_timeout=envoy.seconds(upstream.connect_timeout),
        typed_extension_protocol_options=envoy.ClusterExtensions(options),
        # Like ingress-nginx: no ceiling of its own, pods defend themselves; Envoy's 1,024 would answer 503.
        circuit_breakers=envoy.CircuitBreakers((envoy.Thresholds(*(_UNLIMITED,) * 4),)),
        common_lb_config=envoy.CommonLbConfig(envoy.Percent(0)),
        transport_socket=_tls(http2) if tls else None,
    )


def _tls(http2: bool) -> envoy.TransportSocket:
    # Pods show certificates of their own making; like ingress-nginx by default, they are not verified.
    context = envoy.CommonTlsContext(alpn_protocols=("h2",) if http2 else ())
    return envoy.TransportSocket("envoy.transport_sockets.tls", envoy.UpstreamTlsContext(context))
