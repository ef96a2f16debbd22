"""The two listeners of a gateway: plain HTTP, and HTTPS with one filter chain per certificate.

In: settings, and the certificates of the view that are usable.  Out: listeners and key pairs.
Called by ``compile.gateway.config``.  New content of a Secret changes one filter chain: Envoy takes that over in place,
connections of other chains do not notice.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from switchboard.rules import envoy
from switchboard.rules.discovery import ROUTES, KeyPair
from switchboard.view.route import Certificate

HTTP, HTTPS = "http", "https"

ACCESS_LOG = {
    "time": "%START_TIME%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "method": "%REQ(:METHOD)%",
    "host": "%REQ(:AUTHORITY)%",
    # Without the query, which may carry secrets; for the same reason no header values.
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream": "%UPSTREAM_HOST%",
    "duration_ms": "%DURATION%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where a gateway listens (inside its pod) and under which ports clients know it.

    ``default_certificate`` is served to names without one of their own; without it such handshakes fail.
    """

    address: str = "0.0.0.0"
    http_port: int = 80
    https_port: int = 443
    public_http_port: int = 80
    public_https_port: int = 443
    default_certificate: KeyPair | None = None


def listeners(settings: Settings, certificates: Sequence[Certificate]) -> tuple[envoy.Listener, ...]:
    """HTTP always, HTTPS when there is anything to show; ``certificates`` are usable and name each host once."""
    plain = envoy.Listener(
        name=HTTP,
        address=_address(settings, settings.http_port),
        filter_chains=(envoy.FilterChain(name=HTTP, filters=(_filter(HTTP),)),),
    )
    chains = tuple(_chain(KeyPair(c.chain, c.key, c.secret), c.hosts) for c in certificates)
    default = _chain(settings.default_certificate, ()) if settings.default_certificate else None
    if not chains and not default:
        return (plain,)
    inspector = envoy.ListenerFilter("envoy.filters.listener.tls_inspector", envoy.TlsInspector())
    secure = envoy.Listener(
        name=HTTPS,
        address=_address(settings, settings.https_port),
        filter_chains=chains,
        default_filter_chain=default,
        listener_filters=(inspector,),
    )
    return plain, secure


def key_pairs(settings: Settings, certificates: Sequence[Certificate]) -> tuple[KeyPair, ...]:
    """The key pairs that the filter chains refer to, one for each Secret."""
    found = {KeyPair(c.chain, c.key, c.secret) for c in certificates}
    found |= {settings.default_certificate} if settings.default_certificate else set()
    return tuple(sorted(found, key=lambda pair: pair.stem))


def _address(settings: Settings, port: int) -> envoy.Address:
    return envoy.Address(envoy.SocketAddress(settings.address, port, ipv4_compat=settings.address == "::"))


def _chain(pair: KeyPair, hosts: tuple[str, ...]) -> envoy.FilterChain:
    context = envoy.CommonTlsContext(
        tls_params=envoy.TlsParameters("TLSv1_2"),
        tls_certificates=(pair.message,),
        alpn_protocols=("h2", "http/1.1"),
    )
    return envoy.FilterChain(
        name=pair.name,
        filters=(_filter(HTTPS),),
        filter_chain_match=envoy.FilterChainMatch(tuple(sorted(hosts))) if hosts else None,
        transport_socket=envoy.TransportSocket("envoy.transport_sockets.tls", envoy.DownstreamTlsContext(context)),
    )


def _filter(table: str) -> envoy.NetworkFilter:
    manager = envoy.HttpConnectionManager(
        stat_prefix=table,
        rds=envoy.Rds(table, envoy.source(ROUTES + envoy.file_name(table))),
        http_filters=(envoy.HttpFilter("envoy.filters.http.router", envoy.Router(suppress_envoy_headers=True)),),
        access_log=(
            envoy.AccessLog("envoy.access_loggers.stdout", envoy.StdoutAccessLog(envoy.LogFormat(ACCESS_LOG))),
        ),
        use_remote_address=True,
        # Nobody is trusted with Envoy's own control headers, private address or not.
        internal_address_config=envoy.InternalAddressConfig(),
        preserve_external_request_id=True,
        strip_trailing_host_dot=True,
        normalize_path=True,
        merge_slashes=True,
        request_headers_timeout=envoy.seconds(60),
        upgrade_configs=(envoy.UpgradeConfig("websocket"),),
    )
    return envoy.NetworkFilter("envoy.filters.network.http_connection_manager", manager)
