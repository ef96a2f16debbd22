import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.api import allocation, errors
from switchboard.api.admission import KubernetesAdmission


def service(name, **spec):
    spec = {"ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


@pytest.mark.parametrize(
    ("network", "lower", "upper"),
    [
        ("10.0.0.0/24", range(1, 17), range(17, 255)),
        ("10.0.0.0/28", range(1, 1), range(1, 15)),
        ("10.96.0.0/12", range(1, 257), range(257, 2**20 - 1)),
        ("fd00::/120", range(1, 17), range(17, 256)),
    ],
)
def test_the_lower_band_of_a_range_is_left_to_explicit_requests(network, lower, upper):
    assert allocation.address_bands(ipaddress.ip_network(network)) == (lower, upper)


@given(st.integers(16, 30))
def test_bands_cover_every_usable_address_once(prefix):
    network = ipaddress.ip_network(f"10.0.0.0/{prefix}")
    lower, upper = allocation.address_bands(network)
    assert len(lower) + len(upper) == network.num_addresses - 2
    assert (lower or upper)[0] == 1
    assert lower.stop == upper.start


def test_node_ports_have_a_lower_band_of_86():
    assert allocation.port_bands(allocation.NODE_PORTS) == (range(30000, 30086), range(30086, 32768))


def test_a_full_range_uses_its_lower_band_last_and_then_fails(open_store):
    store = open_store(KubernetesAdmission(("10.0.0.0/27",)))
    # 30 usable addresses, one of which the Service "kubernetes" has.
    taken = [store.create(service(f"s{n}"))["spec"]["clusterIP"] for n in range(29)]
    assert len(set(taken)) == 29
    assert all(int(ip.split(".")[3]) > 16 for ip in taken[:14])
    with pytest.raises(errors.InternalError):
        store.create(service("late"))
    store.delete("Service", "default", "s3")
    assert store.create(service("late"))["spec"]["clusterIP"] == taken[3]


def test_a_second_range_serves_when_the_first_is_full(open_store):
    store = open_store(KubernetesAdmission(("10.0.0.0/30",)))
    store.create(service("a"))
    cidr = {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "more"}}
    store.create({**cidr, "spec": {"cidrs": ["10.0.1.0/28"]}})
    assert store.create(service("b"))["spec"]["clusterIP"].startswith("10.0.1.")


def test_an_address_is_an_object_that_names_its_service(cluster_store):
    ip = cluster_store.create(service("a"))["spec"]["clusterIP"]
    held = cluster_store.get("IPAddress", "", ip)
    assert held["spec"]["parentRef"] == {"group": "", "resource": "services", "namespace": "default", "name": "a"}
    assert held["metadata"]["labels"] == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }


def test_the_service_kubernetes_has_the_first_address(cluster_store):
    assert cluster_store.get("Service", "default", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"


def test_a_refused_service_leaves_nothing_allocated(cluster_store):
    before = cluster_store.resource_version
    bad = service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30123}], sessionAffinity="Nonsense")
    with pytest.raises(errors.Invalid):
        cluster_store.create(bad)
    assert cluster_store.resource_version == before
    assert cluster_store.claimed(allocation.NODE_PORT_CLAIM, "30123") is None


def test_a_dry_run_allocates_nothing_and_refuses_what_is_taken(cluster_store):
    cluster_store.create(service("a", type="NodePort", ports=[{"port": 80, "nodePort": 30123}]))
    before = cluster_store.resource_version
    with cluster_store.transaction(dry_run=True):
        assert cluster_store.create(service("b"))["spec"]["clusterIP"] == "10.96.0.2"
        with pytest.raises(errors.Invalid):
            cluster_store.create(service("c", type="NodePort", ports=[{"port": 80, "nodePort": 30123}]))
    assert cluster_store.resource_version == before


def test_an_address_comes_back_when_the_last_finalizer_goes_through_the_status(cluster_store):
    made = cluster_store.create(
        {**service("a"), "metadata": {"name": "a", "namespace": "default", "finalizers": ["e.com/x"]}}
    )
    ip = made["spec"]["clusterIP"]
    marked = cluster_store.delete("Service", "default", "a")
    assert cluster_store.find("IPAddress", "", ip)
    del marked["metadata"]["finalizers"]
    cluster_store.update_status(marked)
    assert cluster_store.find("IPAddress", "", ip) is None
