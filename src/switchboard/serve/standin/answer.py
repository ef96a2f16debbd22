"""What a stand-in answers: facts of a request and of the pod come in, status, headers and JSON go out.

Called by ``program`` for HTTP/1.1, HTTP/2, gRPC and the WebSocket handshake; no clock, no socket, randomness is an
argument.  ``decide`` says what happens to a request, ``answer`` writes the answer.
Request headers may ask: ``x-echo-status``, ``x-echo-delay-ms``, ``x-echo-abort``, ``x-echo-headers`` (JSON),
``x-echo-chunks`` (the answer in so many chunks); ``GET /__seen/ID`` tells which requests carried ``x-corpus-id: ID``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from switchboard.serve.standin.behaviour import Behaviour, Effects, Rule, parse_headers, parse_status
from switchboard.serve.standin.seen import Seen

KEPT_BODY = 2048  # bytes of a request body that an answer shows
MOST_CHUNKS = 64
SEEN_PATH = "/__seen/"
BODILESS = frozenset({204, 205, 304})

_FRAMING = frozenset({"content-length", "transfer-encoding"})


class PodFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a pod knows of itself; ``service`` is empty unless exactly one Service selects it.

    It is a name in the pod's namespace, or ``namespace/name``.
    """

    namespace: str
    name: str
    node: str = ""
    zone: str = ""
    ip: str = ""
    labels: dict[str, str] = {}
    images: tuple[str, ...] = ()
    service: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request: ``path`` is the target as received, header names are lower-case, ``body`` its first bytes.

    Repeated headers are joined by ``, `` (cookies by ``; ``).  ``port`` is the pod's own.
    """

    method: str
    path: str
    headers: dict[str, str] = {}
    host: str = ""
    peer: str = ""
    port: int = 0
    protocol: str = "HTTP/1.1"
    tls: bool = False
    body_length: int = 0
    body: bytes = b""

    @property
    def is_grpc(self) -> bool:
        """Whether the content type says gRPC."""
        return self.headers.get("content-type", "").startswith("application/grpc")


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one request.

    ``delay`` is in seconds; ``reason`` is why the stand-in itself spoils the answer, empty when it does not.
    """

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0.0
    abort: bool = False
    grpc_status: int = 0
    chunks: int = 0
    reason: str = ""


