"""One route of the view as entries of an Envoy virtual host, in the order in which they are tried.

In: a ``Route``, its ``Draft``, the clusters of its main and canary backends (None without endpoints).
Out: frozen ``rules.envoy.Route`` messages.  Called by ``compile.gateway.hosts``.
Order for one route: redirects, then the canary's header and cookie, then its weight.  That is the order of
ingress-nginx; a matching entry is final in Envoy, so "falls through" means that no entry is written.
"""

from __future__ import annotations

import re

import msgspec

from switchboard.compile.gateway import regex
from switchboard.compile.gateway.draft import Draft
from switchboard.rules import envoy
from switchboard.view.route import Canary, PathMatch, Route

ACME = "/.well-known/acme-challenge/"
_REDIRECTS = {
    301: "MOVED_PERMANENTLY",
    302: "FOUND",
    303: "SEE_OTHER",
    307: "TEMPORARY_REDIRECT",
    308: "PERMANENT_REDIRECT",
}


class Targets(msgspec.Struct, frozen=True):
    """The clusters of a route; None for a backend without endpoints, which nobody may be sent to."""

    main: str | None
    canary: str | None


class Scheme(msgspec.Struct, frozen=True):
    """What a listener knows about itself: whether plain requests for this host move to ``https_port``."""

    secure: bool
    host_has_tls: bool = False
    https_port: int = 443


def entries(route: Route, draft: Draft, targets: Targets, scheme: Scheme) -> tuple[envoy.Route, ...]:
    """All entries of one route; each has the path form of the route."""
    match = path_match(route)
    name = f"{route.owner} {route.field}"
    location = draft.temporal_redirect or draft.permanent_redirect
    if location:
        code = draft.temporal_redirect_code if draft.temporal_redirect else draft.permanent_redirect_code
        return (_answer(f"{name} redirect", match, code, location),)
    forwards = _forwards(name, match, route, draft, targets)
    before: list[envoy.Route] = []
    if draft.app_root and _takes_root(route):
        before.append(_app_root(f"{name} app-root", draft.app_root))
    moves = not scheme.secure and (draft.force_ssl_redirect or (draft.ssl_redirect and scheme.host_has_tls))
    if not moves:
        return (*before, *forwards)
    to_https = envoy.Route(name=f"{name} ssl-redirect", match=match, redirect=_https(scheme.https_port))
    if route.match is PathMatch.REGEX or not _overlaps_acme(route.path):
        return (*before, to_https)
    # Certificate authorities fetch challenges over plain HTTP, from hosts that have no valid certificate yet.
    if route.path.startswith(ACME.rstrip("/")):
        return (*before, *forwards)
    narrowed = msgspec.structs.replace(match, prefix=ACME, path="", path_separated_prefix="")
    challenge = _forwards(f"{name} acme", narrowed, route, draft, targets)
    return (*before, *challenge, to_https)


def path_match(route: Route) -> envoy.RouteMatch:
    """The path of a route in Envoy's forms; whole elements for PREFIX, anchored and without case for REGEX."""
    if route.match is PathMatch.EXACT:
        return envoy.RouteMatch(path=route.path)
    if route.match is PathMatch.REGEX:
        return envoy.RouteMatch(safe_regex=envoy.Regex(f"(?i)(?:{route.path}).*"))
    prefix = route.path.rstrip("/")
    if not prefix:
        return envoy.RouteMatch(prefix="/")
    return envoy.RouteMatch(path_separated_prefix=prefix)


def unusable(route: Route) -> str:
    """Why Envoy cannot hold the path of this route, empty when it can."""
    if route.match is PathMatch.REGEX:
        return regex.problem(route.path)
    if "?" in route.path or "#" in route.path:
        return "a path ends before ? and #"
    if any(ord(c) < 0x21 or ord(c) == 0x7F for c in route.path):
        return "blanks and control characters never arrive in a path"
    return ""


def _forwards(
    name: str, match: envoy.RouteMatch, route: Route, draft: Draft, targets: Targets
) -> tuple[envoy.Route, ...]:
    if targets.main is None:
        # Without main endpoints even requests for the canary get 503.
        return (envoy.Route(name=f"{name} no-endpoints", match=match, direct_response=_status(503)),)
    main = _action(draft, route, cluster=targets.main)
    if route.canary is None or targets.canary is None or targets.canary == targets.main:
        return (envoy.Route(name=name, match=match, route=main),)
    canary = _action(draft, route, cluster=targets.canary)
    decided = [
        envoy.Route(name=f"{name} {label}", match=found, route=canary if to_canary else main)
        for label, found, to_canary in _deciders(route.canary, match)
    ]
    weight = min(max(route.canary.weight, 0), route.canary.weight_total)
    if weight in (0, route.canary.weight_total):
        rest = canary if weight else main
    else:
        weights = (
            envoy.ClusterWeight(targets.main, route.canary.weight_total - weight),
            envoy.ClusterWeight(targets.canary, weight),
        )
        rest = _action(draft, route, weighted=envoy.WeightedClusters(weights))
    return (*decided, envoy.Route(name=name, match=match, route=rest))


