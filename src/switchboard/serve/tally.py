"""Counting answers: what an outside client writes down about each request, and the sum of it.

Comes in: one call per answered or failed request.  Goes out: a ``Measurement``, stored as JSON (kind ``Measurement``)
and rendered by ``cli.render.measurement``.  Called by ``serve.outside``.
Memory is bounded: eight bytes per latency, and a limited number of different names and examples.
"""

from __future__ import annotations

from array import array
from collections import Counter

import msgspec

from switchboard.k8s.names import APP_VERSION_LABEL
from switchboard.release.statistics import quantile

OTHER = "(others)"
_MOST_NAMES = 10_000
_MOST_EXAMPLES = 3


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Quantiles in seconds, each an observed value (definition 1 of Hyndman and Fan)."""

    p50: float
    p90: float
    p99: float
    highest: float


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Requests without an answer, by kind, with the first few messages."""

    kind: str
    count: int
    examples: tuple[str, ...] = ()


class Measurement(msgspec.Struct, frozen=True, kw_only=True, rename="camel", tag_field="kind", tag="Measurement"):
    """What an outside client has seen.

    ``latency`` is over answered requests, from before the connection set-up (if there was one) to the last byte;
    ``setup`` is TCP and TLS alone, one value per connection.  The counts by name are those of answers that say who
    they are; ``anonymous`` counts the others.  ``stopped`` says why not all requests were sent, empty when all were.
    """

    api_version: str = "switchboard.dev/v1"
    url: str
    requested: int
    answered: int
    seconds: float
    connections: int = 0
    retried: int = 0
    stopped: str = ""
    statuses: dict[int, int] = {}
    services: dict[str, int] = {}
    versions: dict[str, int] = {}
    pods: dict[str, int] = {}
    nodes: dict[str, int] = {}
    zones: dict[str, int] = {}
    clients: dict[str, int] = {}
    anonymous: int = 0
    latency: Latency | None = None
    setup: Latency | None = None
    failures: tuple[Failure, ...] = ()


class _Answer(msgspec.Struct, frozen=True, rename="camel"):
    """The part of an answer that says who gives it."""

    pod: str
    namespace: str = ""
    service: str = ""
    node: str = ""
    zone: str = ""
    images: list[str] | dict[str, str] = []
    labels: dict[str, str] = {}
    client: str = msgspec.field(default="", name="clientIP")


class Tally:
    """Grows by one call per request; ``measurement`` may be taken at any time."""

    def __init__(self) -> None:
        """Empty."""
        self.answered = 0
        self.failed = 0
        self.failed_in_a_row = 0
        self.connections = 0
        self.retried = 0
        self._anonymous = 0
        self._statuses: Counter[int] = Counter()
        self._names: dict[str, Counter[str]] = {
            kind: Counter() for kind in ("services", "versions", "pods", "nodes", "zones", "clients")
        }
        self._latencies, self._setups = array("d"), array("d")
        self._failures: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}
        self._decoder = msgspec.json.Decoder(_Answer)

    def connected(self, seconds: float) -> None:
        """One connection is set up."""
        self.connections += 1
        self._setups.append(seconds)

    def answer(self, status: int, body: bytes, seconds: float) -> None:
        """One request is answered, whatever the status."""
        self.answered += 1
        self.failed_in_a_row = 0
        self._statuses[status] += 1
        self._latencies.append(seconds)
        try:
            said = self._decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._anonymous += 1
            return
        named = {
            "pods": f"{said.namespace}/{said.pod}" if said.namespace else said.pod,
            "services": said.service,
            "versions": _version(said),
            "nodes": said.node,
            "zones": said.zone,
            "clients": said.client,
        }
        for kind, name in named.items():
            if name:
                counter = self._names[kind]
                counter[name if name in counter or len(counter) < _MOST_NAMES else OTHER] += 1

    def failure(self, kind: str, message: str) -> None:
        """One request has no answer."""
        self.failed += 1
        self.failed_in_a_row += 1
        self._failures[kind] += 1
        examples = self._examples.setdefault(kind, [])
        if message not in examples and len(examples) < _MOST_EXAMPLES:
            examples.append(message)

    def measurement(self, url: str, requested: int, seconds: float, stopped: str) -> Measurement:
        """Everything so far; counts in descending order."""
        names = {kind: dict(counter.most_common()) for kind, counter in self._names.items()}
        return Measurement(
            url=url,
            requested=requested,
            answered=self.answered,
            seconds=seconds,
            connections=self.connections,
            retried=self.retried,
            stopped=stopped,
            statuses=dict(self._statuses.most_common()),
            services=names["services"],
            versions=names["versions"],
            pods=names["pods"],
            nodes=names["nodes"],
            zones=names["zones"],
            clients=names["clients"],
            anonymous=self._anonymous,
            latency=_latency(self._latencies),
            setup=_latency(self._setups),
            failures=tuple(
                Failure(kind=kind, count=count, examples=tuple(self._examples[kind]))
                for kind, count in self._failures.most_common()
            ),
        )


def _latency(seconds: array[float]) -> Latency | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Latency(
        p50=quantile(ordered, 0.5), p90=quantile(ordered, 0.9), p99=quantile(ordered, 0.99), highest=ordered[-1]
    )


def _version(said: _Answer) -> str:
    """The version label, or the images; both name what is being released."""
    label = said.labels.get(APP_VERSION_LABEL) or said.labels.get("version", "")
    images = said.images.values() if isinstance(said.images, dict) else said.images
    return label or ", ".join(images)
