"""The translator as a whole: it never raises, and the order of objects does not matter."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from switchboard.view.build import build

WORDS = st.sampled_from(
    [
        *(
            "metadata",
            "name",
            "namespace",
            "labels",
            "spec",
            "status",
            "ports",
            "port",
            "protocol",
            "clusterIP",
        ),
        *(
            "clusterIPs",
            "externalIPs",
            "addresses",
            "endpoints",
            "addressType",
            "conditions",
            "hints",
            "forZones",
        ),
        *(
            "key",
            "ip",
            "loadBalancer",
            "ingress",
            "taints",
            "type",
            "address",
            "cidrs",
            "podCIDRs",
            "containers",
            "d",
            "s",
        ),
        *("IPv4", "kubernetes.io/service-name", "TCP", "10.0.0.1", "LoadBalancer"),
    ]
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=25,
)
KINDS = ("Service", "EndpointSlice", "Node", "Pod", "ServiceCIDR", "Ingress", "IngressClass", "Secret")


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(KINDS), st.lists(JUNK, max_size=4)))
def test_malformed_objects_never_raise(objects):
    build(objects)


def test_order_of_objects_does_not_matter():
    services = [
        {
            "metadata": {"namespace": "d", "name": f"s{i}"},
            "spec": {"clusterIP": f"10.96.0.{i}", "ports": [{"port": 80}]},
        }
        for i in range(1, 5)
    ]
    slices = [
        {
            "metadata": {"namespace": "d", "name": f"x{i}", "labels": {"kubernetes.io/service-name": f"s{i % 4 + 1}"}},
            "addressType": "IPv4",
            "ports": [{"port": 8080}],
            "endpoints": [{"addresses": [f"10.244.0.{j}"]} for j in (i, i + 1)],
        }
        for i in range(1, 9)
    ]
    wanted = build({"Service": services, "EndpointSlice": slices})
    assert len(wanted[0].services) == 4
    assert wanted[1] == ()
    shuffled = random.Random(7)
    for _ in range(5):
        shuffled.shuffle(services)
        shuffled.shuffle(slices)
        assert build({"Service": services, "EndpointSlice": slices}) == wanted
