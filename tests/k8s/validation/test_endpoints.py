import pytest

from switchboard.k8s.validation import validate


def fields(kind, api_version, **body):
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "n"}, **body}
    return [(f.reference, f.field) for f in validate(obj) if f.severity == "error"]


@pytest.mark.parametrize(
    ("address", "reference"),
    [("10.1.2.3", ""), ("2001:db8::1", ""), ("127.0.0.1", "field-invalid"), ("224.0.0.1", "field-invalid"),
     ("239.1.1.1", ""), ("ff02::1", "field-invalid"), ("0.0.0.0", "field-invalid"), ("", "field-invalid")],
)  # fmt: skip
def test_addresses_that_pods_can_have(address, reference):
    subset = {"addresses": [{"ip": address}], "ports": [{"port": 80, "protocol": "TCP"}]}
    found = fields("Endpoints", "v1", subsets=[subset])
    assert found == ([(reference, "subsets[0].addresses[0].ip")] if reference else [])


def test_subsets():
    assert fields("Endpoints", "v1", subsets=[{}]) == [("field-required", "subsets[0]")]
    two = {"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80, "protocol": "TCP", "name": "a"}, {"port": 0}]}
    assert [f for _, f in fields("Endpoints", "v1", subsets=[two])] == [
        "subsets[0].ports[1].name", "subsets[0].ports[1].port", "subsets[0].ports[1].protocol",
    ]  # fmt: skip


def slice_(type_="IPv4", **endpoint):
    body = {"addressType": type_, "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {}, **endpoint}], "ports": []}
    return fields("EndpointSlice", "discovery.k8s.io/v1", **body)


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ({}, []),
        ({"addresses": []}, ["endpoints[0].addresses"]),
        ({"addresses": ["2001:db8::1"]}, ["endpoints[0].addresses"]),
        ({"addresses": ["10.1.2.03"]}, ["endpoints[0].addresses[0]"]),
        ({"hostname": "A_b"}, ["endpoints[0].hostname"]),
        ({"nodeName": ""}, ["endpoints[0].nodeName"]),
        ({"hints": {"forZones": [{"name": "a"}, {"name": "a"}]}}, ["endpoints[0].hints.forZones[1].name"]),
        ({"hints": {"forNodes": [{"name": "N_"}]}}, ["endpoints[0].hints.forNodes[0].name"]),
    ],
)
def test_endpoints_of_slices(endpoint, expected):
    assert [f for _, f in slice_(**endpoint)] == expected


def test_types_and_ports_of_slices():
    assert slice_("") == [("field-required", "addressType")]
    assert slice_("ipv4") == [("field-not-supported", "addressType")]
    ports = [{"name": "a", "protocol": "TCP"}, {"name": "a", "protocol": "tcp"}]
    found = fields("EndpointSlice", "discovery.k8s.io/v1", addressType="IPv4", endpoints=[], ports=ports)
    assert found == [("field-duplicate", "ports[1].name"), ("field-not-supported", "ports[1].protocol")]
    many = [{"addresses": ["10.1.2.3"]}] * 1001
    assert fields("EndpointSlice", "discovery.k8s.io/v1", addressType="IPv4", endpoints=many) == [
        ("field-too-many", "endpoints")
    ]
