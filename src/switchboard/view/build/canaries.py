"""Canary Ingresses, merged into the rules they belong to, with exactly the semantics of ingress-nginx.

In: rules of main and canary Ingresses, oldest first.  Out: a ``Canary`` per main rule, findings.
Called by ``view.build.routes``.
A canary belongs to the rule with equal host, path and pathType and another Service or port; the oldest one counts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from switchboard.base.findings import Finding, Severity
from switchboard.view.build.ingresses import IngressFacts, Rule
from switchboard.view.route import Canary

FAMILY: Final = (
    "canary",
    "canary-by-header",
    "canary-by-header-value",
    "canary-by-header-pattern",
    "canary-by-cookie",
    "canary-weight",
    "canary-weight-total",
)

Place = tuple[str, str, str, bool]
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def place(rule: Rule) -> Place:
    """What main and canary must have in common; a default backend of any host is one place of its own."""
    return rule.host, rule.path, rule.path_type, rule.default


def merge(mains: Sequence[Rule], canaries: Sequence[Rule], findings: list[Finding]) -> dict[Place, Canary]:
    """The canary of each place; every canary rule that splits nothing is told."""
    first: dict[Place, Rule] = {}
    for main in mains:
        first.setdefault(place(main), main)
    merged: dict[Place, Canary] = {}
    for rule in canaries:
        owner = first.get(place(rule))
        if owner is None:
            findings.append(
                _warn(rule, "canary-without-main", "no main Ingress has this host, path and pathType", _ADD_MAIN)
            )
        elif rule.backend is None or owner.backend is None:
            continue  # the backend itself has been told
        elif (rule.backend.service, rule.backend.port) == (owner.backend.service, owner.backend.port) or (
            rule.backend.service_port and rule.backend.service_port == owner.backend.service_port
        ):
            findings.append(_warn(rule, "canary-same-backend", "it names the Service and port of the main Ingress"))
        elif place(rule) in merged:
            older = merged[place(rule)].owner
            findings.append(_warn(rule, "canary-second", f"{older} is older, and one canary counts for a rule"))
        else:
            merged[place(rule)] = _canary(rule)
    return merged


def check(ingress: IngressFacts, findings: list[Finding]) -> None:
    """What an Ingress says about canaries that does not mean what it seems to."""
    options = ingress.options
    if not ingress.canary:
        if said := [name for name in FAMILY[1:] if name in options]:
            message = f'{", ".join(said)} has no effect without canary: "true"; this is an ordinary Ingress'
            findings.append(_finding(ingress, "canary-not-enabled", said[0], message))
        return
    for name in sorted(set(options) - set(FAMILY)):
        message = f"{name} is ignored on a canary: the main Ingress decides"
        findings.append(_finding(ingress, "canary-annotation-ignored", name, message))
    if ingress.tls:
        message = "the TLS section of a canary is ignored: the main Ingress decides"
        findings.append(_finding(ingress, "canary-tls-ignored", "", message))
    for name in ("canary-weight", "canary-weight-total"):
        if name in options and not _INTEGER.fullmatch(options[name]):
            counts = "0" if name == "canary-weight" else "100"
            message = f"{name} {options[name]!r} is no whole number and counts as {counts}"
            findings.append(_finding(ingress, "canary-weight-invalid", name, message, "Write a number without a sign."))
    if (total := _integer(options.get("canary-weight-total", ""), 100)) < 100:
        message = f"canary-weight-total {total} is not above 100 and is ignored: the weight is a part of 100"
        findings.append(_finding(ingress, "canary-weight-total-ignored", "canary-weight-total", message))
    if "canary-by-header" not in options:
        for name in ("canary-by-header-value", "canary-by-header-pattern"):
            if name in options:
                message = f"{name} has no effect without canary-by-header"
                findings.append(_finding(ingress, "canary-header-missing", name, message))
    for name in ("canary-by-header", "canary-by-cookie"):
        if name in options and not _TOKEN.fullmatch(options[name]):
            message = f"{name} {options[name]!r} is no name of a header or cookie and is ignored"
            findings.append(_finding(ingress, "canary-name-invalid", name, message))


_ADD_MAIN = "Add an Ingress without canary annotations, or make host, path and pathType equal to its."


def _canary(rule: Rule) -> Canary:
    options = rule.ingress.options
    assert rule.backend is not None, "merge passes rules with a backend only"
    header, cookie = (_token(options.get(name, "")) for name in ("canary-by-header", "canary-by-cookie"))
    value = options.get("canary-by-header-value", "") if header else ""
    pattern = options.get("canary-by-header-pattern", "") if header and not value else ""
    total = _integer(options.get("canary-weight-total", ""), 100)
    return Canary(
        owner=rule.ingress.owner,
        backend=rule.backend,
        weight=max(0, _integer(options.get("canary-weight", ""), 0)),
        weight_total=total if 100 < total <= 2**31 else 100,
        header=header,
        header_value=value,
        header_pattern=pattern,
        cookie=cookie,
    )


def _integer(value: str, default: int) -> int:
    return int(value) if _INTEGER.fullmatch(value) else default


def _token(value: str) -> str:
    return value if _TOKEN.fullmatch(value) else ""


def _warn(rule: Rule, reference: str, why: str, hint: str = "") -> Finding:
    where = f"{rule.host or 'any host'}{rule.path} ({rule.path_type})"
    return Finding(
        reference=reference,
        message=f"the canary for {where} gets no requests: {why}",
        severity=Severity.WARNING,
        object=rule.ingress.owner,
        field=rule.field,
        hint=hint,
    )


def _finding(ingress: IngressFacts, reference: str, annotation: str, message: str, hint: str = "") -> Finding:
    return Finding(
        reference=reference,
        message=message,
        severity=Severity.WARNING,
        object=ingress.owner,
        field=f"metadata.annotations[{annotation}]" if annotation else "spec.tls",
        hint=hint,
    )