class Response(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer without its framing; ``chunks`` above 0 asks for chunked transfer in so many parts."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    grpc_status: int = 0
    chunks: int = 0


def decide(behaviour: Behaviour, request: Request, rng: random.Random, *, starting: bool = False) -> Decision:
    """What the pod's behaviour and the request's own wishes make of this request; the request's wishes win."""
    if starting:
        return Decision(status=503, headers=(("Retry-After", "1"),), grpc_status=14, reason="still starting")
    effects = behaviour.effects
    for rule in behaviour.rules:
        if _meets(rule, request):
            effects = effects.under(rule.effects)
            break
    try:
        asked, chunks = _asked(request.headers, effects)
    except ValueError as error:
        return Decision(status=400, grpc_status=3, reason=str(error))
    effects = effects.under(asked)
    delay, status, grpc_status, reason = effects.delay or 0.0, effects.status or 200, effects.grpc_status or 0, ""
    if not request.path.startswith(SEEN_PATH):
        if behaviour.latency is not None:
            delay += behaviour.latency.draw(rng)
        if behaviour.error_rate and asked.status is None and rng.random() < behaviour.error_rate:
            status, grpc_status, reason = behaviour.error_status, 13, "error-rate"
    return Decision(
        status=status,
        headers=effects.headers or (),
        delay=delay,
        abort=bool(effects.abort),
        grpc_status=grpc_status,
        chunks=chunks,
        reason=reason,
    )


def _asked(headers: dict[str, str], effects: Effects) -> tuple[Effects, int]:
    """What the request itself wants; raises ValueError naming the header that cannot be read."""
    read: dict[str, Any] = {}
    for name, reader in _WISHES.items():
        if name in headers:
            try:
                read[name] = reader(headers[name])
            except (ValueError, msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise ValueError(f"{name}: {error}") from error
    wanted = read.get("x-echo-headers")
    if wanted is not None:
        named = {name for name, _ in wanted}
        wanted = tuple(field for field in effects.headers or () if field[0] not in named) + wanted
    asked = Effects(
        status=read.get("x-echo-status"),
        delay=read.get("x-echo-delay-ms"),
        abort=read.get("x-echo-abort"),
        headers=wanted,
    )
    return asked, read.get("x-echo-chunks", 0)


def _read_delay(text: str) -> float:
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a number")
    return int(text[:9]) / 1000


def _read_chunks(text: str) -> int:
    if not text.isdecimal() or len(text) > 3 or int(text) > MOST_CHUNKS:
        raise ValueError(f"{text!r} is not a number up to {MOST_CHUNKS}")
    return int(text)


_WISHES: dict[str, Callable[[str], Any]] = {
    "x-echo-status": parse_status,
    "x-echo-delay-ms": _read_delay,
    "x-echo-abort": lambda _: True,
    "x-echo-headers": lambda text: parse_headers(msgspec.json.decode(text.encode("latin-1"))),
    "x-echo-chunks": _read_chunks,
}


def _meets(rule: Rule, request: Request) -> bool:
    if not request.path.startswith(rule.path_prefix) or (rule.method and rule.method != request.method):
        return False
    if any(request.headers.get(name) != value for name, value in rule.headers):
        return False
    if not rule.cookies:
        return True
    cookies = dict(part.strip().split("=", 1) for part in request.headers.get("cookie", "").split(";") if "=" in part)
    return all(cookies.get(name) == value for name, value in rule.cookies)


def client_ip(request: Request) -> str:
    """The client as proxies report it: ``x-real-ip``, else the first of ``x-forwarded-for``, else the peer."""
    real = request.headers.get("x-real-ip")
    return real or request.headers.get("x-forwarded-for", "").split(",")[0].strip() or request.peer


def service_name(pod: PodFacts) -> str:
    """``namespace/name`` of the Service that selects the pod, or empty."""
    return f"{pod.namespace}/{pod.service}" if pod.service and "/" not in pod.service else pod.service


def answer(
    pod: PodFacts, request: Request, decision: Decision, seen: Seen, calls: Sequence[dict[str, Any]] = ()
) -> Response:
    """The answer to a request; records it in ``seen`` when it carries an id."""
    document = _document(pod, request, decision, seen, calls)
    headers = tuple(field for field in decision.headers if field[0].lower() not in _FRAMING)
    if decision.status in BODILESS and not request.is_grpc:
        return Response(status=decision.status, headers=headers)
    if not any(name.lower() == "content-type" for name, _ in headers) and not request.is_grpc:
        headers = (("Content-Type", "application/json"), *headers)
    return Response(
        status=decision.status,
        headers=headers,
        body=msgspec.json.encode(document) + b"\n",
        grpc_status=decision.grpc_status,
        chunks=decision.chunks,
    )


def _document(
    pod: PodFacts, request: Request, decision: Decision, seen: Seen, calls: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    service = service_name(pod)
    body = request.body.decode("latin-1")
    document: dict[str, Any] = {"service": service} if service else {}
    document |= {
        "pod": pod.name,
        "namespace": pod.namespace,
        "node": pod.node,
        "zone": pod.zone,
        "podIP": pod.ip,
        "labels": pod.labels,
        "images": pod.images,
        "method": request.method,
        "path": request.path,
        "host": request.host,
        "headers": request.headers,
        "clientIP": client_ip(request),
        "peer": request.peer,
        "port": request.port,
        "protocol": request.protocol,
        "tls": request.tls,
        "bodyLength": request.body_length,
        "body": body,
    }
    if decision.reason:
        document["standIn"] = decision.reason
    if calls:
        document["calls"] = list(calls)
    owner = service or f"{pod.namespace}/pod/{pod.name}"
    ident = request.headers.get("x-corpus-id")
    if ident:
        kept = ("method", "path", "headers", "pod", "bodyLength", "body")
        seen.record(owner, ident, {key: document[key] for key in kept})
    if request.path.startswith(SEEN_PATH):
        count, requests = seen.of(owner, request.path[len(SEEN_PATH) :].split("?")[0])
        document |= {"seen": count, "requests": requests}
    return document
