"""What a gateway does with a request: certificate, redirect, route, canary, and the pods behind.

Comes in: a gateway, the request's parts, the index.  Goes out: hops and outcomes that sum to 1.
Called by ``trace.path`` when a connection has reached the pods of a gateway.
Specification: Ingress v1 and the annotations of ingress-nginx.  Endpoints and annotations are read by the compiler's
own functions (``compile.gateway``), so that the gateway and this cannot differ; the gateway sends to pod addresses
itself, equally in the long run.  Annotations that the gateway does not honour are named.
"""

from __future__ import annotations

from fractions import Fraction

import msgspec

from switchboard.base.findings import Finding
from switchboard.compile.gateway.annotate import annotate
from switchboard.compile.gateway.clusters import usable
from switchboard.compile.gateway.draft import Draft
from switchboard.compile.gateway.entries import ACME
from switchboard.trace.canary import Decision, decide
from switchboard.trace.lookup import Lookup
from switchboard.trace.request import Url
from switchboard.trace.result import ONE, Choice, Hop, HopKind, Outcome, Stretch, Target, Verdict
from switchboard.trace.route import Match, certificate_for, names_host, normalize
from switchboard.view.route import Backend, Canary, Gateway, PathMatch, Route
from switchboard.view.service import Endpoint, ServicePort


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
    table = lookup.routes[gateway.name]
    found = table.match(request.host, request.url.path)
    if found is None:
        missing = f"host {request.host}"
        if table.host_of(request.host) is not None:
            missing = f"path {request.url.path} of host {request.host}"
        fallback = _fallback(gateway)
        if fallback is None:
            return _not_found(gateway, missing, hops)
        found = Match(fallback, f"no rule takes {missing}, so the default backend does")
    draft, ignored = annotate(found.route)
    before = (*hops, _route_hop(found, ignored))
    if draft is None:
        reason = f"{found.route.owner} has an annotation that keeps the default backend from being served."
        return Stretch(before, (Outcome(verdict=Verdict.NOT_FOUND, status=404, reason=reason),))
    redirect = _redirect(gateway, found.route, draft, request)
    return Stretch(before, (redirect,)) if redirect else _to_backend(found.route, request, lookup, before)


def _fallback(gateway: Gateway) -> Route | None:
    """The default backend as a route of any host and path, None when there is none."""
    if gateway.default_route or gateway.default_backend is None:
        return gateway.default_route
    return Route(
        owner=f"IngressClass {gateway.name}",
        field="default",
        host="",
        path="/",
        match=PathMatch.PREFIX,
        backend=gateway.default_backend,
    )


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
        what=f"certificate of Secret {certificate.secret}, which {why}",
    )


def _route_hop(found: Match, ignored: tuple[Finding, ...]) -> Hop:
    route = found.route
    names = [f.field.removeprefix("metadata.annotations[").removesuffix("]") for f in ignored]
    aside = f"; not honoured: {', '.join(names)}" if names else ""
    return Hop(
        kind=HopKind.ROUTE,
        name=f"{route.host or 'any host'} {route.match.value} {route.path or '/'}",
        where=f"{route.owner} {route.field}".strip(),
        what=f"backend Service {_written(route.backend)}" if route.backend else "no usable backend",
        why=found.why + aside,
    )


def _written(backend: Backend) -> str:
    return f"{backend.service}:{backend.port}"


def _redirect(gateway: Gateway, route: Route, draft: Draft, request: HttpRequest) -> Outcome | None:
    """The redirect that a request is answered with, None when it goes on."""
    path = normalize(request.url.path)
    origin = f"{request.url.scheme}://{request.host}"
    if draft.temporal_redirect:
        return _redirected(draft.temporal_redirect_code, draft.temporal_redirect, route, "temporal-redirect")
    if draft.permanent_redirect:
        return _redirected(draft.permanent_redirect_code, draft.permanent_redirect, route, "permanent-redirect")
    if draft.app_root and path == "/":
        return _redirected(302, f"{origin}{draft.app_root}", route, "app-root")
    wanted = draft.ssl_redirect and bool(route.host) and names_host(gateway.certificates, route.host)
    if request.url.scheme != "http" or not (draft.force_ssl_redirect or wanted):
        return None
    if path.startswith(ACME) and route.match is not PathMatch.REGEX:
        return None
    return _redirected(308, f"https://{request.host}{request.url.path}", route, "ssl-redirect")


def _redirected(status: int, target: str, route: Route, annotation: str) -> Outcome:
    return Outcome(
        verdict=Verdict.REDIRECTED,
        status=status,
        reason=f"{route.owner} sends this request to {target} ({annotation}).",
        hint=f"Ask for {target}, or change the annotation {annotation}.",
    )


def _not_found(gateway: Gateway, missing: str, hops: tuple[Hop, ...]) -> Stretch:
    why = f"no rule takes {missing}, and there is no default backend"
    hop = Hop(kind=HopKind.ROUTE, name="no route", where=f"gateway {gateway.name}", what="404", why=why)
    outcome = Outcome(
        verdict=Verdict.NOT_FOUND,
        status=404,
        reason=f"No rule of gateway {gateway.name} takes {missing}.",
        hint="Compare host, path and pathType of the Ingress, and its class.",
    )
    return Stretch((*hops, hop), (outcome,))


def _to_backend(route: Route, request: HttpRequest, lookup: Lookup, before: tuple[Hop, ...]) -> Stretch:
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
    hop = _canary_hop(route.canary, route.backend, decision)
    return Stretch((*before, hop, _pods_hop(outcomes)), outcomes)


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
        what=f"takes {_share(decision.share)} of these requests",
        why=decision.why,
        choices=(
            Choice(main.service, 1 - decision.share, "main"),
            Choice(canary.backend.service, decision.share, "canary"),
        ),
    )


def _share(share: Fraction) -> str:
    if share in (0, 1):
        return "all" if share else "none"
    return f"{share.numerator} in {share.denominator}"


def _ready(backend: Backend, lookup: Lookup) -> tuple[tuple[Endpoint, ...], Outcome | None]:
    """The endpoints of a backend that get requests, or how a request for it ends."""
    port = lookup.ports.get(backend.service_port)
    if port is None:
        return (), _no_backend(f"Service {_written(backend)} does not exist, or has no such port.")
    endpoints = tuple(dict.fromkeys(usable(port)))
    if not endpoints:
        return (), _no_backend(f"Service {_written(backend)} has no ready endpoint.")
    return endpoints, None


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
        name="one ready pod",
        why="ready endpoints in equal shares; the gateway sends to pod addresses itself",
        choices=tuple(Choice(t.name, p, f"{t.service} on {t.node or 'an unknown node'}") for t, p in targets),
    )
