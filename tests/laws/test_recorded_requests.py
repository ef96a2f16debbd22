"""The recorded gateway cases, traced: who answers is predicted before a request is sent.

tests/live/gateway plays the same cases against a real Envoy, so that tracer, data plane and record agree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest

from switchboard.trace.gateway import HttpRequest, serve
from switchboard.trace.lookup import Lookup
from switchboard.trace.request import Url
from switchboard.trace.route import plain_host
from switchboard.view.build import routes
from switchboard.view.model import View
from switchboard.view.route import Gateway
from switchboard.view.service import Endpoint, ServicePort

CASES = sorted((Path(__file__).parents[1] / "cases" / "gateway").glob("*/*.json"))
CLASSES = [
    {"kind": "IngressClass", "metadata": {"name": name}, "spec": {"controller": "k8s.io/ingress-nginx"}}
    for name in ("nginx", "corpus-ingress")
]
# Where the data plane differs from the record on purpose, which tests/live/gateway explains.
KNOWN = {"ngx-redirect-unmatched-path"}


def service_ports(objects: list[dict[str, Any]]) -> Iterator[ServicePort]:
    pods = [o for o in objects if o["kind"] == "Pod"]
    for service in (o for o in objects if o["kind"] == "Service"):
        space, wanted = service["metadata"]["namespace"], service["spec"].get("selector") or {}
        chosen = [
            (i, pod)
            for i, pod in enumerate(pods)
            if pod["metadata"]["namespace"] == space
            and wanted
            and wanted.items() <= pod["metadata"].get("labels", {}).items()
        ]
        for port in service["spec"]["ports"]:
            yield ServicePort(
                namespace=space,
                name=service["metadata"]["name"],
                port_name=port.get("name", ""),
                protocol=port.get("protocol", "TCP"),
                port=port["port"],
                endpoints=tuple(
                    Endpoint(f"10.0.0.{i + 1}", 8080, pod=f"{space}/{pod['metadata']['name']}") for i, pod in chosen
                ),
            )


def world(case: dict[str, Any]) -> tuple[Gateway, Lookup]:
    objects: dict[str, list[dict[str, Any]]] = {"IngressClass": list(CLASSES)}
    for number, each in enumerate(case["objects"]):
        stamp = {"creationTimestamp": f"2026-01-01T00:00:{number:02}Z"} if case.get("staged") else {}
        objects.setdefault(each["kind"], []).append({**each, "metadata": {**each["metadata"], **stamp}})
    services = tuple(service_ports(case["objects"]))
    gateways, _ = routes.build(objects, services)
    gateway = gateways[0] if gateways else Gateway(name="empty")
    return gateway, Lookup(View(services=services, gateways=(gateway,)))


def traced(gateway: Gateway, lookup: Lookup, one: dict[str, Any]) -> dict[str, Fraction]:
    """Share of requests by ``namespace/service``, or by ``status:NNN`` where the gateway answers itself."""
    headers = {k.lower(): v if isinstance(v, str) else ", ".join(v) for k, v in one.get("headers", {}).items()}
    cookies = {k: v.value for k, v in SimpleCookie(headers.get("cookie", "")).items()} | one.get("cookies", {})
    scheme, host = one.get("scheme", "http"), one.get("host") or ""
    url = Url(scheme, plain_host(host), 443 if scheme == "https" else 80, one.get("path", "/"))
    total: dict[str, Fraction] = {}
    for outcome in serve(gateway, HttpRequest(url, plain_host(host), headers, cookies), lookup).outcomes:
        name = outcome.target.service if outcome.target else f"status:{outcome.status}"
        total[name] = total.get(name, Fraction(0)) + outcome.probability
    return total


def expected(want: dict[str, Any], found: dict[str, Fraction]) -> bool:
    """Whether a prediction is what was recorded."""
    recorded = want["backend"]
    if isinstance(recorded, dict):
        weights = sum(recorded.values())
        return found == {name: Fraction(n, weights) for name, n in recorded.items() if n}
    if recorded is None or recorded == [None]:
        codes = want.get("status", [])
        patterns = [str(c).replace("x", r"\d") for c in (codes if isinstance(codes, list) else [codes])]
        own = [name.removeprefix("status:") for name in found if name.startswith("status:")]
        return len(own) == len(found) == 1 and (not patterns or any(re.fullmatch(p, own[0]) for p in patterns))
    allowed = recorded if isinstance(recorded, list) else [recorded]
    return set(found) <= {b or next(iter(found)) for b in allowed}


def playable(case: dict[str, Any]) -> list[dict[str, Any]]:
    # How long a pod takes is no fact of the view, so time-outs (504) are not predicted.
    asked = [r for r in case["requests"] if "backend" in r.get("expect", {}) and not r.get("tlsOnly")]
    return [r for r in asked if r["expect"].get("status") != 504]


@pytest.mark.parametrize("path", [p for p in CASES if p.stem not in KNOWN], ids=lambda p: p.stem)
def test_prediction_is_the_record(path: Path) -> None:
    case = json.loads(path.read_text())
    gateway, lookup = world(case)
    for one in playable(case):
        found = traced(gateway, lookup, one)
        assert expected(one["expect"], found), (one["name"], found, one["expect"])


def test_cases_are_there() -> None:
    assert sum(len(playable(json.loads(p.read_text()))) for p in CASES) > 150
    assert {p.stem for p in CASES} >= KNOWN
