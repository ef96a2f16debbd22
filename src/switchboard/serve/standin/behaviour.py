"""How a stand-in behaves: a pod's annotations come in, a frozen ``Behaviour`` and findings go out.

Called by the node process before it starts a stand-in, and by whoever checks manifests.
Understands ``corpus.test/echo`` (JSON, the recorded gateway cases) and the annotations of ``ANNOTATIONS``,
all under ``standin.switchboard.dev/``.  A value that cannot be read becomes a finding and counts as absent.
Durations are Go's (``20ms``, ``1m30s``); everything inside is in seconds.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from switchboard.base.findings import Finding, Severity
from switchboard.k8s import names

ECHO = "corpus.test/echo"
LONGEST = 86400.0  # seconds; longer durations are refused

_Z99 = 2.3263478740408408  # the 99 % quantile of the normal distribution
_UNITS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|µs|ms|s|m|h)")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


class Latency(msgspec.Struct, frozen=True):
    """Time before an answer: uniform in ``middle`` ± ``spread``, or log-normal through ``middle`` and ``p99``."""

    middle: float
    spread: float = 0.0
    p99: float = 0.0

    def draw(self, rng: random.Random) -> float:
        """Seconds for one request, never negative."""
        if self.p99 > self.middle > 0:
            return self.middle * math.exp(rng.gauss(0.0, math.log(self.p99 / self.middle) / _Z99))
        return max(0.0, self.middle + (rng.uniform(-self.spread, self.spread) if self.spread else 0.0))


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """What to do to a request; None means not said.  ``delay`` is in seconds."""

    status: int | None = None
    headers: tuple[tuple[str, str], ...] | None = None
    delay: float | None = None
    abort: bool | None = None
    grpc_status: int | None = None

    def under(self, other: Effects) -> Effects:
        """These effects with those that ``other`` names replaced."""
        said = {name: value for name in self.__struct_fields__ if (value := getattr(other, name)) is not None}
        return msgspec.structs.replace(self, **said)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Effects for the requests that meet every condition; header names are lower-case."""

    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[tuple[str, str], ...] = ()
    path_prefix: str = ""
    method: str = ""
    effects: Effects = Effects()


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes one stand-in differ from a program that answers at once and well.

    ``error_rate`` is a proportion; such requests get ``error_status``.  For ``start_after`` seconds the pod answers
    503 and is not ready.  ``calls`` are URLs called for each request, with the headers named in ``propagate`` passed
    on.  With ``tls_secret`` (a Secret of the pod's namespace) plain text is refused, on ``tls_ports`` or, when that
    is empty, on every port.
    """

    effects: Effects = Effects()
    rules: tuple[Rule, ...] = ()
    latency: Latency | None = None
    error_rate: float = 0.0
    error_status: int = 500
    start_after: float = 0.0
    ignore_sigterm: bool = False
    calls: tuple[str, ...] = ()
    propagate: tuple[str, ...] = ()
    tls_secret: str = ""
    tls_ports: tuple[int, ...] = ()

    def demands_tls(self, port: int) -> bool:
        """Whether plain text on this port is refused."""
        return bool(self.tls_secret) and (not self.tls_ports or port in self.tls_ports)


def parse_duration(text: str) -> float:
    """Seconds of a Go duration; raises ValueError."""
    parts = _DURATION.findall(text.strip())
    if text.strip() == "0":
        return 0.0
    if not parts or "".join(number + unit for number, unit in parts) != text.strip():
        raise ValueError(f"{text!r} is not a duration such as 20ms, 3s or 1m30s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > LONGEST:
        raise ValueError(f"{text!r} is longer than a day")
    return seconds


def parse_latency(text: str) -> Latency:
    """``20ms``, ``20ms±5ms`` (also ``20ms+-5ms``) or ``p50=20ms,p99=80ms``; raises ValueError."""
    if "=" in text:
        parts = dict(part.strip().split("=", 1) for part in text.split(",") if "=" in part)
        if set(parts) != {"p50", "p99"}:
            raise ValueError(f"{text!r} must name p50 and p99, and nothing else")
        latency = Latency(parse_duration(parts["p50"]), p99=parse_duration(parts["p99"]))
        if not 0 < latency.middle <= latency.p99 <= 1e6 * latency.middle:
            raise ValueError(f"{text!r} must have 0 < p50 <= p99, and a p99 of at most a million times p50")
        return latency
    middle, _, spread = text.replace("+-", "±").partition("±")
    return Latency(parse_duration(middle), parse_duration(spread) if spread else 0.0)


def parse_rate(text: str) -> float:
    """A proportion from ``0.5%`` or ``0.005``; raises ValueError."""
    number = text.strip()
    share = float(number[:-1]) / 100 if number.endswith("%") else float(number)
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not between 0 and 100 %")
    return share


def parse_status(text: str) -> int:
    """A final HTTP status, 200 to 599; raises ValueError."""
    if not text.strip().isdecimal() or not 200 <= int(text) <= 599:
        raise ValueError(f"{text!r} is not an HTTP status from 200 to 599")
    return int(text)


def parse_headers(value: object) -> tuple[tuple[str, str], ...]:
    """Header fields from a JSON object whose values are strings or lists of them; raises ValueError.

    Names must be tokens and values free of line breaks, so that nobody writes a second answer into the first.
    """
    if not isinstance(value, dict):
        raise ValueError("headers must be an object of names and values")
    fields = []
    for name, values in value.items():
        for one in values if isinstance(values, list) else [values]:
            text = str(one)
            if not _TOKEN.match(str(name)) or any(c in text for c in "\r\n\0") or not _is_latin(text):
                raise ValueError(f"{name!r}: {text!r} is not a header field")
            fields.append((str(name), text))
    return tuple(fields)


def _is_latin(text: str) -> bool:
    return all(ord(c) < 256 for c in text)


def _parse_bool(text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.strip().lower() == "true"


def _parse_urls(text: str) -> tuple[str, ...]:
    urls = tuple(text.replace(",", " ").split())
    for url in urls:
        if not re.match(r"https?://[^/\s]+", url):
            raise ValueError(f"{url!r} is not an http or https URL")
    return urls


def _parse_names(text: str) -> tuple[str, ...]:
    headers = tuple(name.lower() for name in text.replace(",", " ").split())
    for name in headers:
        if not _TOKEN.match(name):
            raise ValueError(f"{name!r} is not a header name")
    return headers


def _parse_ports(text: str) -> tuple[int, ...]:
    ports = text.replace(",", " ").split()
    if not all(port.isdecimal() and 0 < int(port) < 65536 for port in ports):
        raise ValueError(f"{text!r} is not a list of ports")
    return tuple(int(port) for port in ports)


def _parse_secret(text: str) -> str:
    if not re.match(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z", text):
        raise ValueError(f"{text!r} is not the name of a Secret")
    return text


class Annotation(msgspec.Struct, frozen=True):
    """One annotation: the field of ``Behaviour`` it sets, how it is read, an example, and what it does."""

    field: str
    read: Callable[[str], Any]
    example: str
    sentence: str


ANNOTATIONS: dict[str, Annotation] = {
    "latency": Annotation(
        "latency", parse_latency, "p50=20ms,p99=80ms", "waits before each answer; also 20ms and 20ms±5ms"
    ),
    "error-rate": Annotation("error_rate", parse_rate, "0.5%", "answers this share of requests with error-status"),
    "error-status": Annotation("error_status", parse_status, "503", "the status of error-rate; 500 when absent"),
    "status": Annotation("status", parse_status, "404", "answers every request with this status"),
    "start-after": Annotation(
        "start_after", parse_duration, "3s", "answers 503 and is not ready for this long after the start"
    ),
    "ignore-sigterm": Annotation(
        "ignore_sigterm", _parse_bool, "true", "goes on as if nothing were asked until the grace period ends"
    ),
    "calls": Annotation(
        "calls", _parse_urls, "http://stock/ http://prices/v1", "calls these URLs for each request, shows the answers"
    ),
    "propagate": Annotation("propagate", _parse_names, "x-release,x-user", "passes these request headers on to calls"),
    "tls-secret": Annotation("tls_secret", _parse_secret, "app-tls", "serves TLS with this Secret, and only TLS"),
    "tls-ports": Annotation("tls_ports", _parse_ports, "8443", "limits tls-secret to these ports"),
}


def read_behaviour(annotations: Mapping[str, str], pod: str) -> tuple[Behaviour, tuple[Finding, ...]]:
    """The behaviour of a pod (``namespace/name``) and what is wrong with its annotations."""
    findings: list[Finding] = []

    def refuse(key: str, message: str, severity: Severity = Severity.ERROR, hint: str = "") -> None:
        findings.append(
            Finding(
                reference="standin-annotation",
                message=message,
                severity=severity,
                object=f"Pod {pod}",
                field=f"metadata.annotations[{key}]",
                hint=hint or "The annotation is ignored.",
            )
        )

    fields: dict[str, Any] = {}
    if ECHO in annotations:
        fields.update(_read_echo(annotations[ECHO], refuse))
    for key, value in sorted(annotations.items()):
        if not key.startswith(names.STANDIN_PREFIX):
            continue
        annotation = ANNOTATIONS.get(key.removeprefix(names.STANDIN_PREFIX))
        if annotation is None:
            known = f"Known are {', '.join(ANNOTATIONS)}."
            refuse(key, "stand-ins know no annotation of this name", Severity.WARNING, known)
            continue
        try:
            fields[annotation.field] = annotation.read(value)
        except ValueError as error:
            refuse(key, str(error), hint=f"Write it like {annotation.example!r}; it is ignored now.")
    status = fields.pop("status", None)
    effects = fields.pop("effects", Effects())
    if status is not None:
        effects = msgspec.structs.replace(effects, status=status)
    return Behaviour(effects=effects, **fields), tuple(findings)


_Refuse = Callable[[str, str], None]
_ECHO_KEYS = {"status", "headers", "delayMs", "abort", "grpcStatus", "tls", "grpc", "rules"}
_WHEN_KEYS = {"headers", "pathPrefix", "method", "cookies"}


def _read_echo(text: str, refuse: _Refuse) -> dict[str, Any]:
    """Fields of ``Behaviour`` from the JSON of the recorded cases; ``grpc`` is accepted and needs nothing."""
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        refuse(ECHO, f"the value is not JSON: {error}")
        return {}
    if not isinstance(data, dict):
        refuse(ECHO, "the value must be a JSON object")
        return {}
    for key in sorted(data.keys() - _ECHO_KEYS):
        refuse(ECHO, f"{key!r} is not known; known are {', '.join(sorted(_ECHO_KEYS))}")
    fields: dict[str, Any] = {"effects": _read_effects(data, refuse)}
    rules = data.get("rules", [])
    if not isinstance(rules, list):
        refuse(ECHO, "rules must be a list")
        rules = []
    fields["rules"] = tuple(rule for one in rules if (rule := _read_rule(one, refuse)) is not None)
    if "tls" in data:
        try:
            fields["tls_secret"] = _parse_secret(str(data["tls"]))
        except ValueError as error:
            refuse(ECHO, f"tls: {error}")
    return fields


def _read_effects(data: dict[str, Any], refuse: _Refuse) -> Effects:
    said: dict[str, Any] = {}
    readers: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "status": ("status", lambda value: parse_status(str(value))),
        "headers": ("headers", parse_headers),
        "delayMs": ("delay", lambda value: _parse_number(value) / 1000),
        "abort": ("abort", bool),
        "grpcStatus": ("grpc_status", lambda value: int(_parse_number(value))),
    }
    for key, (field, reader) in readers.items():
        if key in data:
            try:
                said[field] = reader(data[key])
            except ValueError as error:
                refuse(ECHO, f"{key}: {error}")
    return Effects(**said)


def _parse_number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e9:
        raise ValueError(f"{value!r} is not a number from 0 to 1e9")
    return float(value)


def _read_rule(data: object, refuse: _Refuse) -> Rule | None:
    """One rule; None when its condition cannot be read, because a rule that matches too much is worse than none."""
    if not isinstance(data, dict) or not isinstance(data.get("when", {}), dict):
        refuse(ECHO, "each rule must be an object, and so must its condition")
        return None
    when = data.get("when", {})
    headers, cookies = when.get("headers", {}), when.get("cookies", {})
    prefix, method = when.get("pathPrefix", ""), when.get("method", "")
    if not isinstance(headers, dict) or not isinstance(cookies, dict) or when.keys() - _WHEN_KEYS:
        refuse(ECHO, f"a condition may have {', '.join(sorted(_WHEN_KEYS))}; headers and cookies are objects")
        return None
    if not isinstance(prefix, str) or not isinstance(method, str):
        refuse(ECHO, "pathPrefix and method must be texts")
        return None
    return Rule(
        headers=tuple((str(name).lower(), str(value)) for name, value in headers.items()),
        cookies=tuple((str(name), str(value)) for name, value in cookies.items()),
        path_prefix=prefix,
        method=method,
        effects=_read_effects(data, refuse),
    )
