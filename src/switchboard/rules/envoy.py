"""The part of Envoy's API that the gateway uses, as frozen messages.

In: values from ``compile.gateway``.  Out: messages that ``rules.discovery`` validates, renders and parses.
Field names are those of https://www.envoyproxy.io/docs/envoy/latest/api-v3/api; defaults are left out of the JSON.
A message that Envoy packs into ``typed_config`` carries its type in ``@type``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

_TYPE = "type.googleapis.com/envoy"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


class Message(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of all messages: frozen, rendered without defaults, parsed without surprises."""


class File:
    """A file below the discovery directory; the directory is known when rendering only."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """``name`` is relative (``sds/a.json``)."""
        self._name = name

    @property
    def name(self) -> str:
        """The path below the directory."""
        return self._name

    def __repr__(self) -> str:
        """As it is written in a program."""
        return f"File({self._name!r})"

    def __eq__(self, other: object) -> bool:
        """By name."""
        return isinstance(other, File) and other.name == self._name

    def __hash__(self) -> int:
        """By name."""
        return hash(self._name)


def seconds(value: float) -> str:
    """A duration as Envoy's JSON writes it."""
    return f"{value:g}s"


def file_name(resource: str) -> str:
    """A resource name as a file name; Kubernetes names hold no underscore, so it stays unique."""
    return resource.replace("/", "_").replace(":", "_") + ".json"


# ------------------------------------------------------------------------------------------------- shared


class PathConfigSource(Message, frozen=True):
    path: File


class ConfigSource(Message, frozen=True):
    path_config_source: PathConfigSource
    resource_api_version: Literal["V3"]


def source(name: str) -> ConfigSource:
    """Discovery from one file."""
    return ConfigSource(PathConfigSource(File(name)), "V3")


class SocketAddress(Message, frozen=True):
    address: str
    port_value: int
    ipv4_compat: bool = False


class Address(Message, frozen=True):
    socket_address: SocketAddress


class Regex(Message, frozen=True):
    regex: str


class StringMatcher(Message, frozen=True):
    exact: str = ""
    safe_regex: Regex | None = None


class HeaderValue(Message, frozen=True):
    key: str
    value: str


class HeaderValueOption(Message, frozen=True):
    header: HeaderValue
    append_action: str = "APPEND_IF_EXISTS_OR_ADD"


class TlsParameters(Message, frozen=True):
    tls_minimum_protocol_version: str


class DataSource(Message, frozen=True):
    filename: File


class TlsCertificate(Message, frozen=True):
    """Read once, when the listener is; no key ever stands in a message."""

    certificate_chain: DataSource
    private_key: DataSource


class CommonTlsContext(Message, frozen=True):
    tls_params: TlsParameters | None = None
    tls_certificates: tuple[TlsCertificate, ...] = ()
    alpn_protocols: tuple[str, ...] = ()


class DownstreamTlsContext(
    Message, frozen=True, tag_field="@type", tag=f"{_TYPE}.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
):
    common_tls_context: CommonTlsContext


class UpstreamTlsContext(
    Message, frozen=True, tag_field="@type", tag=f"{_TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
):
    common_tls_context: CommonTlsContext
    sni: str = ""


class TransportSocket(Message, frozen=True):
    name: str
    typed_config: DownstreamTlsContext | UpstreamTlsContext


# ------------------------------------------------------------------------------------------------- routes


class HeaderMatcher(Message, frozen=True):
    name: str
    string_match: StringMatcher | None = None
    present_match: bool = False
    invert_match: bool = False


class CookieMatcher(Message, frozen=True):
    name: str
    string_match: StringMatcher


class RouteMatch(Message, frozen=True):
    """Exactly one of the four path forms is set."""

    prefix: str = ""
    path: str = ""
    path_separated_prefix: str = ""
    safe_regex: Regex | None = None
    headers: tuple[HeaderMatcher, ...] = ()
    cookies: tuple[CookieMatcher, ...] = ()


class ClusterWeight(Message, frozen=True):
    name: str
    weight: int


class WeightedClusters(Message, frozen=True):
    clusters: tuple[ClusterWeight, ...]


class RetryHostPredicate(Message, frozen=True):
    name: str
    typed_config: dict[str, str]


class RetryPolicy(Message, frozen=True):
    retry_on: str = ""
    num_retries: int = 1
    per_try_idle_timeout: str = ""
    host_selection_retry_max_attempts: int = 0
    retry_host_predicate: tuple[RetryHostPredicate, ...] = ()


class RegexRewrite(Message, frozen=True):
    pattern: Regex
    substitution: str


class RouteAction(Message, frozen=True):
    """Forward to ``cluster`` or over ``weighted_clusters``; ``timeout`` 0s means no limit for a whole answer."""

    cluster: str = ""
    weighted_clusters: WeightedClusters | None = None
    timeout: str = ""
    idle_timeout: str = ""
    retry_policy: RetryPolicy | None = None
    regex_rewrite: RegexRewrite | None = None


class RedirectAction(Message, frozen=True):
    https_redirect: bool = False
    port_redirect: int = 0
    path_redirect: str = ""
    strip_query: bool = False
    response_code: str = "MOVED_PERMANENTLY"


class DirectResponseAction(Message, frozen=True):
    status: int


