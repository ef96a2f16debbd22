"""What a trace says: hops, choices with exact probabilities, outcomes and a verdict.

Built by ``trace.path`` and its parts, rendered by ``cli.render.path``, stored as JSON (kind ``Path``).
A probability in JSON is an object of the exact fraction as text and its value: ``{"exact": "1/3", "value": 0.33}``.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction
from typing import Any

import msgspec

from switchboard.base.findings import Finding

ONE = Fraction(1)


class HopKind(StrEnum):
    """The stations of a request, in the order of a full path."""

    CLIENT = "client"
    NAME = "name"
    LOAD_BALANCER = "load balancer"
    NODE = "node"
    POLICY = "policy"
    GATEWAY = "gateway"
    TLS = "tls"
    ROUTE = "route"
    CANARY = "canary"
    PODS = "pods"


class Verdict(StrEnum):
    """How a request ends.

    UNREACHABLE: nothing takes the connection, and whether that is a refusal or a time-out depends on what is
    outside the cluster.  UNKNOWN: the facts at hand do not decide.  MIXED: not all connections end alike.
    """

    ANSWERED = "answered"
    REFUSED = "refused"
    DROPPED = "dropped"
    UNREACHABLE = "unreachable"
    UNRESOLVED = "unresolved"
    NOT_FOUND = "not found"
    NO_BACKEND = "no backend"
    REDIRECTED = "redirected"
    UNKNOWN = "unknown"
    INVALID = "invalid"
    MIXED = "mixed"


class Choice(msgspec.Struct, frozen=True):
    """One of the ways that lead on from a hop, with the share that it takes of the requests that reach the hop."""

    name: str
    probability: Fraction
    why: str = ""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One station: ``name`` it, ``where`` it is, ``what`` happens there and ``why``.

    ``choices`` is empty or sums to 1.
    """

    kind: HopKind
    name: str
    where: str = ""
    what: str = ""
    why: str = ""
    choices: tuple[Choice, ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that answers: ``pod`` and ``service`` are ``namespace/name``, empty when unknown."""

    pod: str
    address: str
    port: int
    service: str = ""
    node: str = ""
    zone: str = ""
    images: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The pod, or ``address:port`` where no pod is known."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return self.pod or f"{host}:{self.port}"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One way to end.  ``target`` is set when ANSWERED; ``status`` is what the gateway answers itself, else 0."""

    verdict: Verdict
    probability: Fraction = ONE
    target: Target | None = None
    status: int = 0
    reason: str = ""
    hint: str = ""


class Stretch(msgspec.Struct, frozen=True):
    """A stretch of a path: its hops, and how the requests that enter it end (sums to 1 unless said otherwise)."""

    hops: tuple[Hop, ...]
    outcomes: tuple[Outcome, ...]


class Path(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind", tag="Path"):
    """The whole way of one request.

    ``outcomes`` sums to 1; ``services`` and ``pods`` are the shares of requests that each of them answers, and
    sum to 1 together with what is not answered.
    """

    api_version: str = "switchboard.dev/v1"
    source: str
    destination: str
    verdict: Verdict
    reason: str = ""
    hint: str = ""
    hops: tuple[Hop, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    services: tuple[Choice, ...] = ()
    pods: tuple[Choice, ...] = ()
    findings: tuple[Finding, ...] = ()


def finish(source: str, destination: str, hops: tuple[Hop, ...], outcomes: tuple[Outcome, ...]) -> Path:
    """The path with everything that follows from its outcomes; raises ValueError unless they sum to 1."""
    total = sum((o.probability for o in outcomes), Fraction(0))
    if total != 1:
        raise ValueError(f"outcomes of {destination} sum to {total}, not to 1")
    kept = tuple(o for o in outcomes if o.probability)
    told = next((o for o in kept if o.verdict != Verdict.ANSWERED), kept[0])
    verdict = kept[0].verdict if len({o.verdict for o in kept}) == 1 else Verdict.MIXED
    reason = told.reason
    if verdict is Verdict.MIXED:
        failing = sum((o.probability for o in kept if o.verdict != Verdict.ANSWERED), Fraction(0))
        reason = f"{float(failing):.1%} of connections are not answered: {told.reason}"
    return Path(
        source=source,
        destination=destination,
        verdict=verdict,
        reason=reason,
        hint=told.hint,
        hops=hops,
        outcomes=kept,
        services=shares((o.target.service, o.probability) for o in kept if o.target and o.target.service),
        pods=shares((o.target.name, o.probability) for o in kept if o.target),
    )


def shares(parts: Any) -> tuple[Choice, ...]:
    """Adds up ``(name, probability)`` pairs by name, in the order of first appearance."""
    total: dict[str, Fraction] = {}
    for name, probability in parts:
        total[name] = total.get(name, Fraction(0)) + probability
    return tuple(Choice(name, probability) for name, probability in total.items())


def encode(path: Path) -> bytes:
    """The machine-readable form, JSON."""
    return msgspec.json.encode(path, enc_hook=_encode_fraction)


def decode(text: bytes) -> Path:
    """The inverse of ``encode``; raises msgspec.ValidationError."""
    return msgspec.json.decode(text, type=Path, dec_hook=_decode_fraction)


def _encode_fraction(value: Any) -> Any:
    if isinstance(value, Fraction):
        return {"exact": str(value), "value": float(value)}
    raise NotImplementedError(f"no JSON form for {type(value).__name__}")


def _decode_fraction(kind: type, value: Any) -> Any:
    if kind is Fraction:
        return Fraction(value["exact"])
    raise NotImplementedError(f"no value of {kind.__name__}")
