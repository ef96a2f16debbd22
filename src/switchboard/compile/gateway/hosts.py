"""Routes as virtual hosts: exact hosts, wildcards that stand for one label, and everything else.

In: compiled entries by host, in order.  Out: virtual hosts.  Called by ``compile.gateway.config``.
Envoy chooses the virtual host first (exact, longest wildcard, any) and never falls back; its wildcards stand for any
number of labels, ours for one (networking.k8s.io/v1 IngressRule.host), which the entries of a wildcard host check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from switchboard.compile.gateway import regex
from switchboard.rules import envoy

Entries = Sequence[envoy.Route]


def virtual_hosts(by_host: Mapping[str, Entries], default: Entries) -> tuple[envoy.VirtualHost, ...]:
    """One virtual host per host, sorted, the empty one (any host) last; ``default`` answers what is left over."""
    any_host = (*by_host.get("", ()), *default)
    made = [_virtual_host(host, by_host[host], default, any_host) for host in sorted(by_host) if host]
    if any_host:
        made.append(envoy.VirtualHost("*", ("*",), any_host))
    return tuple(made)


def _virtual_host(host: str, entries: Entries, default: Entries, any_host: Entries) -> envoy.VirtualHost:
    if not host.startswith("*."):
        return envoy.VirtualHost(host, (host,), (*entries, *default))
    # A port may follow the name; Envoy has already matched the suffix without it.
    label = envoy.StringMatcher(safe_regex=envoy.Regex(f"(?i)[^.]+{regex.quote(host[1:])}(:[0-9]+)?"))
    one_label = envoy.HeaderMatcher(":authority", string_match=label)
    guarded = [_guard(e, one_label) for e in (*entries, *default)]
    # Names with more labels are not this host's, so they are any host's; names with one label end here.
    end = envoy.Route(
        name=f"{host} no-route",
        match=envoy.RouteMatch(prefix="/", headers=(one_label,)),
        direct_response=envoy.DirectResponseAction(404),
    )
    return envoy.VirtualHost(host, (host,), (*guarded, end, *any_host) if any_host else tuple(guarded))


def _guard(entry: envoy.Route, matcher: envoy.HeaderMatcher) -> envoy.Route:
    match = msgspec.structs.replace(entry.match, headers=(*entry.match.headers, matcher))
    return msgspec.structs.replace(entry, match=match)
