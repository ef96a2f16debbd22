from hypothesis import given
from hypothesis import strategies as st

from switchboard.view.build import names
from switchboard.view.name import EndpointGroup, NamedEndpoint, NamedPort, NamedService, Names, PodAddresses

LABEL = "kubernetes.io/service-name"


def service(**spec):
    return {"kind": "Service", "metadata": {"namespace": "shop", "name": "web"}, "spec": spec}


def endpoint_slice(*endpoints, **more):
    metadata = {"namespace": "shop", "name": "web-1", "labels": {LABEL: "web"}}
    return {"kind": "EndpointSlice", "metadata": metadata, "addressType": "IPv4", "endpoints": [*endpoints], **more}


def the_only(*objects):
    by_kind = {}
    for obj in objects:
        by_kind.setdefault(obj["kind"], []).append(obj)
    (found,) = names.build(by_kind).services
    return found


def test_a_headless_service_needs_no_ports():
    entry = {"addresses": ["10.1.0.1"], "hostname": "a", "targetRef": {"kind": "Pod", "name": "web-0"}}
    assert the_only(service(clusterIP="None"), endpoint_slice(entry)) == NamedService(
        namespace="shop",
        name="web",
        headless=True,
        groups=(EndpointGroup((NamedEndpoint(("10.1.0.1",), "a", "web-0"),)),),
    )


def test_an_alias_has_no_addresses():
    found = the_only(service(type="ExternalName", externalName="db.example.com", clusterIP="10.96.0.9"))
    assert (found.external_name, found.addresses, found.headless) == ("db.example.com", (), False)


def test_ports_and_both_addresses_are_kept():
    found = the_only(service(clusterIPs=["10.96.0.9", "fd00::9"], ports=[{"name": "http", "port": 80}, {"port": 0}]))
    assert found.addresses == ("10.96.0.9", "fd00::9")
    assert found.ports == (NamedPort("http", "TCP", 80),)


def test_ready_is_what_is_not_false():
    entries = [{"addresses": [f"10.1.0.{i}"], "conditions": c} for i, c in enumerate([{"ready": False}, {}, None])]
    (group,) = the_only(service(clusterIP="None"), endpoint_slice(*entries)).groups
    assert [e.addresses for e in group.endpoints] == [("10.1.0.1",), ("10.1.0.2",)]


def test_a_slice_without_service_is_kept_and_says_so():
    assert not the_only(endpoint_slice({"addresses": ["10.1.0.1"]})).exists


def test_host_names_as_addresses_are_left_out():
    found = the_only(service(clusterIP="None"), endpoint_slice({"addresses": ["a.example"]}, addressType="FQDN"))
    assert found.groups == ()


def test_pods_that_have_ended_have_no_address():
    def pod(name, phase):
        return {"metadata": {"namespace": "shop", "name": name}, "status": {"phase": phase, "podIP": f"10.1.0.{name}"}}

    found = names.build({"Pod": [pod("2", "Running"), pod("1", "Succeeded"), pod("3", "Pending")]})
    assert found.pods == (PodAddresses("shop", ("10.1.0.2", "10.1.0.3")),)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["metadata", "name", "spec", "ports", "endpoints", "addresses", "clusterIP", "status"]), inner
    ),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["Service", "EndpointSlice", "Pod", "Namespace"]), st.lists(VALUES, max_size=3)))
def test_whatever_comes_in_names_come_out(objects):
    assert isinstance(names.build(objects), Names)
