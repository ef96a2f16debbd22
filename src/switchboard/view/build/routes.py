"""Ingress, IngressClass and Secret objects as gateways with routes, canaries and certificates.

In: objects by kind, and the service ports of the same cluster.  Out: ``Gateway``s and findings; one bad Ingress never
stops the others.  Called by ``view.build``.
Specification: networking.k8s.io/v1; where it leaves a choice, ingress-nginx (creation order, regular expressions).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from switchboard.base.findings import Finding, Severity
from switchboard.k8s.objects import Object
from switchboard.view.build import canaries, certificates, ingresses
from switchboard.view.build.canaries import Place, place
from switchboard.view.build.ingresses import TRUE, IngressFacts, Rule
from switchboard.view.route import Canary, Certificate, Gateway, PathMatch, Route
from switchboard.view.service import ServicePort

_Taken = dict[tuple[str, PathMatch, str], Rule]


def build(
    objects: Mapping[str, Sequence[Object]], services: tuple[ServicePort, ...]
) -> tuple[tuple[Gateway, ...], tuple[Finding, ...]]:
    """One gateway for each publishing Service (classes without one share a gateway); equal for any order of objects.

    A gateway is named after its classes, joined by a comma.  A class without Ingress is a gateway without routes.
    """
    findings: list[Finding] = []
    known = ingresses.classes(o for o in objects.get("IngressClass", ()) if isinstance(o, dict))
    ports = ingresses.ServicePorts(services)
    secrets = certificates.index(objects.get("Secret", ()))
    found = ingresses.ours(objects.get("Ingress", ()), known, findings)
    for ingress, _ in found:
        canaries.check(ingress, findings)
    gateways: list[Gateway] = []
    for service in sorted(set(known.services.values())):
        members = [(i, o) for i, o in found if known.services[i.class_name] == service]
        rules = [rule for i, o in members for rule in ingresses.rules(i, o, ports, findings)]
        named = sorted(name for name, published in known.services.items() if published == service)
        shown = _certificates([i for i, _ in members], rules, secrets, findings)
        gateways.append(_gateway(",".join(named), service, rules, shown, findings))
    return tuple(gateways), tuple(dict.fromkeys(findings))


def _certificates(
    members: Iterable[IngressFacts], rules: Sequence[Rule], secrets: certificates.Secrets, findings: list[Finding]
) -> tuple[Certificate, ...]:
    taken: dict[str, str] = {}
    made: list[Certificate] = []
    for ingress in members:
        if not ingress.canary:
            hosts = [rule.host for rule in rules if rule.ingress is ingress]
            made += certificates.certificates(ingress, hosts, secrets, taken, findings)
    return tuple(made)


def _gateway(
    name: str, service: str, rules: Sequence[Rule], shown: tuple[Certificate, ...], findings: list[Finding]
) -> Gateway:
    mains = [r for r in rules if not r.ingress.canary]
    merged = canaries.merge(mains, [r for r in rules if r.ingress.canary], findings)
    regex_hosts = {r.host for r in mains if _asks_for_regex(r)}
    routes: list[Route] = []
    taken: _Taken = {}
    fallback: Route | None = None
    # Default backends come last: a rule for / leaves nothing for them.
    for rule in sorted(mains, key=lambda r: r.default):
        if rule.default and not rule.host:
            fallback = fallback or _route(rule, PathMatch.PREFIX, merged)
            continue
        match = _match(rule, rule.host in regex_hosts and not rule.default)
        if _claim(rule, match, taken, findings):
            routes.append(_route(rule, match, merged))
    for host in sorted(regex_hosts):
        findings += _regex_side_effects(host, mains)
    return Gateway(
        name=name,
        service=service,
        routes=tuple(sorted(routes, key=_precedence)),
        certificates=shown,
        default_backend=fallback.backend if fallback else None,
        default_route=fallback,
    )


def _match(rule: Rule, regex: bool) -> PathMatch:
    if regex:
        return PathMatch.REGEX
    # ImplementationSpecific without regular expressions is a Prefix, as in ingress-nginx.
    return PathMatch.EXACT if rule.path_type == "Exact" else PathMatch.PREFIX


def _claim(rule: Rule, match: PathMatch, taken: _Taken, findings: list[Finding]) -> bool:
    """Whether the rule is the first for its host and path; the older Ingress wins."""
    path = rule.path.rstrip("/") if match is PathMatch.PREFIX else rule.path
    owner = taken.setdefault((rule.host, match, path), rule)
    if owner is not rule and not rule.default:
        findings.append(
            Finding(
                reference="path-taken",
                message=f"{rule.host or 'any host'}{rule.path} already belongs to {owner.ingress.owner}, "
                "which is older; this rule gets no requests",
                severity=Severity.WARNING,
                object=rule.ingress.owner,
                field=rule.field,
            )
        )
    return owner is rule


def _route(rule: Rule, match: PathMatch, merged: Mapping[Place, Canary]) -> Route:
    options = {k: v for k, v in rule.ingress.options.items() if k not in canaries.FAMILY}
    return Route(
        owner=rule.ingress.owner,
        field=rule.field,
        host=rule.host,
        path=rule.path,
        match=match,
        backend=rule.backend,
        canary=merged.get(place(rule)),
        options=options,
    )


def _precedence(route: Route) -> tuple[bool, bool, str, bool, bool, int, str, str]:
    """Exact hosts, wildcards, any host; within a host exact paths, then long ones; default backends last."""
    default = route.field == "spec.defaultBackend"
    exact = route.match is PathMatch.EXACT
    length = len(route.path if route.match is PathMatch.REGEX else route.path.rstrip("/"))
    # Of equally long paths at most one can match, except regular expressions: those keep the alphabet's order.
    return not route.host, route.host.startswith("*"), route.host, default, not exact, -length, route.path, route.owner


def _asks_for_regex(rule: Rule) -> bool:
    options = rule.ingress.options
    return options.get("use-regex") in TRUE or bool(options.get("rewrite-target"))


def _regex_side_effects(host: str, mains: Iterable[Rule]) -> list[Finding]:
    return [
        Finding(
            reference="regex-affects-host",
            message=f"use-regex or rewrite-target of another Ingress makes {rule.path} of {host or 'any host'} "
            "a regular expression, without case and open at its end",
            severity=Severity.WARNING,
            object=rule.ingress.owner,
            field=f"{rule.field}.path",
            hint="Give the paths with regular expressions a host of their own.",
        )
        for rule in mains
        if rule.host == host and not rule.default and not _asks_for_regex(rule)
    ]
