"""Canaries belong to the rule with the same host, path and pathType, and mean what ingress-nginx makes of them."""

from typing import Any

import pytest

from switchboard.base.findings import Finding
from switchboard.view.build.canaries import check, merge, place
from switchboard.view.build.ingresses import IngressFacts, Rule
from switchboard.view.route import Backend, Canary


def rule(name: str = "main", service: str = "s", port: str = "80", **more: Any) -> Rule:
    options = more.pop("options", {})
    facts = IngressFacts(
        namespace="ns", name=name, class_name="nginx", options=options, canary="canary" in options, tls=()
    )
    backend = Backend(f"ns/{service}", port, f"ns/{service}:{port}/TCP")
    return Rule(
        **{"ingress": facts, "field": "f", "host": "h", "path": "/", "path_type": "Prefix", "backend": backend, **more}
    )


def canary(name: str = "canary", service: str = "c", port: str = "80", /, _place: Any = None, **options: str) -> Rule:
    given = {"canary": "true", **{k.replace("_", "-"): v for k, v in options.items()}}
    return rule(name, service, port, options=given, **(_place or {}))


def merged(*canaries: Rule, main: Rule | None = None) -> tuple[Canary | None, list[str]]:
    findings: list[Finding] = []
    first = main or rule()
    for each in canaries:
        check(each.ingress, findings)
    return merge([first], canaries, findings).get(place(first)), [f.reference for f in findings]


@pytest.mark.parametrize(
    ("options", "wanted", "told"),
    [
        ({}, {}, []),
        ({"canary_weight": "10"}, {"weight": 10}, []),
        ({"canary_weight": "10%"}, {"weight": 0}, ["canary-weight-invalid"]),
        ({"canary_weight": "-5"}, {"weight": 0}, []),
        ({"canary_weight": "5", "canary_weight_total": "10"}, {"weight": 5}, ["canary-weight-total-ignored"]),
        ({"canary_weight": "5", "canary_weight_total": "100"}, {"weight": 5}, []),
        ({"canary_weight": "5", "canary_weight_total": "1000"}, {"weight": 5, "weight_total": 1000}, []),
        ({"canary_weight_total": "many"}, {}, ["canary-weight-invalid"]),
        ({"canary_by_header": "X"}, {"header": "X"}, []),
        ({"canary_by_header": "X", "canary_by_header_value": "v"}, {"header": "X", "header_value": "v"}, []),
        (
            {"canary_by_header": "X", "canary_by_header_value": "v", "canary_by_header_pattern": "p"},
            {"header": "X", "header_value": "v"},
            [],
        ),
        ({"canary_by_header": "X", "canary_by_header_pattern": "p"}, {"header": "X", "header_pattern": "p"}, []),
        ({"canary_by_header_value": "v"}, {}, ["canary-header-missing"]),
        ({"canary_by_cookie": "c"}, {"cookie": "c"}, []),
        ({"canary_by_cookie": "c=d"}, {}, ["canary-name-invalid"]),
        ({"canary_by_header": "X: y"}, {}, ["canary-name-invalid"]),
        ({"rewrite_target": "/x"}, {}, ["canary-annotation-ignored"]),
    ],
)
def test_settings(options: dict[str, str], wanted: dict[str, Any], told: list[str]) -> None:
    found, said = merged(canary(**options))
    assert found == Canary(owner="Ingress ns/canary", backend=Backend("ns/c", "80", "ns/c:80/TCP"), **wanted)
    assert said == told


@pytest.mark.parametrize("where", [{"host": "other"}, {"path": "/x"}, {"path_type": "Exact"}, {"default": True}])
def test_another_place_is_no_main(where: dict[str, Any]) -> None:
    assert merged(canary(_place=where)) == (None, ["canary-without-main"])


def test_the_same_backend_splits_nothing_but_another_port_does() -> None:
    assert merged(canary("canary", "s", "80")) == (None, ["canary-same-backend"])
    found, told = merged(canary("canary", "s", "81"))
    assert found
    assert told == []


def test_the_same_port_by_name_and_number_is_the_same_backend() -> None:
    named = canary("canary", _place={"backend": Backend("ns/s", "http", "ns/s:80/TCP")})
    assert merged(named) == (None, ["canary-same-backend"])


def test_one_canary_counts_the_first() -> None:
    found, told = merged(canary("one", "c1"), canary("two", "c2"))
    assert found
    assert found.owner == "Ingress ns/one"
    assert told == ["canary-second"]


def test_a_canary_without_backend_is_passed_over() -> None:
    assert merged(canary(_place={"backend": None})) == (None, [])


@pytest.mark.parametrize("value", ["false", "yes", ""])
def test_settings_without_canary_are_told(value: str) -> None:
    options = {"canary": value, "canary-weight": "10"}
    facts = IngressFacts(namespace="ns", name="i", class_name="nginx", options=options, canary=False, tls=())
    findings: list[Finding] = []
    check(facts, findings)
    assert [f.reference for f in findings] == ["canary-not-enabled"]
    assert "canary-weight" in findings[0].message


def test_a_tls_section_of_a_canary_is_told() -> None:
    facts = IngressFacts(
        namespace="ns", name="i", class_name="n", options={"canary": "true"}, canary=True, tls=((("a",), "s"),)
    )
    findings: list[Finding] = []
    check(facts, findings)
    assert [f.reference for f in findings] == ["canary-tls-ignored"]
