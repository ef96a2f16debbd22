import pytest

from switchboard.compile._dns_records import RecordType, address_node, pointer_name, service_records, wire_name
from switchboard.compile.dns import ZoneOptions
from switchboard.view.name import EndpointGroup, NamedEndpoint, NamedPort, NamedService

BASE = "db.shop.svc.cluster.local."
SQL = (NamedPort("sql", "TCP", 5432),)


def records(service, name, kind, **options):
    made = service_records(service, ZoneOptions(**options), "cluster.local.")
    answer = made.nodes.get(wire_name(name), {}).get(kind)
    return [] if answer is None else [record.data for record in answer.answers]


def headless(*endpoints):
    return NamedService(namespace="shop", name="db", headless=True, groups=(EndpointGroup(endpoints, SQL),))


def test_each_endpoint_and_port_has_one_service_record():
    db = headless(NamedEndpoint(("10.1.0.1", "10.1.0.2"), "a"), NamedEndpoint(("10.1.0.3",)))
    wanted = [f"0 50 5432 a.{BASE}", f"0 50 5432 10-1-0-3.{BASE}"]
    assert records(db, f"_sql._tcp.{BASE}", RecordType.SRV) == wanted
    assert records(db, f"a.{BASE}", RecordType.A) == ["10.1.0.1", "10.1.0.2"]


def test_an_endpoint_is_named_by_its_pod_when_asked():
    db = headless(NamedEndpoint(("10.1.0.3",), "", "db-7"))
    assert records(db, f"db-7.{BASE}", RecordType.A) == []
    assert records(db, f"db-7.{BASE}", RecordType.A, endpoint_pod_names=True) == ["10.1.0.3"]


@pytest.mark.parametrize("target", ["10.0.0.1", "fd00::1", "", "a..b", "x" * 64 + ".example", "a b.example"])
def test_an_alias_to_what_is_no_name_does_not_exist(target):
    service = NamedService(namespace="shop", name="db", external_name=target)
    assert records(service, BASE, RecordType.CNAME) == []


@pytest.mark.parametrize("hostname", ["UPPER", "a.b", "-a", "_tcp", "x" * 64, "ü"])
def test_a_host_name_that_is_no_label_is_not_used(hostname):
    assert records(headless(NamedEndpoint(("10.1.0.3",), hostname)), f"10-1-0-3.{BASE}", RecordType.A) == ["10.1.0.3"]


def test_names_on_the_wire_are_in_lower_case():
    assert wire_name("Web.shop.") == b"\3web\4shop\0"


def test_names_that_point_back():
    assert pointer_name("10.1.0.3") == "3.0.1.10.in-addr.arpa."
    assert pointer_name("fd00::1").endswith("0.0.d.f.ip6.arpa.")


def test_a_family_without_address_has_no_answer():
    assert set(address_node(BASE, ["10.1.0.3"], 5)) == {RecordType.A}
