"""Neutral facts about HTTP publishing: gateways, routes, canaries, certificates.

Made by ``view.build`` from Ingress (later Gateway API) objects, read by ``compile.gateway`` and the tracer.
The order of ``Gateway.routes`` is the order of their evaluation within one host.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class PathMatch(StrEnum):
    """How a path is compared; PREFIX compares whole elements, REGEX is anchored at the beginning."""

    EXACT = "Exact"
    PREFIX = "Prefix"
    REGEX = "Regex"


class Backend(msgspec.Struct, frozen=True):
    """A target of a route: the ``key`` of a ``ServicePort``, empty when the reference leads nowhere.

    ``service`` is ``namespace/name`` as written and ``port`` the name or number as written, for messages.
    """

    service: str
    port: str
    service_port: str = ""


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """Who goes to the canary; evaluated in the order header, cookie, weight.

    With ``header_value`` set, only an equal header decides; with ``header_pattern`` only a match; with neither,
    ``always`` and ``never`` decide.  The share of the rest is ``weight / weight_total``.  Empty means unset.
    """

    owner: str
    backend: Backend
    weight: int = 0
    weight_total: int = 100
    header: str = ""
    header_value: str = ""
    header_pattern: str = ""
    cookie: str = ""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: ``host`` is exact, ``*.suffix`` or empty for any; ``path`` is raw.

    ``owner`` is ``Ingress namespace/name``, ``field`` the path in it.  ``backend`` is None for a rule without a
    usable backend.  ``options`` holds the annotations that ask for behaviour, without their prefix.
    """

    owner: str
    field: str
    host: str
    path: str
    match: PathMatch
    backend: Backend | None
    canary: Canary | None = None
    options: dict[str, str] = {}


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate for hosts (exact or ``*.suffix``; empty for the default), from a Secret ``namespace/name``.

    ``chain`` and ``key`` are PEM, empty when the Secret is missing or unusable.
    """

    owner: str
    secret: str
    hosts: tuple[str, ...] = ()
    chain: str = ""
    key: str = msgspec.field(default="")

    def __repr__(self) -> str:
        """Without the key: it must never reach a log."""
        return f"Certificate(owner={self.owner!r}, secret={self.secret!r}, hosts={self.hosts!r})"


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """What one set of gateway pods serves.

    ``name`` is the class (``nginx``), ``service`` the Service ``namespace/name`` that publishes the gateway pods,
    empty when unknown.  ``default_backend`` answers what no route matches; None means 404.  ``default_route`` is the
    same as a route of any host and path, with the canary and the options that belong to it.
    """

    name: str
    service: str = ""
    routes: tuple[Route, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    default_backend: Backend | None = None
    default_route: Route | None = None
