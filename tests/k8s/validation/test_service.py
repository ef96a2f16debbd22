"""Rules that the recorded requests do not reach; the others are held to them in test_validation."""

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.validation import validate

AWARE = "service.kubernetes.io/topology-aware-hints"
MODE = "service.kubernetes.io/topology-mode"
RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"


def service(annotations=None, status=None, **spec):
    meta = {"name": "a", "annotations": annotations or {}}
    obj = {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {"ports": [{"port": 80}], **spec}}
    return default({**obj, "status": status} if status else obj)


def found(obj, old=None):
    return [(f.reference, f.field) for f in validate(obj, old)]


BALANCER = {"type": "LoadBalancer", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"]}


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (service({AWARE: "Auto", MODE: "Auto"}), [("deprecated-annotation", f"metadata.annotations[{AWARE}]")]),
        (
            service({AWARE: "Auto", MODE: "x"}),
            [
                ("field-invalid", f"metadata.annotations[{MODE}]"),
                ("deprecated-annotation", f"metadata.annotations[{AWARE}]"),
            ],
        ),
        (service({RANGES: "10.0.0.0/8, 10.1.0.0/16"}, type="LoadBalancer"), []),
        (
            service({RANGES: "10.0.0.0/8,x"}, type="LoadBalancer"),
            [("field-invalid", f"metadata.annotations[{RANGES}]")],
        ),
        (service({RANGES: "10.0.0.0/8"}), [("field-forbidden", f"metadata.annotations[{RANGES}]")]),
        (
            service(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=70000),
            [("field-invalid", "spec.healthCheckNodePort")],
        ),
        (
            service(type="LoadBalancer", externalTrafficPolicy="local"),
            [("field-not-supported", "spec.externalTrafficPolicy")],
        ),
        (service(sessionAffinity="clientip"), [("field-not-supported", "spec.sessionAffinity")]),
        (service(ports=[{"port": 80, "protocol": "tcp"}]), [("field-not-supported", "spec.ports[0].protocol")]),
        (
            service(
                type="NodePort", ports=[{"name": n, "port": p, "nodePort": 30000} for n, p in (("a", 1), ("b", 2))]
            ),
            [("field-duplicate", "spec.ports[1].nodePort")],
        ),
        (service(clusterIP="None", sessionAffinity="ClientIP"), [("field-ignored", "spec.sessionAffinity")]),
        (service(externalName="a.b"), [("field-ignored", "spec.externalName")]),
        (
            service(type="LoadBalancer", loadBalancerSourceRanges=[" 10.0.0.0/8"]),
            [("address-not-canonical", "spec.loadBalancerSourceRanges[0]")],
        ),
        (
            service(type="LoadBalancer", allocateLoadBalancerNodePorts=None) | {},
            [],
        ),
    ],
)
def test_services_alone(obj, expected):
    assert found(obj) == expected


def test_undefaulted_objects_lack_what_defaults_fill_in():
    raw = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    assert {field for _, field in found(raw)} == {
        "spec.type",
        "spec.ports[0].protocol",
        "spec.ports[0].targetPort",
        "spec.sessionAffinity",
    }
    raw["spec"] |= {"type": "LoadBalancer", "sessionAffinity": "ClientIP"}
    assert {field for _, field in found(raw)} >= {
        "allocateLoadBalancerNodePorts",
        "spec.externalTrafficPolicy",
        "spec.internalTrafficPolicy",
        "spec.sessionAffinityConfig",
    }


def balanced(*ingress):
    return service(status={"loadBalancer": {"ingress": list(ingress)}}, **BALANCER)


@pytest.mark.parametrize(
    ("ingress", "expected"),
    [
        ({"ip": "192.0.2.1"}, []),
        ({"ip": "192.0.2.1", "ipMode": "Proxy"}, []),
        ({"ip": "192.0.2"}, [("field-invalid", "status.loadBalancer.ingress[0].ip")]),
        ({"hostname": "a.b"}, []),
        ({"hostname": "A_"}, [("field-invalid", "status.loadBalancer.ingress[0].hostname")]),
        ({"hostname": "192.0.2.1"}, [("field-invalid", "status.loadBalancer.ingress[0].hostname")]),
        ({"hostname": "a.b", "ipMode": "VIP"}, [("field-forbidden", "status.loadBalancer.ingress[0].ipMode")]),
    ],
)
def test_status(ingress, expected):
    assert found(balanced(ingress), balanced()) == expected


def test_stored_values_stay_accepted_however_they_are_written():
    old = service(externalIPs=["192.0.2.010"])
    assert ("field-invalid", "spec.externalIPs[0]") in found(old)
    assert ("field-invalid", "spec.externalIPs[0]") not in found(old, old)


def test_the_health_check_port_may_not_change_while_it_is_needed():
    old = service(**BALANCER, externalTrafficPolicy="Local", healthCheckNodePort=31000)
    new = service(**BALANCER, externalTrafficPolicy="Local", healthCheckNodePort=31001)
    assert found(new, old) == [("field-forbidden", "spec.healthCheckNodePort")]
    assert found(service(**BALANCER), old) == []
