"""Facts for the gateway's compiler: service ports and routes with short names."""

from collections.abc import Callable
from typing import Any

import pytest

from switchboard.view.route import Backend, PathMatch, Route
from switchboard.view.service import Endpoint, ServicePort

Port = Callable[..., ServicePort]


@pytest.fixture
def port() -> Port:
    """A service port ``ns/name:http/TCP`` with pods at the given addresses."""

    def make(name: str, *addresses: str, **more: Any) -> ServicePort:
        given = {"endpoints": tuple(Endpoint(a, 8080) for a in addresses), **more}
        return ServicePort(namespace="ns", name=name, port_name="http", protocol="TCP", port=80, **given)

    return make


@pytest.fixture
def route() -> Callable[..., Route]:
    """A prefix route of ``Ingress ns/main`` to Service ``main``."""

    def make(host: str = "a.test", path: str = "/", **more: Any) -> Route:
        given: dict[str, Any] = {
            "owner": "Ingress ns/main",
            "field": "spec.rules[0].http.paths[0]",
            "match": PathMatch.PREFIX,
            "backend": Backend("ns/main", "80", "ns/main:http/TCP"),
            **more,
        }
        return Route(host=host, path=path, **given)

    return make
