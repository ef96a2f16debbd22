"""A rejection becomes a finding on the object that caused it."""

from collections.abc import Callable

import pytest

from switchboard.compile import gateway as compiler
from switchboard.compile.gateway.rejections import blame
from switchboard.rules.discovery import EnvoyConfig
from switchboard.view.model import View
from switchboard.view.route import Certificate, Gateway, PathMatch, Route
from switchboard.view.service import ServicePort


@pytest.fixture
def config(route: Callable[..., Route], port: Callable[..., ServicePort]) -> EnvoyConfig:
    bad = route("b.test", "/x[0-9]{7}", match=PathMatch.REGEX, owner="Ingress ns/bad")
    shown = Certificate(owner="Ingress ns/bad", secret="ns/cert", hosts=("b.test",), chain="C", key="K")
    gateway = Gateway(name="nginx", routes=(route(), bad), certificates=(shown,))
    return compiler.compile(gateway, View(services=(port("main", "10.0.0.1"),)))[0]


@pytest.mark.parametrize(
    ("file", "reason", "owner"),
    [
        ("rds/http.json", "regex '(?i)(?:/x[0-9]{7}).*' is too large", "Ingress ns/bad"),
        ("rds/http.json", "something else", ""),
        ("lds.json", "Failed to load private key from /d/{stem}.key", "Secret ns/cert"),
        ("cds.json", "Error adding/updating cluster(s) ns/main:http/TCP: why", "Service ns/main"),
        ("lds.json", "filter chain 'ns/cert' has a problem", "Secret ns/cert"),
        ("lds.json", "cannot bind", ""),
    ],
)
def test_the_owner_is_found(file: str, reason: str, owner: str, config: EnvoyConfig) -> None:
    reason = reason.replace("{stem}", config.key_pairs[0].stem)
    (finding,) = blame(file, reason, config)
    assert (finding.reference, finding.object) == ("configuration-rejected", owner)
    assert reason in finding.message
