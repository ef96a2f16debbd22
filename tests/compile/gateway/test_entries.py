"""One route as Envoy entries: their order is the order of decisions."""

from collections.abc import Callable

import pytest

from switchboard.compile.gateway.draft import Draft
from switchboard.compile.gateway.entries import Scheme, Targets, entries, path_match, substitution, unusable
from switchboard.rules import envoy
from switchboard.view.route import Backend, Canary, PathMatch, Route

Make = Callable[..., Route]
BOTH = Targets("main", "canary")
PLAIN, TLS, SECURE = Scheme(False), Scheme(False, True), Scheme(True, True)


def summary(made: tuple[envoy.Route, ...]) -> list[tuple[str, str]]:
    """Label after the field, and the action in short."""
    return [(entry.name.partition("paths[0]")[2].strip(), _action(entry)) for entry in made]


def _action(entry: envoy.Route) -> str:
    if entry.direct_response:
        return str(entry.direct_response.status)
    if entry.redirect:
        return entry.redirect.response_code
    assert entry.route
    weighted = entry.route.weighted_clusters
    return entry.route.cluster or ",".join(f"{c.name}={c.weight}" for c in weighted.clusters if weighted)


def canary(**more: object) -> Canary:
    return Canary(owner="Ingress ns/c", backend=Backend("ns/c", "80", "c"), **more)


@pytest.mark.parametrize(
    ("path", "match", "wanted"),
    [
        ("/a", PathMatch.EXACT, envoy.RouteMatch(path="/a")),
        ("/a/", PathMatch.EXACT, envoy.RouteMatch(path="/a/")),
        ("/a", PathMatch.PREFIX, envoy.RouteMatch(path_separated_prefix="/a")),
        ("/a/", PathMatch.PREFIX, envoy.RouteMatch(path_separated_prefix="/a")),
        ("/", PathMatch.PREFIX, envoy.RouteMatch(prefix="/")),
        ("/a(.*)", PathMatch.REGEX, envoy.RouteMatch(safe_regex=envoy.Regex("(?i)(?:/a(.*)).*"))),
    ],
)
def test_path_forms(path: str, match: PathMatch, wanted: envoy.RouteMatch, route: Make) -> None:
    assert path_match(route(path=path, match=match)) == wanted


@pytest.mark.parametrize(
    ("split", "wanted"),
    [
        (canary(weight=0), [("", "main")]),
        (canary(weight=100), [("", "canary")]),
        (canary(weight=300), [("", "canary")]),
        (canary(weight=10), [("", "main=90,canary=10")]),
        (canary(weight=5, weight_total=1000), [("", "main=995,canary=5")]),
        (canary(header="X"), [("canary-header", "canary"), ("main-header", "main"), ("", "main")]),
        (canary(header="X", header_value="b"), [("canary-header", "canary"), ("", "main")]),
        (canary(header="X", header_pattern="^v2"), [("canary-header", "canary"), ("", "main")]),
        (canary(header="X", header_pattern="[(*", weight=100), [("main-header", "main"), ("", "canary")]),
        (canary(cookie="c"), [("canary-cookie", "canary"), ("main-cookie", "main"), ("", "main")]),
        (
            canary(header="X", cookie="c", weight=1),
            [
                ("canary-header", "canary"),
                ("main-header", "main"),
                ("canary-cookie", "canary"),
                ("main-cookie", "main"),
                ("", "main=99,canary=1"),
            ],
        ),
    ],
)
def test_header_then_cookie_then_weight(split: Canary, wanted: list[tuple[str, str]], route: Make) -> None:
    assert summary(entries(route(canary=split), Draft(), BOTH, PLAIN)) == wanted


def test_no_canary_endpoints_leave_everything_to_main(route: Make) -> None:
    split = canary(header="X", weight=100)
    assert summary(entries(route(canary=split), Draft(), Targets("main", None), PLAIN)) == [("", "main")]


def test_no_main_endpoints_are_503_even_for_the_canary(route: Make) -> None:
    split = canary(header="X", weight=100)
    assert summary(entries(route(canary=split), Draft(), Targets(None, "canary"), PLAIN)) == [("no-endpoints", "503")]


@pytest.mark.parametrize(
    ("draft", "scheme", "wanted"),
    [
        (Draft(), TLS, [("acme", "main"), ("ssl-redirect", "PERMANENT_REDIRECT")]),
        (Draft(), PLAIN, [("", "main")]),
        (Draft(), SECURE, [("", "main")]),
        (Draft(ssl_redirect=False), TLS, [("", "main")]),
        (Draft(force_ssl_redirect=True), PLAIN, [("acme", "main"), ("ssl-redirect", "PERMANENT_REDIRECT")]),
        (Draft(app_root="/x"), SECURE, [("app-root", "FOUND"), ("", "main")]),
        (Draft(permanent_redirect="https://x"), TLS, [("redirect", "301")]),
        (Draft(permanent_redirect="https://x", temporal_redirect="https://y"), TLS, [("redirect", "302")]),
        (Draft(temporal_redirect="https://y", temporal_redirect_code=307), TLS, [("redirect", "307")]),
    ],
)
def test_redirects_come_first(draft: Draft, scheme: Scheme, wanted: list[tuple[str, str]], route: Make) -> None:
    assert summary(entries(route(), draft, BOTH, scheme)) == wanted


def test_challenges_stay_on_http(route: Make) -> None:
    challenge = entries(route(path="/.well-known/acme-challenge"), Draft(), BOTH, TLS)
    assert summary(challenge) == [("", "main")]
    other = entries(route(path="/shop"), Draft(), BOTH, TLS)
    assert summary(other) == [("ssl-redirect", "PERMANENT_REDIRECT")]


def test_a_location_is_passed_on_literally(route: Make) -> None:
    (entry,) = entries(route(), Draft(permanent_redirect="https://x/a%20b"), BOTH, PLAIN)
    assert [h.header.value for h in entry.response_headers_to_add] == ["https://x/a%%20b"]


def test_time_outs_and_rewrite(route: Make) -> None:
    draft = Draft(read_timeout=7, send_timeout=3, rewrite=r"/b/$1\x")
    (entry,) = entries(route(path="/a(.*)", match=PathMatch.REGEX), draft, BOTH, PLAIN)
    assert entry.route
    assert entry.route.timeout == "0s"
    assert entry.route.idle_timeout == "7s"
    assert entry.route.retry_policy
    assert entry.route.retry_policy.per_try_idle_timeout == "7s"
    assert entry.route.regex_rewrite == envoy.RegexRewrite(envoy.Regex("(?i)^(?:/a(.*)).*$"), r"/b/\1\\x")


def test_substitutions_are_those_of_re2() -> None:
    assert substitution("/$1/$2") == r"/\1/\2"


def test_a_public_port_other_than_443_is_named(route: Make) -> None:
    made = entries(route(path="/x"), Draft(), BOTH, Scheme(False, True, 8443))
    assert [e.redirect.port_redirect for e in made if e.redirect] == [8443]


@pytest.mark.parametrize("path", ["/a?b", "/a#b", "/a b", "/a\n"])
def test_paths_that_never_match_are_unusable(path: str, route: Make) -> None:
    assert unusable(route(path=path))
    assert not unusable(route(path="/a+b~(c)"))
    assert unusable(route(path="/(?=a)", match=PathMatch.REGEX))
