"""What a gateway does with a request: certificate, redirect, route, canary, and the pods behind.

Comes in: a gateway, the request's parts, the index.  Goes out: hops and outcomes that sum to 1.
Called by ``trace.path`` when a connection has reached the pods of a gateway.
Specification: Ingress v1 and the annotations of ingress-nginx; the gateway sends to pod addresses itself, ready
endpoints only, equally in the long run.  Annotations that are not looked at are named, not guessed.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from switchboard.trace.canary import Decision, decide
from switchboard.trace.lookup import Lookup
from switchboard.trace.request import Url
from switchboard.trace.result import ONE, Choice, Hop, HopKind, Outcome, Stretch, Target, Verdict
from switchboard.trace.route import Match, certificate_for, names_host, normalize
from switchboard.view.route import Backend, Canary, Gateway, Route
from switchboard.view.service import Endpoint, ServicePort

_TRACED = {"ssl-redirect", "force-ssl-redirect", "affinity", "affinity-mode", "session-cookie-name", "use-regex"}
_ACME = "/.well-known/acme-challenge"


class HttpRequest(msgspec.Struct, frozen=True):
    """What a gateway sees; header names are in lower case, ``host`` is the Host header without port."""

    url: Url
    host: str
    headers: dict[str, str]
    cookies: dict[str, str]


def serve(gateway: Gateway, request: HttpRequest, lookup: Lookup) -> Stretch:
    """The way of a request through a gateway."""
    hops: tuple[Hop, ...] = ()
    if request.url.scheme == "https":
        hops = (_tls(gateway, request),)
    found = lookup.routes[gateway.name].match(request.host, request.url.path)
    if found is None:
        return _without_route(gateway, request, lookup, hops)
    redirect = _redirect(gateway, found.route, request)
    if redirect:
        return Stretch((*hops, _route_hop(found)), (redirect,))
    return _to_backend(found, request, lookup, hops)


def _tls(gateway: Gateway, request: HttpRequest) -> Hop:
    name = "" if request.url.address else request.url.host
    certificate, why = certificate_for(gateway.certificates, name)
    if certificate is None:
        return Hop(
            kind=HopKind.TLS,
            name=name or "no server name",
            where=f"gateway {gateway.name}",
            what="no certificate for this name",
            why="a client that verifies gives up here; what the gateway presents instead is not known",
        )
    return Hop(
        kind=HopKind.TLS,
        name=name or "no server name",
        where=f"gateway {gateway.name}",
        what=f"certificate of Secret {certificate.secret}",
        why=f"it {why}",
    )


def _route_hop(found: Match) -> Hop:
    route = found.route
    untraced = sorted(set(route.options) - _TRACED)
    aside = f"; not looked at: {', '.join(untraced)}" if untraced else ""
    return Hop(
        kind=HopKind.ROUTE,
        name=f"{route.host or 'any host'} {route.match.value} {route.path or '/'}",
        where=f"{route.owner} {route.field}".strip(),
        what=f"backend Service {_written(route.backend)}" if route.backend else "no usable backend",
        why=found.why + aside,
    )


def _written(backend: Backend) -> str:
    return f"{backend.service}:{backend.port}"


def _redirect(gateway: Gateway, route: Route, request: HttpRequest) -> Outcome | None:
    """The answer to plain HTTP on a host with TLS, None when the request goes on."""
    if request.url.scheme != "http":
        return None
    forced = route.options.get("force-ssl-redirect") == "true"
    wanted = route.options.get("ssl-redirect", "true") != "false" and names_host(gateway.certificates, request.host)
    if not (forced or wanted) or normalize(request.url.path).startswith(_ACME):
        return None
    target = f"https://{request.host}{request.url.path}"
    return Outcome(
        verdict=Verdict.REDIRECTED,
        status=308,
        reason=f"{route.owner} sends plain HTTP of this host to {target}.",
        hint="Ask for the https URL, or set the annotation ssl-redirect to false.",
    )


def _without_route(gateway: Gateway, request: HttpRequest, lookup: Lookup, hops: tuple[Hop, ...]) -> Stretch:
    host_known = lookup.routes[gateway.name].host_of(request.host) is not None
    missing = f"path {request.url.path} of host {request.host}" if host_known else f"host {request.host}"
    hop = Hop(
        kind=HopKind.ROUTE,
        name="no route",
        where=f"gateway {gateway.name}",
        what=f"default backend {_written(gateway.default_backend)}" if gateway.default_backend else "404",
        why=f"no rule takes {missing}",
    )
    if gateway.default_backend is None:
        outcome = Outcome(
            verdict=Verdict.NOT_FOUND,
            status=404,
            reason=f"No rule of gateway {gateway.name} takes {missing}.",
            hint="Compare host, path and pathType of the Ingress, and its class.",
        )
        return Stretch((*hops, hop), (outcome,))
    ready, end = _ready(gateway.default_backend, lookup)
    if end:
        return Stretch((*hops, hop), (end,))
    outcomes = _spread(gateway.default_backend, ready, lookup, ONE)
    return Stretch((*hops, hop, _pods_hop(outcomes)), outcomes)


def _to_backend(found: Match, request: HttpRequest, lookup: Lookup, hops: tuple[Hop, ...]) -> Stretch:
    route, route_hop = found.route, _route_hop(found)
    before = (*hops, route_hop)
    if route.backend is None:
        return Stretch(before, (_no_backend(f"{route.owner} names no usable backend for this path."),))
    main, end = _ready(route.backend, lookup)
    if end:
        # Even requests for the canary get 503 then: the gateway looks for the main backend first.
        return Stretch(before, (end,))
    sticky = _sticky(route, request)
    if sticky:
        return Stretch(before, (sticky,))
    if route.canary is None:
        outcomes = _spread(route.backend, main, lookup, ONE)
        return Stretch((*before, _pods_hop(outcomes)), outcomes)
    decision, canary = _canary(route.canary, route.backend, request, lookup)
    outcomes = _spread(route.backend, main, lookup, 1 - decision.share)
    outcomes += _spread(route.canary.backend, canary, lookup, decision.share)
    return Stretch((*before, _canary_hop(route.canary, route.backend, decision), _pods_hop(outcomes)), outcomes)


def _sticky(route: Route, request: HttpRequest) -> Outcome | None:
    """An affinity cookie that only the gateway can read decides before everything else."""
    cookie = route.options.get("session-cookie-name", "INGRESSCOOKIE")
    if route.options.get("affinity") != "cookie" or cookie not in request.cookies:
        return None
    return Outcome(
        verdict=Verdict.UNKNOWN,
        reason=f"The affinity cookie {cookie} names a pod in a form that only the gateway reads.",
        hint="Trace without the cookie to see where a new session goes.",
    )


def _canary(
    canary: Canary, main: Backend, request: HttpRequest, lookup: Lookup
) -> tuple[Decision, tuple[Endpoint, ...]]:
    if canary.backend.service_port and canary.backend.service_port == main.service_port:
        return Decision(Fraction(0), "it names the Service and port of the main backend"), ()
    ready, end = _ready(canary.backend, lookup)
    if end:
        return Decision(Fraction(0), f"it cannot answer: {end.reason}"), ()
    return decide(canary, request.headers, request.cookies), ready


def _canary_hop(canary: Canary, main: Backend, decision: Decision) -> Hop:
    return Hop(
        kind=HopKind.CANARY,
        name=canary.owner,
        what="shares the requests of this route",
        why=decision.why,
        choices=(
            Choice(main.service, 1 - decision.share, "main"),
            Choice(canary.backend.service, decision.share, "canary"),
        ),
    )


def _ready(backend: Backend, lookup: Lookup) -> tuple[tuple[Endpoint, ...], Outcome | None]:
    """The ready endpoints of a backend, or how a request for it ends."""
    port = lookup.ports.get(backend.service_port)
    if port is None:
        return (), _no_backend(f"Service {_written(backend)} does not exist, or has no such port.")
    ready = tuple(e for e in port.endpoints if e.ready)
    if not ready:
        return (), _no_backend(f"Service {_written(backend)} has no ready endpoint.")
    return ready, None


def _no_backend(reason: str) -> Outcome:
    return Outcome(
        verdict=Verdict.NO_BACKEND,
        status=503,
        reason=reason,
        hint="Check the backend's Service name and port, its selector, and whether its pods are ready.",
    )


def _spread(backend: Backend, ready: tuple[Endpoint, ...], lookup: Lookup, share: Fraction) -> tuple[Outcome, ...]:
    if not share:
        return ()
    port = lookup.ports[backend.service_port]
    each = share / len(ready)
    return tuple(answered(e, port, lookup, each) for e in ready)


def answered(endpoint: Endpoint, port: ServicePort | None, lookup: Lookup, share: Fraction) -> Outcome:
    """The outcome of reaching an endpoint."""
    pod = lookup.pods.get(endpoint.pod)
    target = Target(
        pod=endpoint.pod,
        address=endpoint.address,
        port=endpoint.port,
        service=f"{port.namespace}/{port.name}" if port else "",
        node=endpoint.node,
        zone=endpoint.zone or (lookup.nodes[endpoint.node].zone if endpoint.node in lookup.nodes else ""),
        images=pod.images if pod else (),
    )
    return Outcome(verdict=Verdict.ANSWERED, probability=share, target=target)


def _pods_hop(outcomes: tuple[Outcome, ...]) -> Hop:
    targets = [(o.target, o.probability) for o in outcomes if o.target]
    return Hop(
        kind=HopKind.PODS,
        name="pods",
        what="the gateway sends to pod addresses itself",
        why="ready endpoints only, in equal shares",
        choices=tuple(Choice(t.name, p, f"{t.service}, node {t.node or 'unknown'}") for t, p in targets),
    )
