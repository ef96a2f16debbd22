"""Virtual hosts: exact before wildcard before any, and a wildcard is one label."""

import re

from switchboard.compile.gateway.hosts import virtual_hosts
from switchboard.rules import envoy


def entry(name: str) -> envoy.Route:
    return envoy.Route(name=name, match=envoy.RouteMatch(prefix="/"), direct_response=envoy.DirectResponseAction(200))


def test_hosts_are_sorted_and_any_host_is_last() -> None:
    made = virtual_hosts({"": [entry("any")], "b.test": [entry("b")], "a.test": [entry("a")]}, [])
    assert [(v.domains, [r.name for r in v.routes]) for v in made] == [
        (("a.test",), ["a"]),
        (("b.test",), ["b"]),
        (("*",), ["any"]),
    ]


def test_the_default_answers_what_is_left_of_every_host() -> None:
    made = virtual_hosts({"a.test": [entry("a")]}, [entry("default")])
    assert [[r.name for r in v.routes] for v in made] == [["a", "default"], ["default"]]


def test_a_wildcard_stands_for_one_label() -> None:
    (host,) = virtual_hosts({"*.a.test": [entry("w")]}, [])
    (matcher,) = host.routes[0].match.headers
    assert matcher.string_match
    assert matcher.string_match.safe_regex
    pattern = re.compile(matcher.string_match.safe_regex.regex)
    accepted = [n for n in ("x.a.test", "X.A.test:8080", "y.x.a.test", ".a.test", "xaatest") if pattern.fullmatch(n)]
    assert accepted == ["x.a.test", "X.A.test:8080"]


def test_more_labels_fall_to_any_host_and_one_label_does_not() -> None:
    host, _ = virtual_hosts({"*.a.test": [entry("w")], "": [entry("any")]}, [])
    assert [(r.name, bool(r.match.headers)) for r in host.routes] == [
        ("w", True),
        ("*.a.test no-route", True),
        ("any", False),
    ]


def test_nothing_makes_nothing() -> None:
    assert virtual_hosts({}, []) == ()
