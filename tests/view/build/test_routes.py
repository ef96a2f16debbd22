"""Ingresses as gateways: which route is first, who owns a path, what one bad Ingress does to others (nothing)."""

from typing import Any

import pytest

from switchboard.view.build.routes import build
from switchboard.view.route import Gateway, PathMatch
from switchboard.view.service import ServicePort

PREFIX = "nginx.ingress.kubernetes.io/"
SERVICES = tuple(
    ServicePort(namespace="ns", name=name, port_name="http", protocol="TCP", port=80) for name in ("s", "t", "u")
)
CLASS = {"metadata": {"name": "nginx"}, "spec": {"controller": "k8s.io/ingress-nginx"}}


def path(text: str, service: str = "s", kind: str = "Prefix") -> dict[str, Any]:
    backend = {"service": {"name": service, "port": {"number": 80}}}
    return {"path": text, "pathType": kind, "backend": backend}


def ingress(name: str, *paths: dict[str, Any], host: str = "a.test", age: int = 0, **more: Any) -> dict[str, Any]:
    options = {PREFIX + k.replace("_", "-"): v for k, v in more.pop("options", {}).items()}
    metadata = {
        "namespace": "ns",
        "name": name,
        "annotations": options,
        "creationTimestamp": f"2026-01-01T00:00:{age:02}Z",
    }
    rules = [{"host": host, "http": {"paths": list(paths)}}] if paths else []
    return {"metadata": metadata, "spec": {"ingressClassName": "nginx", "rules": rules, **more}}


def gateway(*ingresses: dict[str, Any]) -> tuple[Gateway, list[str]]:
    (made,), findings = build({"Ingress": ingresses, "IngressClass": [CLASS]}, SERVICES)
    return made, [f.reference for f in findings]


def told(made: Gateway) -> list[tuple[str, str, str, str]]:
    """Host, path, kind and service of each route, in order."""
    return [(r.host, r.path, r.match.value, r.backend.service[3:] if r.backend else "") for r in made.routes]


def test_exact_comes_before_the_longest_prefix() -> None:
    made, _ = gateway(ingress("i", path("/"), path("/a/b"), path("/a/b/c/"), path("/a", "t", "Exact")))
    assert [(p, k) for _, p, k, _ in told(made)] == [
        ("/a", "Exact"),
        ("/a/b/c/", "Prefix"),
        ("/a/b", "Prefix"),
        ("/", "Prefix"),
    ]


def test_exact_hosts_come_before_wildcards_and_any_host() -> None:
    made, _ = gateway(*(ingress(f"i{n}", path("/"), host=h) for n, h in enumerate(("", "*.test", "b.test", "a.test"))))
    assert [r.host for r in made.routes] == ["a.test", "b.test", "*.test", ""]


def test_implementation_specific_is_a_prefix() -> None:
    made, _ = gateway(ingress("i", path("/x", kind="ImplementationSpecific")))
    assert made.routes[0].match is PathMatch.PREFIX


@pytest.mark.parametrize(
    ("older", "younger", "taken"),
    [
        (path("/x"), path("/x", "t"), True),
        (path("/x"), path("/x/", "t"), True),
        (path("/x"), path("/x", "t", "ImplementationSpecific"), True),
        (path("/x"), path("/x", "t", "Exact"), False),
        (path("/x", kind="Exact"), path("/x/", "t", "Exact"), False),
        (path("/x"), path("/xy", "t"), False),
    ],
)
def test_the_older_ingress_keeps_a_path(older: dict[str, Any], younger: dict[str, Any], taken: bool) -> None:
    made, findings = gateway(ingress("a", younger, age=9), ingress("b", older))
    assert {r.backend.service for r in made.routes if r.backend} == ({"ns/s"} if taken else {"ns/s", "ns/t"})
    assert findings == (["path-taken"] if taken else [])


