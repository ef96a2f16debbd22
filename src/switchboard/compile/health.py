"""Health that a node's proxy tells load balancers and its own supervisor: counts, and the answers over HTTP.

In go the view, a node's name and settings, or the progress of the proxy and the time; out come ``HealthCheck`` facts
and ``Answer`` bytes.  Called by ``serve.health`` and ``run``.
Specification: K126 to K132 of the behaviour list (kube-proxy 1.36).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import msgspec

from switchboard.compile.modes._mode import ProxyOptions
from switchboard.compile.node_ports import accepting
from switchboard.view.choice import addresses_of
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import ServicePort

#: Port of the proxy's own health, and the path that asks for the proxy without the node.
PORT = 10256
HEALTHZ, LIVEZ = "/healthz", "/livez"
_ANY = {4: "0.0.0.0", 6: "::"}


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One family's health check of one Service on one node.

    ``addresses`` are those to listen on, ``local_endpoints`` counts distinct addresses of ready endpoints (K128).
    """

    namespace: str
    name: str
    family: int
    port: int
    addresses: tuple[str, ...]
    local_endpoints: int


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer: status, headers, body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Progress(msgspec.Struct, frozen=True):
    """How one family's syncs go, in seconds of one clock: when the last one ended, and since when a change waits.

    0 is never, for both.
    """

    updated: float = 0.0
    waiting: float = 0.0


def health(view: View, node_name: str) -> dict[tuple[str, int], int]:
    """Ready endpoints on the node by (``namespace/name``, family) of every Service that asks for a health check."""
    counted: dict[tuple[str, int], set[str]] = {}
    for port in filter(checked, view.services):
        for family in sorted({4 if ":" not in a else 6 for a in port.cluster_ips}):
            found = counted.setdefault((f"{port.namespace}/{port.name}", family), set())
            mine = (e.address for e in port.endpoints if e.ready and node_name and e.node == node_name)
            found.update(addresses_of(mine, family))
    return {key: len(addresses) for key, addresses in counted.items()}


def checked(port: ServicePort) -> bool:
    """Whether load balancers ask nodes about this Service (K126)."""
    wanted = port.type == "LoadBalancer" and port.external_local and port.health_check_node_port > 0
    return wanted and port.proxied


def health_checks(view: View, node_name: str, options: ProxyOptions, *, primary: bool) -> tuple[HealthCheck, ...]:
    """What the node listens on for load balancers; ``primary`` is the mode's default of NodePort addresses."""
    counts = health(view, node_name)
    node = next((n for n in view.nodes if n.name == node_name), Node(name=node_name))
    found: dict[tuple[str, int], HealthCheck] = {}
    for port in filter(checked, view.services):
        service = f"{port.namespace}/{port.name}"
        for family in (f for f in (4, 6) if (service, f) in counts):
            addresses = accepting(family, node, options, primary=primary)
            found[service, family] = HealthCheck(
                namespace=port.namespace,
                name=port.name,
                family=family,
                port=port.health_check_node_port,
                addresses=(_ANY[family],) if addresses is None else tuple(sorted(addresses, key=_number)),
                local_endpoints=counts[service, family],
            )
    return tuple(found[k] for k in sorted(found))


def _number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def service_answer(check: HealthCheck, *, proxy_healthy: bool) -> Answer:
    """What a load balancer hears: 200 with a ready endpoint here and a healthy proxy, else 503 (K126, K127)."""
    body = {
        "service": {"namespace": check.namespace, "name": check.name},
        "localEndpoints": check.local_endpoints,
        "serviceProxyHealthy": proxy_healthy,
    }
    weight = (("X-Load-Balancing-Endpoint-Weight", str(check.local_endpoints)),)
    return _answer(proxy_healthy and check.local_endpoints > 0, body, weight)


def healthy(progress: Progress, now: float, sync_period: float) -> bool:
    """No change has waited for twice the sync period (K131)."""
    return not progress.waiting or now - progress.waiting < 2 * sync_period


def proxy_answer(
    path: str, progress: Mapping[int, Progress], now: float, *, sync_period: float = 30.0, eligible: bool = True
) -> Answer | None:
    """``/healthz`` or ``/livez`` of the proxy, None for another path.

    ``progress`` is by family, ``now`` in seconds since 1970, as are its times.
    ``eligible`` says that the node is known and meant to stay; it counts for ``/healthz`` only (K132).
    """
    if path not in (HEALTHZ, LIVEZ):
        return None
    well = {family: healthy(p, now, sync_period) for family, p in sorted(progress.items())}
    proxies = all(well.values())
    body: dict[str, object] = {
        # While all is well nothing is out of date, however long ago the last change was.
        "lastUpdated": _time(now if proxies else max((p.updated for p in progress.values()), default=0.0)),
        "currentTime": _time(now),
        "healthy": proxies and (eligible or path == LIVEZ),
        "status": {
            f"IPv{f}": {"lastUpdated": _time(now if well[f] else progress[f].updated), "healthy": well[f]} for f in well
        },
    }
    if path == HEALTHZ:
        body["nodeEligible"] = eligible
    return _answer(bool(body["healthy"]), body)


def not_found() -> Answer:
    """The answer to a path that is not served."""
    return Answer(404, (("Content-Type", "text/plain"),), b"404 page not found\n")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def _answer(well: bool, body: object, headers: Iterable[tuple[str, str]] = ()) -> Answer:
    common = (("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff"))
    return Answer(200 if well else 503, (*common, *headers), msgspec.json.encode(body))
