"""What a gateway does with a request that has reached it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from msgspec.structs import replace

from switchboard.trace.gateway import HttpRequest, serve
from switchboard.trace.lookup import Lookup
from switchboard.trace.request import Url
from switchboard.trace.result import HopKind, Stretch, Verdict
from switchboard.view.model import View
from switchboard.view.route import Backend, Canary, Gateway, Route
from switchboard.view.service import ServicePort


def ask(
    view: View,
    path: str = "/",
    *,
    scheme: str = "https",
    host: str = "api.example.com",
    headers: dict[str, str] | None = None,
    cookies: dict[str, str] | None = None,
) -> Stretch:
    url = Url(scheme, host, 443 if scheme == "https" else 80, path)
    return serve(view.gateways[0], HttpRequest(url, host, headers or {}, cookies or {}), Lookup(view))


def with_route(view: View, **facts: Any) -> View:
    route: Route = replace(view.gateways[0].routes[0], **facts)
    gateway: Gateway = replace(view.gateways[0], routes=(route,))
    return replace(view, gateways=(gateway,))


def with_service(view: View, name: str, **facts: Any) -> View:
    changed: list[ServicePort] = [replace(s, **facts) if s.name == name else s for s in view.services]
    return replace(view, services=tuple(changed))


def by_service(stretch: Stretch) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for outcome in stretch.outcomes:
        name = outcome.target.service if outcome.target else outcome.verdict.value
        total[name] = total.get(name, Fraction(0)) + outcome.probability
    return total


def test_canary_by_weight_spreads_over_ready_pods(payments: View) -> None:
    stretch = ask(payments)
    assert by_service(stretch) == {"payments/app-v1": Fraction(9, 10), "payments/app-v2": Fraction(1, 10)}
    assert {o.probability for o in stretch.outcomes} == {Fraction(9, 40), Fraction(1, 20)}
    assert [h.kind for h in stretch.hops] == [HopKind.TLS, HopKind.ROUTE, HopKind.CANARY, HopKind.PODS]


def test_canary_by_header_goes_before_the_cookie(payments: View) -> None:
    backend = Backend("payments/app-v2", "80", "payments/app-v2:http/TCP")
    canary = Canary(owner="Ingress payments/c", backend=backend, header="X-Canary", cookie="stage")
    view = with_route(payments, canary=canary)
    assert by_service(ask(view, headers={"x-canary": "never"}, cookies={"stage": "always"})) == {"payments/app-v1": 1}
    assert by_service(ask(view, cookies={"stage": "always"})) == {"payments/app-v2": 1}


def test_canary_without_endpoints_leaves_all_to_main(payments: View) -> None:
    assert by_service(ask(with_service(payments, "app-v2", endpoints=()))) == {"payments/app-v1": 1}


def test_main_without_endpoints_is_503_even_for_the_canary(payments: View) -> None:
    stretch = ask(with_service(payments, "app-v1", endpoints=()))
    assert by_service(stretch) == {"no backend": 1}
    assert stretch.outcomes[0].status == 503


def test_canary_that_is_the_main_changes_nothing(payments: View) -> None:
    main = payments.gateways[0].routes[0].backend
    assert main
    view = with_route(payments, canary=Canary(owner="Ingress payments/c", backend=main, weight=50))
    assert by_service(ask(view)) == {"payments/app-v1": 1}


def test_unready_endpoints_get_nothing(payments: View) -> None:
    port = next(s for s in payments.services if s.name == "app-v1")
    one_left = tuple(replace(e, ready=i == 2) for i, e in enumerate(port.endpoints))
    stretch = ask(with_service(payments, "app-v1", endpoints=one_left))
    pods = {o.target.pod: o.probability for o in stretch.outcomes if o.target}
    assert pods == {
        "payments/app-v1-2": Fraction(9, 10),
        "payments/app-v2-0": Fraction(1, 20),
        "payments/app-v2-1": Fraction(1, 20),
    }


def test_missing_backends_are_503(payments: View) -> None:
    assert by_service(ask(with_route(payments, backend=None))) == {"no backend": 1}
    assert by_service(ask(with_route(payments, backend=Backend("payments/gone", "80")))) == {"no backend": 1}


def test_no_route_is_404_or_the_default_backend(payments: View) -> None:
    view = with_route(payments, path="/api")
    stretch = ask(view, "/other")
    assert (stretch.outcomes[0].verdict, stretch.outcomes[0].status) == (Verdict.NOT_FOUND, 404)
    assert "path /other of host api.example.com" in stretch.outcomes[0].reason
    backend = Backend("payments/app-v2", "80", "payments/app-v2:http/TCP")
    fallback = replace(view, gateways=(replace(view.gateways[0], default_backend=backend),))
    assert by_service(ask(fallback, "/other")) == {"payments/app-v2": 1}
    assert by_service(ask(with_service(fallback, "app-v2", endpoints=()), "/other")) == {"no backend": 1}


def test_plain_http_is_redirected_when_the_host_has_tls(payments: View) -> None:
    assert (ask(payments, scheme="http").outcomes[0].verdict) is Verdict.REDIRECTED
    assert Verdict.REDIRECTED not in {
        o.verdict
        for view, path in (
            (payments, "/.well-known/acme-challenge/token"),
            (with_route(payments, options={"ssl-redirect": "false"}), "/"),
            (replace(payments, gateways=(replace(payments.gateways[0], certificates=()),)), "/"),
        )
        for o in ask(view, path, scheme="http").outcomes
    }
    forced = with_route(payments, options={"ssl-redirect": "false", "force-ssl-redirect": "true"})
    assert (ask(forced, scheme="http").outcomes[0].status) == 308


def test_affinity_cookie_is_not_guessed(payments: View) -> None:
    view = with_route(payments, options={"affinity": "cookie", "session-cookie-name": "who"})
    assert by_service(ask(view, cookies={"who": "abc"})) == {"unknown": 1}
    assert set(by_service(ask(view))) == {"payments/app-v1", "payments/app-v2"}


def test_other_redirects(payments: View) -> None:
    for options, path, status in (
        ({"temporal-redirect": "https://elsewhere.test/x", "permanent-redirect": "https://other.test/"}, "/", 302),
        ({"permanent-redirect": "https://elsewhere.test/x"}, "/", 301),
        ({"app-root": "/portal"}, "/", 302),
    ):
        stretch = ask(with_route(payments, options=options), path)
        assert (stretch.outcomes[0].verdict, stretch.outcomes[0].status) == (Verdict.REDIRECTED, status)
    assert "redirected" not in by_service(ask(with_route(payments, options={"app-root": "/portal"}), "/portal"))


def test_endpoints_that_terminate_and_serve_are_the_last_resort(payments: View) -> None:
    port = next(s for s in payments.services if s.name == "app-v1")
    draining = tuple(replace(e, ready=False, terminating=True, serving=i == 0) for i, e in enumerate(port.endpoints))
    pods = {o.target.pod for o in ask(with_service(payments, "app-v1", endpoints=draining)).outcomes if o.target}
    assert pods == {"payments/app-v1-0", "payments/app-v2-0", "payments/app-v2-1"}


def test_default_route_has_its_own_canary(payments: View) -> None:
    default = replace(payments.gateways[0].routes[0], host="", field="spec.defaultBackend")
    view = with_route(payments, path="/api")
    view = replace(view, gateways=(replace(view.gateways[0], default_route=default),))
    assert by_service(ask(view, "/other")) == {"payments/app-v1": Fraction(9, 10), "payments/app-v2": Fraction(1, 10)}


def test_annotations_that_are_not_honoured_are_named(payments: View) -> None:
    view = with_route(payments, options={"auth-url": "http://auth", "ssl-redirect": "true"})
    why = next(h.why for h in ask(view).hops if h.kind is HopKind.ROUTE)
    assert why.endswith("not honoured: auth-url")


def test_certificate_is_chosen_by_server_name(payments: View) -> None:
    assert ask(payments).hops[0].what == "certificate of Secret payments/api-tls, which names this host"
    assert ask(payments, host="x.example.com").hops[0].what == "no certificate for this name"
