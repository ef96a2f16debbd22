"""One Envoy's whole configuration: checked, rendered to the files Envoy discovers it from, and parsed back.

In: messages of ``rules.envoy`` made by ``compile.gateway``.  Out: file name to bytes; ``apply.envoy`` writes them.
Every JSON file is one DiscoveryResponse.  Its version is a digest of its resources: equal content has an equal
version, so a restarted control process changes nothing.

Four files are watched, however many Services and certificates there are: Envoy takes one inotify instance for each
watched file and dies when the kernel refuses one (128 for a user by default).  So endpoints stand in the clusters'
file, and key pairs are files that are read once, named after their content.
Specification: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol (filesystem subscriptions).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from switchboard.rules import envoy

LISTENERS, CLUSTERS, BOOTSTRAP = "lds.json", "cds.json", "bootstrap.json"
ROUTES, KEYS = "rds/", "tls/"

Resource = envoy.Listener | envoy.RouteConfiguration | envoy.Cluster
R = TypeVar("R", bound=Resource)


class KeyPair(msgspec.Struct, frozen=True):
    """A certificate chain and its key, both PEM; ``name`` is ``namespace/name`` of a Secret, or one word."""

    chain: str
    key: str
    name: str = "default"

    def __repr__(self) -> str:
        """Without the key: it must never reach a log."""
        return f"KeyPair({self.name!r})"

    @property
    def stem(self) -> str:
        """Its files without their endings; other content has other files, so a listener tells that it changed."""
        digest = hashlib.blake2b(f"{self.chain}\0{self.key}".encode(), digest_size=8).hexdigest()
        return f"{KEYS}{self.name.replace('/', '_')}.{digest}"

    @property
    def message(self) -> envoy.TlsCertificate:
        """The reference to it."""
        files = (envoy.DataSource(envoy.File(f"{self.stem}.{ending}")) for ending in ("crt", "key"))
        return envoy.TlsCertificate(*files)


class EnvoyConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one Envoy serves; the parts refer to each other by name."""

    listeners: tuple[envoy.Listener, ...] = ()
    routes: tuple[envoy.RouteConfiguration, ...] = ()
    clusters: tuple[envoy.Cluster, ...] = ()
    key_pairs: tuple[KeyPair, ...] = ()


class DiscoveryFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """One DiscoveryResponse as it stands in a file."""

    version_info: str
    resources: tuple[Resource, ...] = ()


# ----------------------------------------------------------------------------------------------- validate


def validate(config: EnvoyConfig) -> tuple[str, ...]:
    """What Envoy would refuse or serve wrongly: double names, dangling references, ambiguous hosts; one sentence each.

    A compiler that produces any of these has broken its promise.
    """
    return tuple(_problems(config))


def _problems(config: EnvoyConfig) -> Iterator[str]:
    clusters = {c.name for c in config.clusters}
    pairs = {k.message for k in config.key_pairs}
    tables = {r.name for r in config.routes}
    yield from _doubles("listener", (x.name for x in config.listeners))
    yield from _doubles("route configuration", (x.name for x in config.routes))
    yield from _doubles("cluster", (x.name for x in config.clusters))
    yield from _doubles("key pair", (x.name for x in config.key_pairs))
    for table in config.routes:
        yield from _doubles(f"domain in {table.name}", (d for v in table.virtual_hosts for d in v.domains))
        yield from _doubles(f"virtual host in {table.name}", (v.name for v in table.virtual_hosts))
        for host in table.virtual_hosts:
            for route in host.routes:
                yield from _route_problems(route, clusters)
    for listener in config.listeners:
        chains = [*listener.filter_chains, *filter(None, (listener.default_filter_chain,))]
        yield from _doubles(f"filter chain in {listener.name}", (c.name for c in chains))
        names = (n for c in chains if c.filter_chain_match for n in c.filter_chain_match.server_names)
        yield from _doubles(f"server name in {listener.name}", names)
        for chain in chains:
            yield from _chain_problems(chain, tables, pairs)


def _doubles(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what} {name} occurs {count} times"
        if not name:
            yield f"{what} has an empty name"


def _route_problems(route: envoy.Route, clusters: set[str]) -> Iterator[str]:
    match = route.match
    if sum(map(bool, (match.prefix, match.path, match.path_separated_prefix, match.safe_regex))) != 1:
        yield f"route {route.name} must have exactly one path form"
    if sum(x is not None for x in (route.route, route.redirect, route.direct_response)) != 1:
        yield f"route {route.name} must have exactly one action"
    if route.route:
        weighted = route.route.weighted_clusters
        targets = [c.name for c in weighted.clusters] if weighted else [route.route.cluster]
        for name in targets:
            if name not in clusters:
                yield f"route {route.name} refers to cluster {name}, which does not exist"
        if weighted and not sum(c.weight for c in weighted.clusters):
            yield f"route {route.name} has no weight above 0"


