"""Whose fault a rejection by Envoy is: from a file and Envoy's reason to findings on Kubernetes objects.

In: a discovery file's name, the reason, and the configuration that was rejected.  Out: findings.
Called by ``run`` with what ``apply.envoy.publish`` returns.  A rejection is a promise of the compiler broken by input
that it did not foresee, so the reason is passed on as Envoy words it.
"""

from __future__ import annotations

from collections.abc import Iterator

from switchboard.base.findings import Finding
from switchboard.rules import envoy
from switchboard.rules.discovery import CLUSTERS, LISTENERS, ROUTES, EnvoyConfig


def blame(file: str, reason: str, config: EnvoyConfig) -> tuple[Finding, ...]:
    """One finding for each object that the reason points at; without any, one about the file as a whole."""
    guilty = dict.fromkeys(_guilty(file, reason, config))
    return tuple(
        Finding(
            reference="configuration-rejected",
            message=f"Envoy rejected {file}: {reason or 'no reason given'}; the last good configuration goes on",
            object=owner,
        )
        for owner in guilty or ("",)
    )


def _guilty(file: str, reason: str, config: EnvoyConfig) -> Iterator[str]:
    if file == CLUSTERS:
        yield from (_service(c.name) for c in config.clusters if c.name in reason)
    elif file == LISTENERS:
        secrets = (pair for pair in config.key_pairs if "/" in pair.name)
        yield from (f"Secret {pair.name}" for pair in secrets if pair.name in reason or pair.stem in reason)
    elif file.startswith(ROUTES):
        tables = (t for t in config.routes if ROUTES + envoy.file_name(t.name) == file)
        entries = (r for t in tables for v in t.virtual_hosts for r in v.routes)
        yield from (_owner(r) for r in entries if any(text in reason for text in _texts(r)))


def _texts(entry: envoy.Route) -> Iterator[str]:
    """What of an entry Envoy may quote in a reason."""
    yield entry.name
    match = entry.match
    patterns = [match.safe_regex, *(h.string_match.safe_regex for h in match.headers if h.string_match)]
    if entry.route and entry.route.regex_rewrite:
        patterns.append(entry.route.regex_rewrite.pattern)
        yield entry.route.regex_rewrite.substitution
    yield from (p.regex for p in patterns if p)
    yield from (h.header.value for h in entry.response_headers_to_add)


def _owner(entry: envoy.Route) -> str:
    """The Ingress that a route's name begins with."""
    return " ".join(entry.name.split(" ")[:2])


def _service(key: str) -> str:
    return f"Service {key.partition(':')[0]}"
