"""The compiler of a gateway: neutral facts in, one Envoy's whole configuration out.

In: a ``Gateway`` and the ``View`` it belongs to, settings of the pod.  Out: ``EnvoyConfig`` whose references all
resolve, and findings about what could not be honoured.  Called by ``run`` at every change, and by tests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.compile.gateway import clusters, entries, hosts, regex
from switchboard.compile.gateway.annotate import annotate
from switchboard.compile.gateway.clusters import Upstream
from switchboard.compile.gateway.draft import Draft
from switchboard.compile.gateway.listeners import HTTP, HTTPS, Settings, key_pairs, listeners
from switchboard.rules import envoy
from switchboard.rules.discovery import EnvoyConfig
from switchboard.view.model import View
from switchboard.view.route import Backend, Certificate, Gateway, PathMatch, Route
from switchboard.view.service import ServicePort


class _Planned(msgspec.Struct, frozen=True):
    """A route that can be served, with how."""

    route: Route
    draft: Draft


def compile(  # noqa: A001 — the verb of this package
    gateway: Gateway, view: View, settings: Settings | None = None
) -> tuple[EnvoyConfig, tuple[Finding, ...]]:
    """The configuration of every pod of ``gateway``; equal facts give equal bytes, whatever their order."""
    settings = settings or Settings()
    ports = {p.key: p for p in view.services}
    fallback = _fallback(gateway)
    planned, findings = _plan((*gateway.routes, *filter(None, (fallback,))))
    default = next((p for p in planned if p.route is fallback), None)
    certificates = _certificates(gateway)
    upstreams = sorted({u for p in planned for u in _upstreams(p, ports)})
    tables = tuple(_table(name, planned, default, gateway, ports, settings) for name in (HTTP, HTTPS))
    made = listeners(settings, certificates)
    config = EnvoyConfig(
        listeners=made,
        routes=tables[: len(made)],
        clusters=tuple(clusters.cluster(u, ports[u.key]) for u in upstreams),
        key_pairs=key_pairs(settings, certificates),
    )
    return config, findings


def _fallback(gateway: Gateway) -> Route | None:
    if gateway.default_route or gateway.default_backend is None:
        return gateway.default_route
    backend = gateway.default_backend
    return Route(
        owner=f"IngressClass {gateway.name}",
        field="default",
        host="",
        path="/",
        match=PathMatch.PREFIX,
        backend=backend,
    )


def _plan(routes: Sequence[Route]) -> tuple[list[_Planned], tuple[Finding, ...]]:
    planned: list[_Planned] = []
    findings: dict[Finding, None] = {}
    for route in routes:
        draft, said = annotate(route)
        findings.update(dict.fromkeys((*said, *_unusable(route))))
        if draft is not None and not entries.unusable(route):
            planned.append(_Planned(route, draft))
    return planned, tuple(sorted(findings, key=lambda f: (f.object, f.field, f.reference, f.message)))


def _unusable(route: Route) -> Iterator[Finding]:
    if why := entries.unusable(route):
        yield Finding(
            reference="path-unusable",
            message=f"path {route.path!r} is not served: {why}",
            object=route.owner,
            field=f"{route.field}.path",
        )
    canary = route.canary
    if canary and canary.header_pattern and not canary.header_value and (why := regex.problem(canary.header_pattern)):
        yield Finding(
            reference="canary-pattern-unusable",
            message=f"canary-by-header-pattern: {why}; requests that carry the header go to the main backend",
            severity=Severity.WARNING,
            object=canary.owner,
            field="metadata.annotations[canary-by-header-pattern]",
        )


def _upstream(backend: Backend | None, draft: Draft, ports: dict[str, ServicePort]) -> Upstream | None:
    """How a backend is reached, None when it has no endpoint that may get requests."""
    port = ports.get(backend.service_port) if backend else None
    if port is None or not clusters.usable(port):
        return None
    return Upstream(port.key, draft.protocol, draft.connect_timeout)


def _upstreams(planned: _Planned, ports: dict[str, ServicePort]) -> Iterator[Upstream]:
    """All clusters of a route.  One without endpoints is kept, so that its return costs no new cluster."""
    canary = planned.route.canary
    for backend in (planned.route.backend, canary.backend if canary else None):
        if backend and backend.service_port in ports:
            yield Upstream(backend.service_port, planned.draft.protocol, planned.draft.connect_timeout)


def _certificates(gateway: Gateway) -> tuple[Certificate, ...]:
    """Usable certificates by Secret; of two for one host the first, as a server name must be unique."""
    taken: set[str] = set()
    found: dict[str, Certificate] = {}
    for certificate in gateway.certificates:
        hosts_left = tuple(h for h in certificate.hosts if h not in taken)
        taken.update(hosts_left)
        if certificate.chain and hosts_left:
            known = found.get(certificate.secret)
            together = (*known.hosts, *hosts_left) if known else hosts_left
            found[certificate.secret] = msgspec.structs.replace(certificate, hosts=together)
    return tuple(found[secret] for secret in sorted(found))


def _table(
    name: str,
    planned: Sequence[_Planned],
    default: _Planned | None,
    gateway: Gateway,
    ports: dict[str, ServicePort],
    settings: Settings,
) -> envoy.RouteConfiguration:
    tls_names = {h for c in gateway.certificates for h in c.hosts}
    by_host: dict[str, list[envoy.Route]] = {}

    def compiled(each: _Planned) -> tuple[envoy.Route, ...]:
        canary = each.route.canary
        main = _upstream(each.route.backend, each.draft, ports)
        second = _upstream(canary.backend, each.draft, ports) if canary else None
        targets = entries.Targets(main.name if main else None, second.name if second else None)
        has_tls = bool(tls_names & ({each.route.host, _wildcard(each.route.host)} - {""}))
        scheme = entries.Scheme(name == HTTPS, has_tls, settings.public_https_port)
        return entries.entries(each.route, each.draft, targets, scheme)

    for each in planned:
        if each is not default:
            by_host.setdefault(each.route.host, []).extend(compiled(each))
    return envoy.RouteConfiguration(
        name,
        hosts.virtual_hosts(by_host, compiled(default) if default else ()),
        _forwarded(settings.public_https_port if name == HTTPS else settings.public_http_port),
        ignore_port_in_host_matching=True,
    )


def _wildcard(host: str) -> str:
    label, _, parent = host.partition(".")
    return f"*.{parent}" if label != "*" and parent else ""


def _forwarded(port: int) -> tuple[envoy.HeaderValueOption, ...]:
    """What pods learn about the client: the peer's address and nothing a client claims about itself."""
    told = {
        "x-forwarded-for": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "x-real-ip": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "x-forwarded-host": "%REQ(:AUTHORITY)%",
        "x-forwarded-port": str(port),
        "x-forwarded-scheme": "%REQ(X-FORWARDED-PROTO)%",
    }
    how = "OVERWRITE_IF_EXISTS_OR_ADD"
    return tuple(envoy.HeaderValueOption(envoy.HeaderValue(name, value), how) for name, value in told.items())