class Route(Message, frozen=True, kw_only=True):
    """One entry of a virtual host; ``name`` appears in the access log and names the owner."""

    name: str
    match: RouteMatch
    route: RouteAction | None = None
    redirect: RedirectAction | None = None
    direct_response: DirectResponseAction | None = None
    response_headers_to_add: tuple[HeaderValueOption, ...] = ()


class VirtualHost(Message, frozen=True):
    name: str
    domains: tuple[str, ...]
    routes: tuple[Route, ...]


class RouteConfiguration(Message, frozen=True, tag_field="@type", tag=f"{_TYPE}.config.route.v3.RouteConfiguration"):
    name: str
    virtual_hosts: tuple[VirtualHost, ...] = ()
    request_headers_to_add: tuple[HeaderValueOption, ...] = ()
    ignore_port_in_host_matching: bool = False


# ---------------------------------------------------------------------------------------------- listeners


class Rds(Message, frozen=True):
    route_config_name: str
    config_source: ConfigSource


class Router(Message, frozen=True, tag_field="@type", tag=f"{_TYPE}.extensions.filters.http.router.v3.Router"):
    suppress_envoy_headers: bool = False


class HttpFilter(Message, frozen=True):
    name: str
    typed_config: Router


class LogFormat(Message, frozen=True):
    json_format: dict[str, str]


class StdoutAccessLog(
    Message, frozen=True, tag_field="@type", tag=f"{_TYPE}.extensions.access_loggers.stream.v3.StdoutAccessLog"
):
    log_format: LogFormat


class AccessLog(Message, frozen=True):
    name: str
    typed_config: StdoutAccessLog


class UpgradeConfig(Message, frozen=True):
    upgrade_type: str


class InternalAddressConfig(Message, frozen=True):
    unix_sockets: bool = False


class HttpConnectionManager(
    Message,
    frozen=True,
    kw_only=True,
    tag_field="@type",
    tag=f"{_TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
):
    stat_prefix: str
    rds: Rds
    http_filters: tuple[HttpFilter, ...]
    access_log: tuple[AccessLog, ...] = ()
    use_remote_address: bool = False
    internal_address_config: InternalAddressConfig | None = None
    preserve_external_request_id: bool = False
    strip_trailing_host_dot: bool = False
    normalize_path: bool = False
    merge_slashes: bool = False
    request_headers_timeout: str = ""
    upgrade_configs: tuple[UpgradeConfig, ...] = ()


class NetworkFilter(Message, frozen=True):
    name: str
    typed_config: HttpConnectionManager


class FilterChainMatch(Message, frozen=True):
    server_names: tuple[str, ...] = ()


class FilterChain(Message, frozen=True, kw_only=True):
    name: str
    filters: tuple[NetworkFilter, ...]
    filter_chain_match: FilterChainMatch | None = None
    transport_socket: TransportSocket | None = None


class TlsInspector(
    Message, frozen=True, tag_field="@type", tag=f"{_TYPE}.extensions.filters.listener.tls_inspector.v3.TlsInspector"
):
    pass


class ListenerFilter(Message, frozen=True):
    name: str
    typed_config: TlsInspector


class Listener(Message, frozen=True, kw_only=True, tag_field="@type", tag=f"{_TYPE}.config.listener.v3.Listener"):
    name: str
    address: Address
    filter_chains: tuple[FilterChain, ...] = ()
    default_filter_chain: FilterChain | None = None
    listener_filters: tuple[ListenerFilter, ...] = ()


# ----------------------------------------------------------------------------------------------- clusters


class EndpointAddress(Message, frozen=True):
    address: Address


class LbEndpoint(Message, frozen=True):
    endpoint: EndpointAddress


class Locality(Message, frozen=True):
    zone: str = ""


class LocalityLbEndpoints(Message, frozen=True):
    lb_endpoints: tuple[LbEndpoint, ...]
    locality: Locality | None = None


class ClusterLoadAssignment(Message, frozen=True):
    cluster_name: str
    endpoints: tuple[LocalityLbEndpoints, ...] = ()


class Thresholds(Message, frozen=True):
    max_connections: int
    max_pending_requests: int
    max_requests: int
    max_retries: int


class CircuitBreakers(Message, frozen=True):
    thresholds: tuple[Thresholds, ...]


class Percent(Message, frozen=True):
    value: float


class CommonLbConfig(Message, frozen=True):
    healthy_panic_threshold: Percent


class CommonHttpOptions(Message, frozen=True):
    idle_timeout: str = ""


class ExplicitHttpConfig(Message, frozen=True):
    """Exactly one is set, both are empty messages."""

    http_protocol_options: dict[str, str] | None = None
    http2_protocol_options: dict[str, str] | None = None


class HttpProtocolOptions(
    Message, frozen=True, tag_field="@type", tag=f"{_TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions"
):
    explicit_http_config: ExplicitHttpConfig
    common_http_protocol_options: CommonHttpOptions | None = None


class ClusterExtensions(Message, frozen=True, rename={"http": _HTTP_OPTIONS}):
    http: HttpProtocolOptions


class Cluster(Message, frozen=True, kw_only=True, tag_field="@type", tag=f"{_TYPE}.config.cluster.v3.Cluster"):
    name: str
    type: Literal["STATIC"]
    load_assignment: ClusterLoadAssignment
    connect_timeout: str
    typed_extension_protocol_options: ClusterExtensions
    circuit_breakers: CircuitBreakers | None = None
    common_lb_config: CommonLbConfig | None = None
    transport_socket: TransportSocket | None = None
