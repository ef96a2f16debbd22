import pytest

FINALIZER = "networking.k8s.io/service-cidr-finalizer"


def service_cidr(cluster, name, *cidrs):
    return cluster.create("ServiceCIDR", name, namespace="", spec={"cidrs": list(cidrs)})


def address(cluster, ip, managed="ipallocator.k8s.io"):
    labels = {"ipaddress.kubernetes.io/managed-by": managed}
    parent = {"resource": "services", "namespace": "default", "name": "web"}
    cluster.create("IPAddress", ip, namespace="", labels=labels, spec={"parentRef": parent})


def ready(cluster, name):
    (found,) = cluster.store.get("ServiceCIDR", "", name)["status"]["conditions"]
    return found["status"], found["reason"], found["message"]


@pytest.fixture
def cluster(simulated):
    from switchboard.controllers.servicecidr import CONTROLLER

    return simulated([CONTROLLER])


def test_a_range_is_ready_and_held(cluster):
    service_cidr(cluster, "a", "10.96.0.0/24")
    cluster.settle()
    assert cluster.store.get("ServiceCIDR", "", "a")["metadata"]["finalizers"] == [FINALIZER]
    assert ready(cluster, "a") == ("True", "", "Kubernetes Service CIDR is ready")


def test_an_unused_range_goes_after_ten_seconds(cluster):
    service_cidr(cluster, "a", "10.96.0.0/24")
    address(cluster, "10.97.0.1")
    address(cluster, "10.96.0.9", managed="somebody")
    cluster.settle()
    cluster.store.delete("ServiceCIDR", "", "a")
    cluster.settle()
    cluster.wait(9)
    assert cluster.store.find("ServiceCIDR", "", "a")
    cluster.wait(1)
    assert cluster.store.find("ServiceCIDR", "", "a") is None


def test_a_range_in_use_waits_for_its_addresses(cluster):
    service_cidr(cluster, "a", "10.96.0.0/24", "fd00::/112")
    address(cluster, "fd00::7")
    cluster.settle()
    cluster.store.delete("ServiceCIDR", "", "a")
    cluster.wait(60)
    state, reason, message = ready(cluster, "a")
    assert (state, reason) == ("False", "Terminating")
    assert "still IPAddresses" in message
    cluster.store.delete("IPAddress", "", "fd00::7")
    cluster.settle()
    assert cluster.store.find("ServiceCIDR", "", "a") is None


def test_an_address_that_another_range_covers_does_not_block(cluster):
    service_cidr(cluster, "a", "10.96.0.0/24")
    address(cluster, "10.96.0.7")
    cluster.settle()
    cluster.store.delete("ServiceCIDR", "", "a")
    cluster.wait(60)
    assert cluster.store.find("ServiceCIDR", "", "a")
    service_cidr(cluster, "b", "10.96.0.0/16")
    cluster.settle()
    assert cluster.store.find("ServiceCIDR", "", "a") is None
