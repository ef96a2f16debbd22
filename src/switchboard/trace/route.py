"""Which route of a gateway takes a request: host first, then path.

Comes in: a ``Gateway`` (or its ``RouteTable``, built once), a host, a raw path.  Goes out: a ``Route`` or None.
Called by ``trace.gateway``; tests compare it with the real data plane.
Specification: networking.k8s.io/v1 IngressRule.host and HTTPIngressPath.pathType, and for regular expressions
and normalised URLs the behaviour of ingress-nginx.  The host is chosen before the path and never revised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote

import msgspec

from switchboard.view.route import Certificate, Gateway, PathMatch, Route


class Match(msgspec.Struct, frozen=True):
    """A route, and why it and no other."""

    route: Route
    why: str


class RouteTable:
    """The routes of a gateway by host; immutable once built."""

    def __init__(self, gateway: Gateway) -> None:
        """Indexes ``gateway.routes``; their order within a host is kept."""
        self._by_host: dict[str, list[Route]] = {}
        for route in gateway.routes:
            self._by_host.setdefault(route.host.lower(), []).append(route)

    def host_of(self, host: str) -> str | None:
        """The rule host that takes a host: the exact one, else ``*.parent``, else any (empty); None for none."""
        name = plain_host(host)
        return next((h for h in (name, wildcard_of(name), "") if h in self._by_host), None)

    def match(self, host: str, path: str) -> Match | None:
        """The route that takes a request, None when the host or the path has none."""
        rule_host = self.host_of(host)
        if rule_host is None:
            return None
        wanted = normalize(path)
        candidates = [r for r in self._by_host[rule_host] if _takes(r, wanted)]
        if not candidates:
            return None
        return Match(*_best(candidates, rule_host, any(r.match is PathMatch.REGEX for r in self._by_host[rule_host])))


def match(gateway: Gateway, host: str, path: str, headers: Mapping[str, str] | None = None) -> Route | None:
    """The route of a gateway that takes a request.

    ``headers`` take no part for Ingress, whose rules name host and path only; they decide later about canaries.
    """
    del headers
    found = RouteTable(gateway).match(host, path)
    return found.route if found else None


def plain_host(host: str) -> str:
    """A Host header or name as it is compared: lower case, without port and without a final dot."""
    name = host.lower()
    if name.startswith("["):
        return name.partition("]")[0][1:]
    return (name.partition(":")[0] if name.count(":") == 1 else name).removesuffix(".")


def wildcard_of(name: str) -> str:
    """The wildcard that covers a name, which stands for exactly one label: ``*.b.c`` for ``a.b.c``."""
    label, dot, parent = name.partition(".")
    return f"*.{parent}" if label and dot and parent else ""


def certificate_for(certificates: tuple[Certificate, ...], name: str) -> tuple[Certificate | None, str]:
    """The certificate presented for a server name and why: exact host, then wildcard, then a default one.

    One without a usable chain is passed over; None when nothing is left.
    """
    wanted = plain_host(name)
    for hosts, why in ((wanted, "names this host"), (wildcard_of(wanted), "covers this host by a wildcard")):
        for certificate in certificates:
            if hosts and certificate.chain and hosts in (h.lower() for h in certificate.hosts):
                return certificate, why
    for certificate in certificates:
        if certificate.chain and not certificate.hosts:
            return certificate, "is the default: no certificate names this host"
    return None, ""


def names_host(certificates: tuple[Certificate, ...], name: str) -> bool:
    """Whether TLS is set up for a host, with a usable certificate or without."""
    wanted = {plain_host(name), wildcard_of(plain_host(name))} - {""}
    return any(wanted & {h.lower() for h in c.hosts} for c in certificates)


def normalize(path: str) -> str:
    """The path as it is compared: without query, percent-decoded, slashes merged, dot segments resolved."""
    text = unquote(path.partition("?")[0].partition("#")[0])
    kept: list[str] = []
    elements = text.split("/")[1:]
    for element in elements:
        if element == "..":
            del kept[-1:]
        elif element not in ("", "."):
            kept.append(element)
    slash = "/" if kept and elements[-1] in ("", ".", "..") else ""
    return "/" + "/".join(kept) + slash


def _takes(route: Route, path: str) -> bool:
    if route.match is PathMatch.EXACT:
        return path == route.path
    if route.match is PathMatch.REGEX:
        compiled = _compile(route.path)
        return compiled is not None and compiled.match(path) is not None
    prefix = _elements(route.path)
    return _elements(path)[: len(prefix)] == prefix


def _best(candidates: list[Route], host: str, regex: bool) -> tuple[Route, str]:
    where = f"host {host}" if host else "any host"
    if len(candidates) == 1:
        return candidates[0], f"the only matching path of {where}"
    if regex:
        # One regular expression makes every path of its host one; their order of evaluation then decides alone.
        return candidates[0], f"first of {len(candidates)} matching paths of {where} in order of evaluation"
    exact = next((r for r in candidates if r.match is PathMatch.EXACT), None)
    if exact:
        return exact, f"exact path before {len(candidates) - 1} matching prefixes of {where}"
    longest = max(candidates, key=lambda r: len(_elements(r.path)))
    return longest, f"longest of {len(candidates)} matching prefixes of {where}"


def _elements(path: str) -> list[str]:
    """The elements of a path between slashes, without a final empty one: ``/docs/`` and ``/docs`` are equal."""
    return [e for e in path.split("/") if e]


@lru_cache(maxsize=1024)
def _compile(pattern: str) -> re.Pattern[str] | None:
    """A path expression, without case as in ingress-nginx; None when it does not compile."""
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, RecursionError, OverflowError):
        return None
