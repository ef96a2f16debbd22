import pytest

POOL = {"load-balancer-pool": ("192.0.2.0/29",)}
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"


@pytest.fixture
def cloud(simulated):
    return simulated(settings=POOL)


def service(cluster, name="web", **spec):
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "ipFamilies": ["IPv4"], **spec}
    return cluster.create("Service", name, spec=spec)


def ips(cluster, name="web"):
    status = cluster.store.get("Service", "default", name).get("status", {})
    return [entry["ip"] for entry in status.get("loadBalancer", {}).get("ingress", [])]


def reasons(cluster):
    return [e["reason"] for e in cluster.events()]


def test_a_load_balancer_gets_a_virtual_address_and_events(cloud):
    service(cloud)
    cloud.settle()
    found = cloud.store.get("Service", "default", "web")
    assert found["status"]["loadBalancer"] == {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}
    assert found["metadata"]["finalizers"] == [FINALIZER]
    assert reasons(cloud) == ["EnsuringLoadBalancer", "EnsuredLoadBalancer"]


def test_each_service_has_its_own_address_and_keeps_it(cloud):
    for name in ("a", "b"):
        service(cloud, name)
    cloud.settle()
    assert (ips(cloud, "a"), ips(cloud, "b")) == (["192.0.2.1"], ["192.0.2.2"])
    cloud.store.delete("Service", "default", "a")
    cloud.change("Service", "b", ports=[{"port": 81}])
    cloud.settle()
    assert ips(cloud, "b") == ["192.0.2.2"]


def test_the_address_asked_for_is_given_also_later(cloud):
    service(cloud, loadBalancerIP="192.0.2.5")
    cloud.settle()
    assert ips(cloud) == ["192.0.2.5"]
    cloud.change("Service", "web", loadBalancerIP="192.0.2.6")
    cloud.settle()
    assert ips(cloud) == ["192.0.2.6"]
    assert "UpdatedLoadBalancer" in reasons(cloud)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("203.0.113.1", "The requested address 203.0.113.1 is in no address pool."),
        ("192.0.2.1", "The requested address 192.0.2.1 belongs to another Service."),
    ],
)
def test_what_cannot_be_given_stays_pending_with_an_event(cloud, asked, message):
    service(cloud, "first")
    cloud.settle()
    service(cloud, "second", loadBalancerIP=asked)
    cloud.settle()
    assert ips(cloud, "second") == []
    assert [e["message"] for e in cloud.events("SyncLoadBalancerFailed")] == [message]


def test_a_freed_address_goes_to_who_waits(simulated):
    cloud = simulated(settings={"load-balancer-pool": ("192.0.2.7/32",)})
    service(cloud, "first")
    cloud.settle()
    service(cloud, "second")
    cloud.settle()
    assert ips(cloud, "second") == []
    cloud.store.delete("Service", "default", "first")
    cloud.settle()
    assert cloud.store.find("Service", "default", "first") is None
    assert ips(cloud, "second") == ["192.0.2.7"]


def test_another_type_gives_the_address_back(cloud):
    service(cloud)
    cloud.settle()
    cloud.change("Service", "web", type="ClusterIP")
    cloud.settle()
    found = cloud.store.get("Service", "default", "web")
    assert found["status"]["loadBalancer"] == {}
    assert "finalizers" not in found["metadata"]
    assert reasons(cloud)[-2:] == ["DeletingLoadBalancer", "DeletedLoadBalancer"]


def test_a_class_of_somebody_else_is_left_alone(cloud):
    service(cloud, loadBalancerClass="e.com/other")
    cloud.settle()
    assert (ips(cloud), reasons(cloud)) == ([], [])


def test_two_families_have_two_addresses(simulated):
    cloud = simulated(settings={"load-balancer-pool": ("192.0.2.0/29", "2001:db8::/125")})
    service(cloud, ipFamilies=["IPv6", "IPv4"])
    cloud.settle()
    assert ips(cloud) == ["2001:db8::1", "192.0.2.1"]


def test_without_a_pool_the_event_says_so(simulated):
    cloud = simulated()
    service(cloud)
    cloud.settle()
    assert [e["message"] for e in cloud.events("SyncLoadBalancerFailed")] == ["There is no address pool for IPv4."]
