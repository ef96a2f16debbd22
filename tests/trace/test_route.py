"""Recorded Ingress cases decide which rule takes which request; a few more pin what they leave out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from switchboard.trace.route import RouteTable, certificate_for, match, names_host, normalize, plain_host
from switchboard.view.route import Backend, Certificate, Gateway, PathMatch, Route

CASES = json.loads((Path(__file__).parents[1] / "cases" / "trace" / "routing.json").read_bytes())


def gateway(*rules: tuple[str, str, str, str]) -> Gateway:
    routes = (
        Route(
            owner="Ingress t/i", field="", host=host, path=path, match=PathMatch(kind), backend=Backend(service, "80")
        )
        for host, kind, path, service in rules
    )
    return Gateway(name="g", routes=tuple(routes))


def taken(rules: Gateway, host: str, path: str) -> str:
    route = match(rules, host, path)
    return route.backend.service if route and route.backend else ""


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_recorded_cases(case: dict[str, Any]) -> None:
    rules = gateway(*case["rules"])
    answers = [taken(rules, host, path) for host, path, _ in case["requests"]]
    assert answers == [service for _, _, service in case["requests"]], case["note"]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["id"])
def test_order_of_rules_is_irrelevant_without_expressions(case: dict[str, Any]) -> None:
    if case["id"] == "ing-same-path-oldest-wins":
        return
    rules = gateway(*reversed(case["rules"]))
    assert [taken(rules, h, p) for h, p, _ in case["requests"]] == [s for _, _, s in case["requests"]]


def test_expressions_follow_the_order_of_evaluation_and_ignore_case() -> None:
    rules = gateway(
        ("h", "Regex", "/shop/[a-z]{3}", "rx"), ("h", "Prefix", "/shop/tea", "plain"), ("h", "Regex", "[(", "x")
    )
    assert taken(rules, "h", "/SHOP/tea/x") == "rx"
    assert taken(rules, "h", "/x/shop/tea") == ""


def test_why_names_the_reason() -> None:
    table = RouteTable(gateway(("", "Prefix", "/", "root"), ("", "Prefix", "/a", "a"), ("", "Exact", "/a", "exact")))
    reasons = [found.why for found in (table.match("x", p) for p in ("/", "/a", "/a/b")) if found]
    assert reasons == [
        "the only matching path of any host",
        "exact path before 2 matching prefixes of any host",
        "longest of 2 matching prefixes of any host",
    ]


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("//app/x", "/app/x"),
        ("/x/../app/y", "/app/y"),
        ("/%61pp/z", "/app/z"),
        ("/app/../other", "/other"),
        ("/a/", "/a/"),
        ("/a/b/..", "/a/"),
        ("/../..", "/"),
        ("/a?b=/c", "/a"),
        ("", "/"),
    ],
)
def test_paths_are_normalised(raw: str, plain: str) -> None:
    assert normalize(raw) == plain


@pytest.mark.parametrize(
    ("written", "plain"),
    [("API.example.com:443", "api.example.com"), ("a.b.", "a.b"), ("[2001:DB8::1]:443", "2001:db8::1"), ("::1", "::1")],
)
def test_hosts_are_compared_plain(written: str, plain: str) -> None:
    assert plain_host(written) == plain


def test_certificates_exact_then_wildcard_then_default() -> None:
    broken = Certificate(owner="", secret="t/missing", hosts=("a.b.c",))
    default = Certificate(owner="", secret="t/default", chain="pem")
    wild = Certificate(owner="", secret="t/wild", hosts=("*.b.c",), chain="pem")
    exact = Certificate(owner="", secret="t/exact", hosts=("A.b.c",), chain="pem")

    def secret(name: str, *known: Certificate) -> str:
        found, _ = certificate_for(known, name)
        return found.secret if found else ""

    everything = (broken, default, wild, exact)
    assert secret("a.b.c", *everything) == "t/exact"
    assert secret("x.b.c", *everything) == "t/wild"
    assert secret("y.x.b.c", *everything) == "t/default"
    assert secret("", *everything) == "t/default"
    assert secret("a.b.c", broken) == ""
    assert names_host((broken,), "a.b.c")
    assert not names_host((default,), "a.b.c")
