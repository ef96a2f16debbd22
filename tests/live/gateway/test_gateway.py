"""The gateway as its users meet it: a real Envoy, fed by files, never restarted."""

import concurrent.futures
import contextlib
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest

from switchboard.apply import envoy as applier
from switchboard.compile import gateway as compiler
from switchboard.rules import discovery, envoy
from switchboard.view.model import View
from switchboard.view.route import Backend, Canary, Certificate, Gateway, PathMatch, Route
from switchboard.view.service import Endpoint, ServicePort

pytestmark = pytest.mark.live


def port(name: str, *addresses: str, terminating: bool = False) -> ServicePort:
    """A service port whose pods listen on 8080."""
    return ServicePort(
        namespace="shop",
        name=name,
        port_name="http",
        protocol="TCP",
        port=80,
        endpoints=tuple(Endpoint(a, 8080, ready=not terminating, terminating=terminating) for a in addresses),
    )


def route(host: str, path: str, to: ServicePort, **more: Any) -> Route:
    """A prefix route to a service port."""
    backend = Backend(f"shop/{to.name}", "80", to.key)
    given = {"owner": f"Ingress shop/{host}", "field": "spec.rules[0]", "match": PathMatch.PREFIX, **more}
    return Route(host=host, path=path, backend=backend, **given)


@pytest.fixture
def pods(rig: Any) -> Any:
    """Starts pods, and ends those that a test has not ended."""
    started: list[str] = []

    def start(service: str, name: str = "pod") -> str:
        started.append(rig.pods.start(f"shop/{service}", name, [8080]))
        return started[-1]

    yield start
    for address in started:
        if address in rig.pods._servers:
            rig.pods.stop(address)


def publish(rig: Any, gateway: Gateway, *services: ServicePort) -> tuple[applier.Rejected, ...]:
    """Compiles and publishes, without findings."""
    config, findings = compiler.compile(gateway, View(services=services), rig.settings)
    assert findings == ()
    return rig.publish(config)


def test_hosts_and_paths_choose_the_service(rig: Any, pods: Any) -> None:
    shop, api = port("shop", pods("shop")), port("api", pods("api"))
    gateway = Gateway(name="nginx", routes=(route("a.test", "/api", api), route("a.test", "/", shop)))
    assert publish(rig, gateway, shop, api) == ()
    assert rig.request("a.test", "/api/v1").backend == "shop/api"
    assert rig.request("a.test", "/apiv1").backend == "shop/shop"
    assert rig.request("b.test", "/").status == 404


def test_the_server_name_chooses_the_certificate(rig: Any, pods: Any, make_key_pair: Any) -> None:
    shop = port("shop", pods("shop"))
    pairs = {name: make_key_pair(name) for name in ("a.test", "*.b.test")}
    gateway = Gateway(
        name="nginx",
        routes=tuple(route(host, "/", shop) for host in pairs),
        certificates=tuple(
            Certificate(owner="Ingress shop/x", secret=f"shop/s{n}", hosts=(host,), chain=pair.chain, key=pair.key)
            for n, (host, pair) in enumerate(pairs.items())
        ),
    )
    assert publish(rig, gateway, shop) == ()

    def shown(name: str) -> bytes:
        answer = rig.request(name, scheme="https")
        assert answer.certificate
        return bytes(answer.certificate)

    assert shown("a.test") == _der(pairs["a.test"].chain)
    assert shown("x.b.test") == _der(pairs["*.b.test"].chain)
    assert shown("other.test") == _der(rig.default.chain)
    assert rig.request("a.test", scheme="https").backend == "shop/shop"


def test_a_renewed_certificate_is_shown_and_disturbs_no_other_name(rig: Any, pods: Any, make_key_pair: Any) -> None:
    shop, renewed = port("shop", pods("shop")), None
    for n in range(2):
        renewed = make_key_pair("renew.test")
        shown = Certificate(owner="o", secret="shop/r", hosts=("renew.test",), chain=renewed.chain, key=renewed.key)
        gateway = Gateway(name="nginx", routes=(route("renew.test", "/", shop),), certificates=(shown,))
        config, _ = compiler.compile(gateway, View(services=(shop,)), rig.settings)
        written, rejected = applier.publish(config, rig.config_directory, [rig.admin])
        assert rejected == ()
        if n == 0:
            other = rig.connect("https", "another.test")
            assert rig.request("another.test", connection=other).status == 404
    assert sorted(name.partition("/")[0] for name in written) == ["lds.json", "tls", "tls", "tls", "tls"]
    assert rig.request("renew.test", scheme="https").certificate == _der(renewed.chain)
    # The chain of other names has not noticed: its connection lives on.
    answer = rig.request("another.test", connection=other)
    other.close()
    assert (answer.status, answer.header("connection")) == (404, None)


