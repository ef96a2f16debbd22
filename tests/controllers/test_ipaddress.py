import pytest

from switchboard.controllers import ipaddress, servicecidr


@pytest.fixture
def cluster(simulated):
    """Nothing but the repair: Services are stored as they are written."""
    made = simulated([ipaddress.CONTROLLER, servicecidr.CONTROLLER])
    made.create("ServiceCIDR", "kubernetes", namespace="", spec={"cidrs": ["10.96.0.0/16", "fd00::/112"]})
    made.settle()
    return made


def service(cluster, name="web", *ips, **spec):
    ips = ips or ("10.96.0.10",)
    return cluster.create("Service", name, spec={"clusterIP": ips[0], "clusterIPs": list(ips), **spec})


def held(cluster):
    found = {a["metadata"]["name"]: a["spec"]["parentRef"] for a in cluster.store.list("IPAddress")[0]}
    return {ip: f"{parent['namespace']}/{parent['name']}" for ip, parent in found.items()}


def reasons(cluster):
    return {(e["involvedObject"]["name"], e["reason"]) for e in cluster.events()}


def test_a_service_without_its_address_objects_gets_them_back(cluster):
    service(cluster, "web", "10.96.0.10", "fd00::0:a")
    cluster.settle()
    assert held(cluster) == {"10.96.0.10": "default/web", "fd00::a": "default/web"}
    assert reasons(cluster) == {("web", "ClusterIPNotAllocated")}
    cluster.store.delete("IPAddress", "", "fd00::a")
    cluster.settle()
    assert set(held(cluster)) == {"10.96.0.10", "fd00::a"}


@pytest.mark.parametrize(
    "spec",
    [{"clusterIP": "None", "clusterIPs": ["None"]}, {"type": "ExternalName"}, {"clusterIPs": [], "clusterIP": ""}],
)
def test_services_without_addresses_have_none(cluster, spec):
    cluster.create("Service", "web", spec=spec)
    cluster.settle()
    assert (held(cluster), reasons(cluster)) == ({}, set())


@pytest.mark.parametrize(("ip", "reason"), [("10.97.0.1", "ClusterIPOutOfRange"), ("nonsense", "ClusterIPNotValid")])
def test_an_address_that_cannot_be_is_told(cluster, ip, reason):
    service(cluster, "web", ip)
    cluster.settle()
    assert (held(cluster), reasons(cluster)) == ({}, {("web", reason)})


def test_an_address_of_two_services_is_told_to_the_second(cluster):
    service(cluster, "first")
    cluster.settle()
    service(cluster, "second")
    cluster.settle()
    assert held(cluster) == {"10.96.0.10": "default/first"}
    assert ("second", "ClusterIPAlreadyAllocated") in reasons(cluster)
    cluster.store.delete("Service", "default", "first")
    cluster.wait(61)
    assert held(cluster) == {"10.96.0.10": "default/second"}


def test_an_address_without_service_is_freed_after_a_minute(cluster):
    service(cluster)
    cluster.settle()
    cluster.wait(30)
    cluster.store.delete("Service", "default", "web")
    cluster.settle()
    assert len(held(cluster)) == 1
    cluster.wait(29)
    assert len(held(cluster)) == 1
    cluster.wait(1)
    assert held(cluster) == {}
    assert ("10.96.0.10", "IPAddressNotAllocated") in reasons(cluster)


def test_an_address_that_its_service_does_not_hold_is_freed_at_once(cluster):
    service(cluster)
    cluster.settle()
    cluster.change("Service", "web", clusterIP="10.96.0.11", clusterIPs=["10.96.0.11"])
    cluster.settle()
    assert held(cluster) == {"10.96.0.11": "default/web"}
    assert ("web", "IPAddressWrongReference") in reasons(cluster)


def test_addresses_of_other_allocators_are_left_alone(cluster):
    parent = {"resource": "services", "namespace": "default", "name": "gone"}
    cluster.create("IPAddress", "10.96.0.99", namespace="", spec={"parentRef": parent})
    cluster.wait(3600)
    assert set(held(cluster)) == {"10.96.0.99"}


def test_without_any_range_nothing_is_done(simulated):
    bare = simulated([ipaddress.CONTROLLER])
    service(bare)
    bare.settle()
    assert (held(bare), reasons(bare)) == ({}, set())