def _deciders(canary: Canary, match: envoy.RouteMatch) -> list[tuple[str, envoy.RouteMatch, bool]]:
    """Label, match and whether it leads to the canary, for header and cookie in their order."""
    found: list[tuple[str, envoy.RouteMatch, bool]] = []

    def header(label: str, to_canary: bool, matcher: envoy.HeaderMatcher) -> None:
        found.append((label, msgspec.structs.replace(match, headers=(*match.headers, matcher)), to_canary))

    def equals(value: str) -> envoy.HeaderMatcher:
        return envoy.HeaderMatcher(canary.header, string_match=envoy.StringMatcher(exact=value))

    if canary.header and canary.header_value:
        header("canary-header", True, equals(canary.header_value))
    elif canary.header and canary.header_pattern:
        if regex.problem(canary.header_pattern):
            header("main-header", False, envoy.HeaderMatcher(canary.header, present_match=True))
        else:
            pattern = envoy.Regex(f"(?s).*(?:{canary.header_pattern}).*")
            header("canary-header", True, envoy.HeaderMatcher(canary.header, envoy.StringMatcher(safe_regex=pattern)))
    elif canary.header:
        header("canary-header", True, equals("always"))
        header("main-header", False, equals("never"))
    if canary.cookie:
        for label, value in (("canary-cookie", "always"), ("main-cookie", "never")):
            cookie = envoy.CookieMatcher(canary.cookie, envoy.StringMatcher(exact=value))
            found.append((label, msgspec.structs.replace(match, cookies=(cookie,)), value == "always"))
    return found


def _action(
    draft: Draft, route: Route, *, cluster: str = "", weighted: envoy.WeightedClusters | None = None
) -> envoy.RouteAction:
    retries = envoy.RetryPolicy(
        # Only failures before a request has reached a pod: repeating those is safe for every method.
        retry_on="connect-failure,refused-stream,reset-before-request",
        num_retries=2,
        per_try_idle_timeout=envoy.seconds(draft.read_timeout),
        host_selection_retry_max_attempts=5,
        retry_host_predicate=(_ANOTHER_HOST,),
    )
    rewrite = None
    if draft.rewrite:
        pattern = f"(?i)^(?:{route.path}).*$" if route.match is PathMatch.REGEX else "^.*$"
        rewrite = envoy.RegexRewrite(envoy.Regex(pattern), substitution(draft.rewrite))
    return envoy.RouteAction(
        cluster=cluster,
        weighted_clusters=weighted,
        timeout="0s",
        idle_timeout=envoy.seconds(max(draft.read_timeout, draft.send_timeout)),
        retry_policy=retries,
        regex_rewrite=rewrite,
    )


def substitution(target: str) -> str:
    r"""A replacement with ``$1`` as RE2 writes it, ``\1``."""
    return re.sub(r"\$([0-9])", r"\\\1", target.replace("\\", "\\\\"))


def _answer(name: str, match: envoy.RouteMatch, code: int, location: str) -> envoy.Route:
    # Envoy's own redirect would keep path or query; the annotation gives the whole Location.
    header = envoy.HeaderValueOption(
        envoy.HeaderValue("location", location.replace("%", "%%")), "OVERWRITE_IF_EXISTS_OR_ADD"
    )
    return envoy.Route(name=name, match=match, direct_response=_status(code), response_headers_to_add=(header,))


def _app_root(name: str, target: str) -> envoy.Route:
    action = envoy.RedirectAction(path_redirect=target, strip_query=True, response_code=_REDIRECTS[302])
    return envoy.Route(name=name, match=envoy.RouteMatch(path="/"), redirect=action)


def _https(port: int) -> envoy.RedirectAction:
    return envoy.RedirectAction(
        https_redirect=True, port_redirect=0 if port == 443 else port, response_code=_REDIRECTS[308]
    )


def _status(code: int) -> envoy.DirectResponseAction:
    return envoy.DirectResponseAction(code)


def _takes_root(route: Route) -> bool:
    if route.match is PathMatch.REGEX:
        return re.match(route.path, "/", re.IGNORECASE) is not None
    return not route.path.strip("/")


def _overlaps_acme(path: str) -> bool:
    return path.startswith(ACME.rstrip("/")) or ACME.startswith(path.rstrip("/") + "/")


_ANOTHER_HOST = envoy.RetryHostPredicate(
    "envoy.retry_host_predicates.previous_hosts",
    {"@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"},
)
