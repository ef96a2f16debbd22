"""Who has which address."""

from __future__ import annotations

from msgspec.structs import replace

from switchboard.trace.lookup import Destination, Lookup
from switchboard.view.model import View
from switchboard.view.route import PathMatch

VIP, CLUSTER_IP, NODE = "198.51.100.10", "10.96.0.13", "172.18.0.1"


def test_addresses_lead_to_service_ports(payments: View) -> None:
    lookup = Lookup(payments)
    for address, port, kind in (
        (VIP, 443, Destination.LOAD_BALANCER),
        (CLUSTER_IP, 80, Destination.CLUSTER_IP),
        (NODE, 30443, Destination.NODE_PORT),
    ):
        entry = lookup.entry(address, port, "TCP")
        assert entry
        assert (entry.kind, entry.port.name) == (kind, "gateway")
    assert lookup.entry(VIP, 30443, "TCP") is None
    assert lookup.entry(NODE, 443, "TCP") is None
    assert lookup.entry(VIP, 443, "UDP") is None
    assert lookup.ports_of(VIP) == (80, 443)
    assert lookup.kind(VIP) is Destination.LOAD_BALANCER
    assert lookup.kind(NODE) is None


def test_first_of_two_claims_has_the_address(payments: View) -> None:
    thief = replace(payments.services[2], namespace="other", name="thief")
    lookup = Lookup(replace(payments, services=(*payments.services, thief)))
    entry = lookup.entry(VIP, 443, "TCP")
    assert entry
    assert entry.port.name == "gateway"


def test_headless_ports_have_no_address(payments: View) -> None:
    headless = replace(payments.services[0], headless=True)
    assert Lookup(replace(payments, services=(headless,))).entry("10.96.0.11", 80, "TCP") is None


def test_only_rules_that_name_a_host_publish_it(payments: View) -> None:
    gateway = payments.gateways[0]
    anything = replace(gateway, name="any", routes=(replace(gateway.routes[0], host=""),))
    lookup = Lookup(replace(payments, gateways=(anything, gateway)))
    assert lookup.gateways_of("API.example.com") == (gateway,)
    assert lookup.gateways_of("other.example.com") == ()


def test_routes_that_the_data_plane_cannot_hold_take_nothing(payments: View) -> None:
    gateway = payments.gateways[0]
    look_ahead = replace(gateway.routes[0], path="/(?=a)", match=PathMatch.REGEX)
    lookup = Lookup(replace(payments, gateways=(replace(gateway, routes=(look_ahead,)),)))
    assert lookup.routes[gateway.name].match("api.example.com", "/a") is None
