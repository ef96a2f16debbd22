"""The two listeners of a gateway: plain HTTP, and HTTPS with one filter chain per certificate.

In: settings, and the certificates of the view that are usable.  Out: listeners and secrets.
Called by ``compile.gateway.config``.  A change of a Secret's content changes one secret file and no listener.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from switchboard.rules import envoy
from switchboard.rules.discovery import ROUTES, SECRETS
from switchboard.view.route import Certificate

HTTP, HTTPS, DEFAULT_SECRET = "http", "https", "default"

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


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate chain and its key, both PEM."""

    chain: str
    key: str

    def __repr__(self) -> str:
        """Without the key: it must never reach a log."""
        return "KeyPair(...)"


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
    chains = tuple(_chain(c.secret, c.hosts) for c in certificates)
    default = _chain(DEFAULT_SECRET, ()) if settings.default_certificate else None
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


def secrets(settings: Settings, certificates: Sequence[Certificate]) -> tuple[envoy.Secret, ...]:
    """The key pairs that the filter chains refer to, by Secret."""
    found = {c.secret: KeyPair(c.chain, c.key) for c in certificates}
    if settings.default_certificate:
        found[DEFAULT_SECRET] = settings.default_certificate
    return tuple(
        envoy.Secret(name, envoy.TlsCertificate(envoy.DataSource(pair.chain), envoy.DataSource(pair.key)))
        for name, pair in sorted(found.items())
    )


def _address(settings: Settings, port: int) -> envoy.Address:
    return envoy.Address(envoy.SocketAddress(settings.address, port, ipv4_compat=settings.address == "::"))


def _chain(secret: str, hosts: tuple[str, ...]) -> envoy.FilterChain:
    context = envoy.CommonTlsContext(
        tls_params=envoy.TlsParameters("TLSv1_2"),
        tls_certificate_sds_secret_configs=(
            envoy.SdsSecretConfig(secret, envoy.source(SECRETS + envoy.file_name(secret))),
        ),
        alpn_protocols=("h2", "http/1.1"),
    )
    return envoy.FilterChain(
        name=secret,
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
