import random

import pytest

from switchboard.compile._dns_records import RecordType, wire_name
from switchboard.compile.dns import PodNames, Rcode, Zone, ZoneOptions
from switchboard.view.name import EndpointGroup, NamedEndpoint, NamedPort, NamedService, Names, PodAddresses

HTTP = NamedPort("http", "TCP", 80)


def web(*addresses: str, name: str = "web", **more) -> NamedService:
    return NamedService(namespace="shop", name=name, addresses=addresses, ports=(HTTP,), **more)


def headless(name: str, *hosts: tuple[str, str]) -> NamedService:
    group = EndpointGroup(tuple(NamedEndpoint((address,), host) for host, address in hosts), (HTTP,))
    return NamedService(namespace="shop", name=name, headless=True, ports=(HTTP,), groups=(group,))


def ask(zone, name, kind=RecordType.A):
    answer = zone.find(wire_name(name), kind)
    return None if answer is None else (Rcode(answer.rcode), [record.data for record in answer.answers])


def zone_of(*services, **options):
    return Zone(ZoneOptions(**options), Names(services=services, namespaces=("shop",)))


def test_a_changed_service_is_answered_as_it_is_now():
    zone = zone_of(web("10.96.0.1"))
    zone.put(web("10.96.0.2"))
    assert ask(zone, "web.shop.svc.cluster.local") == (Rcode.NOERROR, ["10.96.0.2"])
    assert ask(zone, "1.0.96.10.in-addr.arpa", RecordType.PTR) == (Rcode.NXDOMAIN, [])
    zone.remove("shop/web")
    assert ask(zone, "web.shop.svc.cluster.local") == (Rcode.NXDOMAIN, [])


def test_an_unchanged_service_keeps_its_very_answers():
    zone = zone_of(web("10.96.0.1"), web("10.96.0.2", name="api"))
    before = zone.find(wire_name("web.shop.svc.cluster.local"), RecordType.A)
    zone.replace(Names(services=(web("10.96.0.1"), web("10.96.0.3", name="api")), namespaces=("shop",)))
    assert zone.find(wire_name("web.shop.svc.cluster.local"), RecordType.A) is before
    assert ask(zone, "api.shop.svc.cluster.local") == (Rcode.NOERROR, ["10.96.0.3"])


def test_names_outside_are_not_answered():
    zone = zone_of()
    assert ask(zone, "example.org") is None
    assert zone.zone_of(wire_name("a.Cluster.Local")) == "cluster.local."
    assert zone.zone_of(wire_name("a.cluster.example")) == ""


def test_the_domain_can_be_another():
    zone = zone_of(web("10.96.0.1"), domain="corp.internal")
    assert ask(zone, "web.shop.svc.corp.internal") == (Rcode.NOERROR, ["10.96.0.1"])
    assert ask(zone, "web.shop.svc.cluster.local") is None


def test_an_address_of_two_services_points_to_both_until_one_goes():
    zone = zone_of(headless("a", ("x", "10.1.0.1")), headless("b", ("y", "10.1.0.1")))
    pointer = "1.0.1.10.in-addr.arpa"
    assert ask(zone, pointer, RecordType.PTR)[1] == ["x.a.shop.svc.cluster.local.", "y.b.shop.svc.cluster.local."]
    zone.remove("shop/a")
    assert ask(zone, pointer, RecordType.PTR)[1] == ["y.b.shop.svc.cluster.local."]


def test_a_circle_of_aliases_ends():
    a = web(name="a", external_name="b.shop.svc.cluster.local")
    b = web(name="b", external_name="a.shop.svc.cluster.local")
    assert ask(zone_of(a, b), "a.shop.svc.cluster.local") == (Rcode.NOERROR, [])


def test_a_chain_that_leads_outside_says_where_it_goes_on():
    a = web(name="a", external_name="b.shop.svc.cluster.local")
    b = web(name="b", external_name="db.example.com")
    answer = zone_of(a, b).find(wire_name("a.shop.svc.cluster.local"), RecordType.AAAA)
    assert [record.data for record in answer.answers] == ["b.shop.svc.cluster.local.", "db.example.com."]
    assert answer.follow == "db.example.com."


@pytest.mark.parametrize(
    ("pods", "name", "rcode"),
    [
        (PodNames.DISABLED, "10-1-0-1.shop.pod.cluster.local", Rcode.NXDOMAIN),
        (PodNames.DISABLED, "shop.pod.cluster.local", Rcode.NXDOMAIN),
        (PodNames.INSECURE, "10-1-0-9.shop.pod.cluster.local", Rcode.NOERROR),
        (PodNames.INSECURE, "10-1-0-9.ops.pod.cluster.local", Rcode.NXDOMAIN),
        (PodNames.VERIFIED, "10-1-0-1.shop.pod.cluster.local", Rcode.NOERROR),
        (PodNames.VERIFIED, "10-1-0-9.shop.pod.cluster.local", Rcode.NXDOMAIN),
    ],
)
def test_pods_have_the_names_that_are_asked_for(pods, name, rcode):
    names = Names(namespaces=("shop",), pods=(PodAddresses("shop", ("10.1.0.1",)),))
    assert ask(Zone(ZoneOptions(pods=pods), names), name)[0] == rcode


def test_a_zone_changed_step_by_step_is_one_made_at_once():
    """Whatever the order of changes, only the services at the end count."""
    chance = random.Random(7)
    zone = zone_of()
    current: dict[str, NamedService] = {}
    for _ in range(300):
        name = chance.choice("abc")
        hosts = [(chance.choice("xyz"), f"10.1.0.{chance.randrange(4)}") for _ in range(chance.randrange(3))]
        made = chance.choice([headless(name, *hosts), web(f"10.96.0.{chance.randrange(4)}", name=name), None])
        if made is None:
            zone.remove(f"shop/{name}")
            current.pop(name, None)
        else:
            zone.put(made)
            current[name] = made
    fresh = zone_of(*(current[k] for k in sorted(current)))
    assert zone._nodes == fresh._nodes
    assert zone._pointers == fresh._pointers