def _chain_problems(chain: envoy.FilterChain, tables: set[str], pairs: set[envoy.TlsCertificate]) -> Iterator[str]:
    for each in chain.filters:
        if (table := each.typed_config.rds.route_config_name) not in tables:
            yield f"filter chain {chain.name} refers to routes {table}, which do not exist"
    if chain.transport_socket:
        for pair in chain.transport_socket.typed_config.common_tls_context.tls_certificates:
            if pair not in pairs:
                yield f"filter chain {chain.name} refers to {pair.private_key.filename.name}, which does not exist"


# ------------------------------------------------------------------------------------------ render, parse


def render(config: EnvoyConfig, directory: str) -> dict[str, bytes]:
    """File name below ``directory`` to content.  Raises ValueError when ``validate`` has anything to say."""
    if problems := validate(config):
        raise ValueError("; ".join(problems[:5]))
    encoder = msgspec.json.Encoder(enc_hook=lambda value: _absolute(value, directory))
    files = {CLUSTERS: _response(config.clusters, encoder), LISTENERS: _response(config.listeners, encoder)}
    for table in config.routes:
        files[ROUTES + envoy.file_name(table.name)] = _response((table,), encoder)
    for pair in config.key_pairs:
        files[f"{pair.stem}.crt"], files[f"{pair.stem}.key"] = pair.chain.encode(), pair.key.encode()
    return files


def clusters_file(clusters: Sequence[envoy.Cluster], directory: str) -> bytes:
    """The content of the clusters' file for other clusters than those of a whole configuration."""
    return _response(clusters, msgspec.json.Encoder(enc_hook=lambda value: _absolute(value, directory)))


def parse(files: Mapping[str, bytes], directory: str) -> EnvoyConfig:
    """The configuration that ``files`` describe, names sorted; raises msgspec.ValidationError for anything unknown."""
    decoder = msgspec.json.Decoder(DiscoveryFile, dec_hook=lambda _, value: _relative(value, directory))
    found: list[Resource] = []
    pairs: list[KeyPair] = []
    for name in sorted(files):
        if name.startswith(KEYS) and name.endswith(".crt"):
            key = files[name.removesuffix(".crt") + ".key"]
            secret = name.removeprefix(KEYS).rsplit(".", 2)[0].replace("_", "/")
            pairs.append(KeyPair(files[name].decode(), key.decode(), secret))
        elif not name.startswith(KEYS) and name != BOOTSTRAP:
            found += decoder.decode(files[name]).resources
    return EnvoyConfig(
        listeners=_only(found, envoy.Listener),
        routes=_only(found, envoy.RouteConfiguration),
        clusters=_only(found, envoy.Cluster),
        key_pairs=tuple(pairs),
    )


def version(content: bytes) -> str:
    """The version that a rendered file carries."""
    return msgspec.json.decode(content, type=DiscoveryVersion).version_info


class DiscoveryVersion(msgspec.Struct, frozen=True):
    """The version alone, read without decoding the resources."""

    version_info: str


def _only(found: Sequence[Resource], kind: type[R]) -> tuple[R, ...]:
    return tuple(r for r in found if isinstance(r, kind))


def _absolute(value: Any, directory: str) -> str:
    if isinstance(value, envoy.File):
        return f"{directory}/{value.name}"
    raise NotImplementedError(f"cannot render {type(value).__name__}")


def _relative(value: Any, directory: str) -> envoy.File:
    if isinstance(value, str) and value.startswith(f"{directory}/"):
        return envoy.File(value[len(directory) + 1 :])
    raise ValueError(f"{value} is not below {directory}")


def _response(resources: Sequence[Resource], encoder: msgspec.json.Encoder) -> bytes:
    body = encoder.encode(resources)
    # Eight bytes tell every two states apart that meet in one gateway's life.
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    return b'{"version_info":"' + digest.encode() + b'","resources":' + body + b"}\n"


# ---------------------------------------------------------------------------------------------- bootstrap


def bootstrap(directory: str, admin: str, node: str, cluster: str = "switchboard") -> bytes:
    """How an Envoy starts: everything by discovery from ``directory``, administration on the Unix socket ``admin``.

    ``node`` and ``cluster`` name the pod and the gateway.  The administration interface has no TCP address, ever.
    """
    discovery = {kind: {"path_config_source": {"path": f"{directory}/{file}"}, "resource_api_version": "V3"}
                 for kind, file in (("lds_config", LISTENERS), ("cds_config", CLUSTERS))}  # fmt: skip
    runtime = {
        # The compiler bounds regular expressions itself; Envoy's own limit of 100 refuses ordinary ones.
        "re2.max_program_size.error_level": 100_000,
        "re2.max_program_size.warn_level": 100_000,
    }
    return msgspec.json.encode(
        {
            "node": {"id": node, "cluster": cluster},
            "admin": {"address": {"pipe": {"path": admin, "mode": 0o600}}},
            "dynamic_resources": discovery,
            "layered_runtime": {"layers": [{"name": "gateway", "static_layer": runtime}]},
        }
    )