def test_http2_is_offered(rig: Any, pods: Any) -> None:
    shop = port("shop", pods("shop"))
    publish(rig, Gateway(name="nginx", routes=(route("a.test", "/", shop),)), shop)
    connection = rig.connect("https", "a.test", alpn=("h2", "http/1.1"))
    assert connection.sock.selected_alpn_protocol() == "h2"
    connection.close()


def test_ten_percent_go_to_the_canary(rig: Any, pods: Any) -> None:
    main, next_ = port("main", pods("main")), port("next", pods("next"))
    canary = Canary(owner="Ingress shop/c", backend=Backend("shop/next", "80", next_.key), weight=10)
    gateway = Gateway(name="nginx", routes=(route("split.test", "/", main, canary=canary),))
    assert publish(rig, gateway, main, next_) == ()
    connection, total = rig.connect(), 2000
    hits = sum(rig.request("split.test", connection=connection).backend == "shop/next" for _ in range(total))
    connection.close()
    # Five standard deviations: wrong once in two million runs when the share is right.
    assert abs(hits - total * 0.1) <= 5 * math.sqrt(total * 0.1 * 0.9)


def test_a_header_chooses_the_canary(rig: Any, pods: Any) -> None:
    main, next_ = port("main", pods("main")), port("next", pods("next"))
    canary = Canary(owner="Ingress shop/c", backend=Backend("shop/next", "80", next_.key), header="x-canary")
    gateway = Gateway(name="nginx", routes=(route("header.test", "/", main, canary=canary),))
    assert publish(rig, gateway, main, next_) == ()
    assert rig.request("header.test", headers=[("X-Canary", "always")]).backend == "shop/next"
    assert {rig.request("header.test").backend for _ in range(30)} == {"shop/main"}


def test_no_request_fails_while_endpoints_and_routes_change(rig: Any, pods: Any) -> None:
    addresses = [pods("shop", f"pod-{n}") for n in range(3)]
    other = port("other", pods("other"))
    process = rig.process.pid

    def state(step: int) -> tuple[Gateway, ServicePort]:
        serving = port("shop", addresses[step % 3], addresses[(step + 1) % 3])
        extra = (route(f"extra-{step}.test", "/", other),) if step % 2 else ()
        return Gateway(name="nginx", routes=(route("steady.test", "/", serving), *extra)), serving

    publish(rig, *state(0), other)
    changing = True

    def client(delay: str) -> list[tuple[int, str]]:
        seen, kept = [], rig.connect()
        while changing:
            # On a connection of its own and on one that is kept; slow answers span several changes.
            for connection in (None, kept):
                answer = rig.request("steady.test", headers=[("x-echo-delay-ms", delay)], connection=connection)
                seen.append((answer.status, answer.echo["pod"] if answer.echo else ""))
        kept.close()
        return seen

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        clients = [pool.submit(client, delay) for delay in ("0", "0", "150")]
        try:
            for step in range(1, 41):
                assert publish(rig, *state(step), other) == ()
        finally:
            changing = False
        seen = [one for each in clients for one in each.result()]
    assert {status for status, _ in seen} == {200}
    assert {pod for _, pod in seen} == {"pod-0", "pod-1", "pod-2"}
    assert rig.process.pid == process
    assert rig.process.poll() is None


def test_a_pod_that_is_gone_before_its_endpoint_fails_no_request(rig: Any, pods: Any) -> None:
    first, second = pods("shop", "first"), pods("shop", "second")
    shop = port("shop", first, second)
    publish(rig, Gateway(name="nginx", routes=(route("gone.test", "/", shop),)), shop)
    assert {rig.request("gone.test").echo["pod"] for _ in range(8)} == {"first", "second"}
    rig.pods.stop(first)
    assert {rig.request("gone.test").status for _ in range(20)} == {200}


def test_a_terminating_pod_serves_only_while_no_other_is_ready(rig: Any, pods: Any) -> None:
    address = pods("shop", "leaving")
    leaving = port("shop", address, terminating=True)
    gateway = Gateway(name="nginx", routes=(route("leave.test", "/", leaving),))
    publish(rig, gateway, leaving)
    assert rig.request("leave.test").echo["pod"] == "leaving"
    fresh = Endpoint(pods("shop", "fresh"), 8080)
    both = msgspec.structs.replace(leaving, endpoints=(*leaving.endpoints, fresh))
    publish(rig, gateway, both)
    assert {rig.request("leave.test").echo["pod"] for _ in range(10)} == {"fresh"}
    publish(rig, gateway, port("shop"))
    assert rig.request("leave.test").status == 503