def test_a_default_backend_takes_what_is_left_of_its_hosts() -> None:
    default = path("/", "t")["backend"]
    made, findings = gateway(ingress("i", path("/x"), defaultBackend=default))
    assert told(made) == [("a.test", "/x", "Prefix", "s"), ("a.test", "/", "Prefix", "t")]
    assert made.default_backend is None
    assert findings == []


def test_a_rule_for_everything_leaves_nothing_for_a_default_backend() -> None:
    made, findings = gateway(ingress("i", path("/"), defaultBackend=path("/", "t")["backend"]))
    assert told(made) == [("a.test", "/", "Prefix", "s")]
    assert findings == []


def test_an_ingress_without_rules_is_the_default_and_the_oldest_counts() -> None:
    made, _ = gateway(
        ingress("young", defaultBackend=path("/", "t")["backend"], age=5),
        ingress("old", defaultBackend=path("/", "s")["backend"], options={"backend_protocol": "HTTPS"}),
    )
    assert made.routes == ()
    assert made.default_backend
    assert made.default_backend.service == "ns/s"
    assert made.default_route
    assert made.default_route.options == {"backend-protocol": "HTTPS"}


def test_a_canary_joins_its_main_route() -> None:
    options = {"canary": "true", "canary_weight": "10"}
    made, findings = gateway(ingress("canary", path("/", "t"), options=options), ingress("main", path("/"), age=5))
    (only,) = made.routes
    assert only.canary
    assert (only.canary.owner, only.canary.weight) == ("Ingress ns/canary", 10)
    assert only.options == {}
    assert findings == []


def test_a_canary_of_a_default_backend_joins_it() -> None:
    main = ingress("main", defaultBackend=path("/", "s")["backend"])
    canary = ingress("canary", defaultBackend=path("/", "t")["backend"], options={"canary": "true"})
    made, _ = gateway(main, canary)
    assert made.default_route
    assert made.default_route.canary
    assert made.default_route.canary.backend.service == "ns/t"


def test_a_canary_without_main_makes_no_route() -> None:
    made, findings = gateway(ingress("canary", path("/"), options={"canary": "true"}))
    assert made.routes == ()
    assert findings == ["canary-without-main"]


def test_a_regular_expression_affects_its_whole_host() -> None:
    regex = ingress("regex", path("/a/(.*)", kind="ImplementationSpecific"), options={"rewrite_target": "/$1"})
    made, findings = gateway(
        regex, ingress("plain", path("/longer/than/it", "t", "Exact")), ingress("b", path("/"), host="b")
    )
    assert told(made) == [
        ("a.test", "/longer/than/it", "Regex", "t"),
        ("a.test", "/a/(.*)", "Regex", "s"),
        ("b", "/", "Prefix", "s"),
    ]
    assert findings == ["regex-affects-host"]


def test_one_bad_ingress_stops_no_other() -> None:
    bad: list[Any] = [
        None,
        {},
        {"metadata": None, "spec": 5},
        ingress("x", {"path": 5, "pathType": [], "backend": "s"}),
        ingress("y", path("/y", "gone")),
        ingress("z", rules="none", tls=[None, {"hosts": 5}]),
    ]
    made, findings = gateway(*bad, ingress("good", path("/")))
    assert [r.owner for r in made.routes] == ["Ingress ns/y", "Ingress ns/good"]
    assert findings


def test_classes_of_one_service_are_one_gateway() -> None:
    def named(name: str, service: str) -> dict[str, Any]:
        annotations = {"switchboard.dev/publish-service": service}
        return {**CLASS, "metadata": {"name": name, "annotations": annotations}}

    classes = [named("b", "gw/one"), named("a", "gw/one"), named("c", "gw/two")]
    made, _ = build({"IngressClass": classes}, ())
    assert [(g.name, g.service) for g in made] == [("a,b", "gw/one"), ("c", "gw/two")]


def test_nothing_is_no_gateway() -> None:
    assert build({}, ()) == ((), ())
