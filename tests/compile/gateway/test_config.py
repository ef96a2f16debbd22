"""The compiler of a gateway: one golden of a whole configuration, and what parts refer to each other."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from switchboard.compile import gateway as compiler
from switchboard.compile.gateway import KeyPair, Settings
from switchboard.rules import discovery
from switchboard.view.model import View
from switchboard.view.route import Backend, Canary, Certificate, Gateway, PathMatch, Route
from switchboard.view.service import Endpoint, ServicePort

GOLDEN = Path(__file__).parents[2] / "golden" / "gateway.json"
Routes, Ports = Callable[..., Route], Callable[..., ServicePort]


@pytest.fixture
def payments(route: Routes, port: Ports) -> tuple[Gateway, View]:
    """A canary, a wildcard host, a regular expression, a redirect, TLS, a default backend, a missing Service."""
    zones = tuple(Endpoint(f"10.1.{n}.1", 8080, zone=f"zone-{n}") for n in range(2))
    services = (port("main", endpoints=zones), port("next", "10.1.2.1"), port("grpc", "10.1.3.1"), port("idle"))
    split = Canary(
        owner="Ingress ns/canary",
        backend=Backend("ns/next", "80", "ns/next:http/TCP"),
        weight=10,
        header="X-Canary",
        cookie="stage",
    )
    grpc = Backend("ns/grpc", "80", "ns/grpc:http/TCP")
    routes = (
        route("pay.test", "/health", match=PathMatch.EXACT),
        route("pay.test", "/", canary=split),
        route("old.test", "/", options={"permanent-redirect": "https://pay.test"}, owner="Ingress ns/old"),
        route("v.test", "/v[0-9]/(.*)", match=PathMatch.REGEX, options={"rewrite-target": "/$1"}),
        route("*.rpc.test", "/", backend=grpc, options={"backend-protocol": "GRPC"}, owner="Ingress ns/rpc"),
        route("", "/gone", backend=Backend("ns/none", "80")),
    )
    shown = Certificate(owner="Ingress ns/main", secret="ns/pay", hosts=("pay.test",), chain="CHAIN", key="KEY")
    gateway = Gateway(
        name="nginx",
        service="ns/gateway",
        routes=routes,
        certificates=(shown,),
        default_backend=Backend("ns/idle", "80", "ns/idle:http/TCP"),
    )
    return gateway, View(services=services)


def test_the_whole_configuration_is_the_golden_one(payments: tuple[Gateway, View]) -> None:
    config, findings = compiler.compile(*payments, Settings(default_certificate=KeyPair("DEFAULT", "KEY")))
    assert findings == ()
    files = discovery.render(config, "/etc/gateway")
    wanted = {
        name: msgspec.json.decode(content) if name.endswith(".json") else content.decode()
        for name, content in sorted(files.items())
    }
    text = msgspec.json.format(msgspec.json.encode(wanted), indent=1).decode() + "\n"
    if os.environ.get("REGEN"):
        GOLDEN.write_text(text)
    golden = GOLDEN.read_text()
    difference = "\n".join(
        difflib.unified_diff(golden.splitlines(), text.splitlines(), "golden", "compiled", lineterm="")
    )
    assert text == golden, f"{difference}\nREGEN=1 accepts this"


def test_parsing_a_rendering_returns_it(payments: tuple[Gateway, View]) -> None:
    config, _ = compiler.compile(*payments)
    assert discovery.parse(discovery.render(config, "/d"), "/d") == config


def test_two_routes_of_one_host_keep_their_order(route: Routes, port: Ports) -> None:
    gateway = Gateway(name="g", routes=(route(path="/a"), route(path="/b"), route("b.test", "/")))
    config, _ = compiler.compile(gateway, View(services=(port("main", "10.0.0.1"),)))
    found = [
        (v.name, [r.match.path_separated_prefix or r.match.prefix for r in v.routes])
        for v in config.routes[0].virtual_hosts
    ]
    assert found == [("a.test", ["/a", "/b"]), ("b.test", ["/"])]


def test_a_host_with_tls_moves_and_its_wildcard_covers_others(route: Routes, port: Ports) -> None:
    shown = Certificate(owner="o", secret="ns/missing", hosts=("*.a.test",))
    gateway = Gateway(
        name="g", routes=(route("x.a.test"), route("*.a.test"), route("x.y.a.test")), certificates=(shown,)
    )
    config, _ = compiler.compile(gateway, View(services=(port("main", "10.0.0.1"),)))
    moves = {v.name: any(r.redirect for r in v.routes) for v in config.routes[0].virtual_hosts}
    assert moves == {"x.a.test": True, "*.a.test": True, "x.y.a.test": False}


def test_of_two_certificates_for_a_host_the_first_is_shown(route: Routes, port: Ports) -> None:
    shown = tuple(
        Certificate(owner="o", secret=f"ns/{name}", hosts=hosts, chain="C", key="K")
        for name, hosts in (("z", ("a.test",)), ("b", ("a.test", "b.test")), ("z", ("c.test",)), ("c", ("a.test",)))
    )
    config, _ = compiler.compile(Gateway(name="g", certificates=shown), View(), Settings())
    secure = config.listeners[1]
    names = {c.name: c.filter_chain_match.server_names for c in secure.filter_chains if c.filter_chain_match}
    assert names == {"ns/z": ("a.test", "c.test"), "ns/b": ("b.test",)}
    assert {s.name for s in config.key_pairs} == {"ns/z", "ns/b"}


def test_what_is_not_honoured_is_told_once_for_an_ingress(route: Routes, port: Ports) -> None:
    routes = tuple(route(path=f"/{n}", field=f"f{n}", options={"limit-rps": "1"}) for n in range(3))
    _, findings = compiler.compile(Gateway(name="g", routes=routes), View(services=(port("main"),)))
    assert [f.reference for f in findings] == ["annotation-not-honoured"]


def test_a_route_that_envoy_could_not_hold_is_left_out_alone(route: Routes, port: Ports) -> None:
    bad = route("b.test", "/(?=x)", match=PathMatch.REGEX)
    config, findings = compiler.compile(
        Gateway(name="g", routes=(bad, route())), View(services=(port("main", "10.0.0.1"),))
    )
    assert [f.reference for f in findings] == ["path-unusable"]
    assert [v.name for v in config.routes[0].virtual_hosts] == ["a.test"]


def test_a_pattern_that_envoy_could_not_hold_is_told(route: Routes, port: Ports) -> None:
    split = Canary(owner="Ingress ns/c", backend=Backend("ns/c", "80"), header="X", header_pattern="(?=x)")
    _, (finding,) = compiler.compile(
        Gateway(name="g", routes=(route(canary=split),)), View(services=(port("main", "10.0.0.1"),))
    )
    assert (finding.reference, finding.object) == ("canary-pattern-unusable", "Ingress ns/c")


def test_endpoints_that_come_and_go_leave_the_set_of_clusters(route: Routes, port: Ports) -> None:
    made = [
        compiler.compile(Gateway(name="g", routes=(route(),)), View(services=(port("main", *addresses),)))[0]
        for addresses in ((), ("10.0.0.1",))
    ]
    assert [c.name for c in made[0].clusters] == [c.name for c in made[1].clusters]
    assert made[0].clusters != made[1].clusters
    assert made[0].routes != made[1].routes
