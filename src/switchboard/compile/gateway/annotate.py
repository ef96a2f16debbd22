"""The annotations of a route as a ``Draft``, and what is not honoured as findings.

In: ``Route.options`` (short names and values).  Out: a draft, findings.  Called by ``compile.gateway.config``.
An annotation is a file in ``compile.gateway.annotations``; one without a file is reported, never ignored silently.
"""

from __future__ import annotations

from functools import lru_cache

from switchboard.base.discovery import discover
from switchboard.base.findings import Finding, Severity
from switchboard.compile.gateway.draft import Annotation, Draft, Refused
from switchboard.view.route import Route

_PACKAGE = "switchboard.compile.gateway.annotations"

# Text that only nginx can read, and what says the same in every gateway.
SNIPPETS = {
    "configuration-snippet": "header annotations, a RequestHeaderModifier or ResponseHeaderModifier of an HTTPRoute",
    "server-snippet": "redirect annotations, a RequestRedirect filter or a route of its own",
    "location-snippet": "header annotations, a RequestHeaderModifier or ResponseHeaderModifier of an HTTPRoute",
    "auth-snippet": "auth-url with auth-response-headers",
    "stream-snippet": "a TCPRoute or TLSRoute",
    "modsecurity-snippet": "a web application firewall of its own before or behind the gateway",
}


@lru_cache(maxsize=1)
def known() -> dict[str, Annotation]:
    """Annotations by short name; raises when a file's name and its annotation's name differ."""
    found: dict[str, Annotation] = {}
    for stem, annotation in discover(_PACKAGE, "ANNOTATION"):
        if annotation.name != stem.replace("_", "-"):
            raise ValueError(f"{stem}.py exports the annotation {annotation.name}")
        found[annotation.name] = annotation
    return found


def annotate(route: Route) -> tuple[Draft | None, tuple[Finding, ...]]:
    """The draft of a route, None when it must not be served, with one finding per annotation not honoured."""
    draft: Draft | None = Draft()
    findings: list[Finding] = []
    for name, value in sorted(route.options.items()):
        annotation = known().get(name)
        if name in SNIPPETS:
            findings.append(_snippet(route, name))
        elif annotation is None:
            findings.append(_unknown(route, name))
        elif annotation.edit is not None and draft is not None:
            edited = annotation.edit(draft, value)
            if isinstance(edited, Refused):
                findings.append(_refused(route, name, edited))
                draft = None if edited.drop else draft
            else:
                draft = edited
    return draft, tuple(findings)


def _snippet(route: Route, name: str) -> Finding:
    return Finding(
        reference="snippet-refused",
        message=f"{name} holds nginx configuration text, which no other gateway can read; nothing of it takes effect",
        object=route.owner,
        field=f"metadata.annotations[{name}]",
        hint=f"Say the same with {SNIPPETS[name]}.",
    )


def _unknown(route: Route, name: str) -> Finding:
    return Finding(
        reference="annotation-not-honoured",
        message=f"{name} is not honoured: requests are served as if it were not there",
        severity=Severity.WARNING,
        object=route.owner,
        field=f"metadata.annotations[{name}]",
        hint="Remove it, or check that the program does not rely on it.",
    )


def _refused(route: Route, name: str, refused: Refused) -> Finding:
    return Finding(
        reference="annotation-invalid",
        message=f"{name}: {refused.message}" + ("; its paths are not served" if refused.drop else ""),
        severity=Severity.ERROR if refused.drop else Severity.WARNING,
        object=route.owner,
        field=f"metadata.annotations[{name}]",
        hint=refused.hint,
    )
