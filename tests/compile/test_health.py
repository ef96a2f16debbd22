from __future__ import annotations

import json

import pytest

from switchboard.compile.health import (
    HealthCheck,
    Progress,
    health,
    health_checks,
    healthy,
    not_found,
    proxy_answer,
    service_answer,
)
from switchboard.compile.modes._mode import ProxyOptions
from switchboard.view.model import View
from switchboard.view.node import Node
from switchboard.view.service import Endpoint, ServicePort

NODES = (Node(name="n1", addresses=("172.20.0.1", "10.50.0.1", "fd00:20::1")), Node(name="n2"))
HERE, ALSO = Endpoint("10.244.1.5", 8080, "n1"), Endpoint("10.244.1.6", 8080, "n1")
CHECK = HealthCheck(namespace="d", name="s", family=4, port=31000, addresses=("172.20.0.1",), local_endpoints=2)


def port(*endpoints, **facts):
    base = {
        "namespace": "d",
        "name": "s",
        "port_name": "",
        "protocol": "TCP",
        "port": 80,
        "type": "LoadBalancer",
        "cluster_ips": ("10.96.0.1",),
        "external_local": True,
        "health_check_node_port": 31000,
        "endpoints": endpoints,
    }
    return ServicePort(**(base | facts))


def view(*services):
    return View(nodes=NODES, services=services)


@pytest.mark.parametrize(
    ("endpoints", "count"),
    [
        ((), 0),
        ((HERE, ALSO), 2),
        ((HERE, Endpoint("10.244.1.5", 9090, "n1")), 1),
        ((HERE, Endpoint("10.244.2.5", 8080, "n2"), Endpoint("10.244.3.5", 8080)), 1),
        ((Endpoint("10.244.1.5", 8080, "n1", ready=False, terminating=True),), 0),
    ],
)
def test_ready_endpoints_of_the_node_count_by_address(endpoints, count):
    assert health(view(port(*endpoints)), "n1") == {("d/s", 4): count}


def test_ports_of_one_service_count_together():
    both = view(port(HERE, port_name="a"), port(HERE, ALSO, port_name="b"))
    assert health(both, "n1") == {("d/s", 4): 2}


def test_each_family_counts_its_own():
    found = view(port(HERE, cluster_ips=("10.96.0.1", "fd00:10::1")))
    assert health(found, "n1") == {("d/s", 4): 1, ("d/s", 6): 0}


@pytest.mark.parametrize(
    "facts",
    [{"external_local": False}, {"type": "NodePort"}, {"health_check_node_port": 0}, {"proxy_name": "other"}],
)
def test_only_load_balancers_under_the_local_policy_are_checked(facts):
    assert health(view(port(HERE, **facts)), "n1") == {}


@pytest.mark.parametrize(
    ("given", "primary", "addresses"),
    [
        ((), True, ("172.20.0.1",)),
        ((), False, ("0.0.0.0",)),
        (("10.0.0.0/8", "172.16.0.0/12"), True, ("10.50.0.1", "172.20.0.1")),
    ],
)
def test_listens_where_node_ports_answer(given, primary, addresses):
    options = ProxyOptions(node_port_addresses=given)
    (check,) = health_checks(view(port(HERE)), "n1", options, primary=primary)
    assert check == HealthCheck(namespace="d", name="s", family=4, port=31000, addresses=addresses, local_endpoints=1)


@pytest.mark.parametrize(("count", "well", "status"), [(2, True, 200), (0, True, 503), (2, False, 503)])
def test_answer_about_a_service(count, well, status):
    check = HealthCheck(namespace="d", name="s", family=4, port=1, addresses=(), local_endpoints=count)
    answer = service_answer(check, proxy_healthy=well)
    assert answer.status == status
    assert dict(answer.headers) == {
        "Content-Type": "application/json",
        "X-Content-Type-Options": "nosniff",
        "X-Load-Balancing-Endpoint-Weight": str(count),
    }
    assert json.loads(answer.body) == {
        "service": {"namespace": "d", "name": "s"},
        "localEndpoints": count,
        "serviceProxyHealthy": well,
    }


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (Progress(), True),
        (Progress(updated=1), True),
        (Progress(updated=1, waiting=941), True),
        (Progress(updated=1, waiting=940), False),
    ],
)
def test_a_change_may_not_wait_for_twice_the_period(progress, expected):
    assert healthy(progress, 1000, 30) is expected


@pytest.mark.parametrize(
    ("path", "eligible", "waiting", "status"),
    [
        ("/healthz", True, 0, 200),
        ("/healthz", False, 0, 503),
        ("/healthz", True, 100, 503),
        ("/livez", False, 0, 200),
        ("/livez", True, 100, 503),
    ],
)
def test_answer_about_the_proxy(path, eligible, waiting, status):
    progress = {4: Progress(updated=50), 6: Progress(updated=60, waiting=waiting)}
    answer = proxy_answer(path, progress, 1000, eligible=eligible)
    body = json.loads(answer.body)
    assert (answer.status, body["healthy"]) == (status, status == 200)
    assert body["currentTime"] == "1970-01-01T00:16:40Z"
    assert body["lastUpdated"] == ("1970-01-01T00:01:00Z" if waiting else body["currentTime"])
    assert {f: s["healthy"] for f, s in body["status"].items()} == {"IPv4": True, "IPv6": not waiting}
    assert ("nodeEligible" in body) == (path == "/healthz")


def test_other_paths_are_not_served():
    assert proxy_answer("/", {}, 0) is None
    assert not_found().status == 404
