"""What a host name leads to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from switchboard.trace.lookup import Lookup
from switchboard.trace.name import resolve_in_cluster, resolve_outside, service_of
from switchboard.trace.result import Verdict
from switchboard.view.model import View


def test_outside_names_are_those_of_gateways(payments: View) -> None:
    found = resolve_outside("api.example.com", Lookup(payments))
    assert found.address == "198.51.100.10"
    assert found.hop
    assert "Service gateway/gateway publishes it" in found.hop.why
    assert resolve_outside("192.0.2.7", Lookup(payments)).address == "192.0.2.7"


def test_a_host_without_rule_is_unresolved(payments: View) -> None:
    end = resolve_outside("other.example.com", Lookup(payments)).end
    assert end
    assert end.verdict is Verdict.UNRESOLVED


@pytest.mark.parametrize(
    ("change", "reason", "hint"),
    [
        ({"load_balancer_ips": ()}, "has no address yet", "load balancer controller"),
        ({"load_balancer_ips": (), "type": "NodePort"}, "no address outside", "172.18.0.1:30443"),
        ({"load_balancer_ips": (), "type": "ClusterIP", "node_port": 0}, "no address outside", "type LoadBalancer"),
    ],
)
def test_a_gateway_without_address_says_why(payments: View, change: dict[str, object], reason: str, hint: str) -> None:
    services = tuple(replace(s, **change) if s.name == "gateway" else s for s in payments.services)
    end = resolve_outside("api.example.com", Lookup(replace(payments, services=services))).end
    assert end
    assert (reason in end.reason, hint in end.hint) == (True, True), end


def test_two_gateways_for_one_host_are_not_guessed(payments: View) -> None:
    twin = replace(payments.gateways[0], name="twin", service="other/gateway")
    end = resolve_outside("api.example.com", Lookup(replace(payments, gateways=(*payments.gateways, twin)))).end
    assert end
    assert end.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("host", "service"),
    [
        ("app-v1", "payments/app-v1"),
        ("app-v1.payments", "payments/app-v1"),
        ("app-v1.payments.svc", "payments/app-v1"),
        ("app-v1.payments.svc.cluster.local", "payments/app-v1"),
        ("gateway", ""),
        ("gateway.gateway", "gateway/gateway"),
        ("app-v1-0.app-v1.payments.svc.cluster.local", ""),
        ("api.example.com", ""),
    ],
)
def test_cluster_names(payments: View, host: str, service: str) -> None:
    assert service_of(host, "payments", Lookup(payments)) == service


def test_pods_find_cluster_names_before_outside_ones(payments: View) -> None:
    lookup = Lookup(payments)
    assert resolve_in_cluster("app-v2", "payments", lookup).address == "10.96.0.12"
    assert resolve_in_cluster("api.example.com", "payments", lookup).address == "198.51.100.10"
    end = resolve_in_cluster("nobody.payments.svc", "payments", lookup).end
    assert end
    assert end.verdict is Verdict.UNRESOLVED


def test_headless_and_addressless_services(payments: View) -> None:
    headless = replace(payments.services[0], headless=True)
    lookup = Lookup(replace(payments, services=(headless,)))
    assert resolve_in_cluster("app-v1", "payments", lookup).headless == (headless,)
    nameless = replace(payments.services[0], type="ExternalName", cluster_ips=())
    end = resolve_in_cluster("app-v1", "payments", Lookup(replace(payments, services=(nameless,)))).end
    assert end
    assert end.verdict is Verdict.UNKNOWN
