import pytest

SERVICE_LABEL = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
PORTS = [{"name": "http", "port": 8080}]


def service(cluster, **spec):
    return cluster.create("Service", "ext", spec={"clusterIP": "10.96.0.9", "ports": [{"port": 80}], **spec})


def endpoints(cluster, *subsets, **metadata):
    return cluster.create("Endpoints", "ext", subsets=list(subsets), **metadata)


def subset(*ips, not_ready=(), ports=PORTS):
    found = {"addresses": [{"ip": ip} for ip in ips], "ports": ports}
    return {**found, "notReadyAddresses": [{"ip": ip} for ip in not_ready]} if not_ready else found


def slices(cluster):
    found, _ = cluster.store.list("EndpointSlice", None, f"{SERVICE_LABEL}=ext")
    return found


def test_addresses_become_endpoints_with_the_condition_ready_alone(cluster):
    service(cluster)
    known = {"hostname": "db", "nodeName": "n1", "targetRef": {"kind": "Pod", "name": "p"}}
    first = {"addresses": [{"ip": "192.0.2.1", **known}], "notReadyAddresses": [{"ip": "192.0.2.2"}], "ports": PORTS}
    made = endpoints(
        cluster, first, labels={"team": "x"},
        annotations={"a": "b", "endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z",
                     "kubectl.kubernetes.io/last-applied-configuration": "{}"},
    )  # fmt: skip
    cluster.settle()
    (piece,) = slices(cluster)
    assert piece["endpoints"] == [
        {"addresses": ["192.0.2.1"], "conditions": {"ready": True}, **known},
        {"addresses": ["192.0.2.2"], "conditions": {"ready": False}},
    ]
    assert piece["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    meta = piece["metadata"]
    assert meta["labels"] == {
        "team": "x", SERVICE_LABEL: "ext", MANAGED_BY: "endpointslicemirroring-controller.k8s.io"
    }  # fmt: skip
    assert meta["annotations"] == {"a": "b"}
    assert meta["generateName"] == "ext-"
    assert [o["uid"] for o in meta["ownerReferences"]] == [made["metadata"]["uid"]]


def test_a_slice_for_each_port_set_and_family(cluster):
    service(cluster)
    other = [{"name": "admin", "port": 9000, "protocol": "UDP", "appProtocol": "x"}]
    endpoints(cluster, subset("192.0.2.1", "2001:DB8::1"), subset("192.0.2.1", ports=other))
    cluster.settle()
    found = [(s["addressType"], s["ports"][0]["name"], s["endpoints"][0]["addresses"]) for s in slices(cluster)]
    assert sorted(found) == [
        ("IPv4", "admin", ["192.0.2.1"]),
        ("IPv4", "http", ["192.0.2.1"]),
        ("IPv6", "http", ["2001:db8::1"]),
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.change("Service", "ext", selector={"app": "web"}),
        lambda c: c.store.delete("Service", "default", "ext"),
        lambda c: c.store.delete("Endpoints", "default", "ext"),
        lambda c: relabel(c, labels={"endpointslice.kubernetes.io/skip-mirror": "true"}),
        lambda c: relabel(c, annotations={"control-plane.alpha.kubernetes.io/leader": "{}"}),
    ],
    ids=["selector", "service gone", "endpoints gone", "skip-mirror", "leader"],
)
def test_mirrored_slices_go_when_the_source_is_none_any_more(cluster, change):
    service(cluster)
    endpoints(cluster, subset("192.0.2.1"))
    cluster.settle()
    assert len(slices(cluster)) == 1
    change(cluster)
    cluster.settle()
    mirrored = [s for s in slices(cluster) if "mirroring" in s["metadata"]["labels"][MANAGED_BY]]
    assert mirrored == []


def relabel(cluster, **metadata):
    found = cluster.store.get("Endpoints", "default", "ext")
    cluster.store.update({**found, "metadata": {**found["metadata"], **metadata}})


def test_endpoints_without_service_wait_for_it(cluster):
    endpoints(cluster, subset("192.0.2.1"))
    cluster.settle()
    assert slices(cluster) == []
    service(cluster)
    cluster.settle()
    assert len(slices(cluster)) == 1


def test_a_change_is_an_update_of_the_same_slice(cluster):
    service(cluster)
    made = endpoints(cluster, subset("192.0.2.1"))
    cluster.settle()
    (before,) = slices(cluster)
    made = cluster.store.get("Endpoints", "default", "ext")
    cluster.store.update({**made, "subsets": [subset("192.0.2.1", "192.0.2.7", not_ready=["192.0.2.8"])]})
    cluster.settle()
    (after,) = slices(cluster)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert [e["addresses"][0] for e in after["endpoints"]] == ["192.0.2.1", "192.0.2.7", "192.0.2.8"]
    cluster.store.update({**cluster.store.get("Endpoints", "default", "ext"), "subsets": []})
    cluster.settle()
    assert slices(cluster) == []


def test_custom_slices_and_strangers_are_left_alone(cluster):
    service(cluster)
    rest = {"addressType": "IPv4", "endpoints": [], "ports": []}
    cluster.create("EndpointSlice", "mine", labels={SERVICE_LABEL: "ext"}, **rest)
    cluster.settle()
    assert [s["metadata"]["name"] for s in slices(cluster)] == ["mine"]


def test_too_many_and_invalid_addresses_are_left_out_with_events(cluster):
    service(cluster)
    many = [f"10.{i // 250}.0.{i % 250 + 1}" for i in range(1001)]
    endpoints(cluster, subset("nonsense", *many))
    cluster.settle()
    (piece,) = slices(cluster)
    assert len(piece["endpoints"]) == 1000
    assert [e["message"] for e in cluster.events("TooManyAddressesToMirror")] == [
        "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 1 addresses were skipped"
    ]
    assert [e["message"] for e in cluster.events("InvalidIPAddress")] == [
        "Skipped 1 invalid IP addresses when mirroring to EndpointSlices"
    ]