def test_what_is_rejected_leaves_the_last_good_configuration(rig: Any, pods: Any) -> None:
    shop = port("shop", pods("shop"))
    good, _ = compiler.compile(
        Gateway(name="nginx", routes=(route("keep.test", "/", shop),)), View(services=(shop,)), rig.settings
    )
    assert rig.publish(good) == ()
    table = good.routes[0]
    broken_route = envoy.Route(
        name="Ingress shop/bad spec.rules[0]",
        match=envoy.RouteMatch(safe_regex=envoy.Regex("(?=never)")),
        direct_response=envoy.DirectResponseAction(200),
    )
    host = envoy.VirtualHost("bad.test", ("bad.test",), (broken_route,))
    broken = msgspec.structs.replace(table, virtual_hosts=(*table.virtual_hosts, host))
    rejected = rig.publish(msgspec.structs.replace(good, routes=(broken, *good.routes[1:])))
    assert [r.file for r in rejected] == ["rds/http.json"]
    assert "(?=" in rejected[0].reason
    assert rig.request("keep.test").backend == "shop/shop"
    assert [r.file for r in rig.admin.rejected(rig.config_directory)] == ["rds/http.json"]
    assert rig.publish(good) == ()
    assert rig.admin.rejected(rig.config_directory) == ()


def test_a_rejected_listener_is_told_with_its_reason(rig: Any) -> None:
    good, _ = compiler.compile(Gateway(name="nginx"), View(), rig.settings)
    address = envoy.Address(envoy.SocketAddress("127.0.0.999", 80))
    broken = msgspec.structs.replace(good.listeners[0], address=address)
    rejected = rig.publish(msgspec.structs.replace(good, listeners=(broken, *good.listeners[1:])))
    assert [(r.file, "127.0.0.999" in r.reason) for r in rejected] == [("lds.json", True)]
    assert rig.publish(good) == ()
    assert rig.request("keep.test").status == 404


def test_hundreds_of_services_and_certificates_need_no_more_watches(rig: Any, pods: Any, make_key_pair: Any) -> None:
    address, pair = pods("many"), make_key_pair("*.many.test")
    services = tuple(port(f"many-{n}", address) for n in range(300))
    hosts = [f"h{n}.many.test" for n in range(300)]
    gateway = Gateway(
        name="nginx",
        routes=tuple(route(h, "/", s) for h, s in zip(hosts, services, strict=True)),
        certificates=tuple(
            Certificate(owner="o", secret=f"shop/many-{n}", hosts=(h,), chain=pair.chain, key=pair.key)
            for n, h in enumerate(hosts)
        ),
    )
    assert publish(rig, gateway, *services) == ()
    assert rig.request("h299.many.test", scheme="https").backend == "shop/many"
    kinds = []
    for each in Path(f"/proc/{rig.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a connection that has ended meanwhile
            kinds.append(str(each.readlink()))
    assert kinds.count("anon_inode:inotify") == 4


def test_a_client_cannot_choose_what_pods_learn_about_it(rig: Any, pods: Any) -> None:
    shop = port("shop", pods("shop"))
    publish(rig, Gateway(name="nginx", routes=(route("who.test", "/", shop),)), shop)
    lies = [("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-Proto", "https"), ("X-Real-IP", "203.0.113.9")]
    answer = rig.request("who.test", headers=[*lies, ("X-Request-ID", "mine")], source="127.0.0.88")
    seen = answer.echo["headers"]
    assert seen["x-forwarded-for"] == seen["x-real-ip"] == "127.0.0.88"
    assert (seen["x-forwarded-proto"], seen["x-forwarded-host"]) == ("http", "who.test")
    assert seen["x-request-id"] == "mine"


def test_the_access_log_names_route_and_pod_and_no_secret(rig: Any, pods: Any) -> None:
    address = pods("shop")
    shop = port("shop", address)
    publish(rig, Gateway(name="nginx", routes=(route("log.test", "/", shop),)), shop)
    secret = [("Authorization", "Bearer hush"), ("Cookie", "session=hush")]
    rig.request("log.test", "/x?token=hush", headers=secret)
    rig.until(lambda: b"log.test" in rig.access_log.read_bytes())
    text = Path(rig.access_log).read_text()
    line = next(json.loads(each) for each in text.splitlines() if "log.test" in each)
    assert line["route"] == "Ingress shop/log.test spec.rules[0]"
    assert (line["upstream"], line["status"], line["path"]) == (f"{address}:8080", 200, "/x")
    assert line["flags"] == "-"
    assert line["duration_ms"] >= 0
    assert "hush" not in text


def test_files_are_private_and_the_administration_has_no_port(rig: Any) -> None:
    for path in [*Path(rig.config_directory).rglob("*"), *Path(rig.pod_directory).glob("*.json")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert Path(rig.pod_directory, applier.ADMIN).stat().st_mode & 0o777 == 0o600
    bootstrap = json.loads(Path(rig.pod_directory, discovery.BOOTSTRAP).read_bytes())
    assert list(bootstrap["admin"]["address"]) == ["pipe"]


def _der(chain: str) -> bytes:
    import ssl

    return ssl.PEM_cert_to_DER_cert(chain)
