import copy

import pytest

from switchboard.k8s.service_update import carried

ADDRESSES = {
    "clusterIP": "10.0.0.1",
    "clusterIPs": ["10.0.0.1"],
    "ipFamilies": ["IPv4"],
    "ipFamilyPolicy": "SingleStack",
}
BALANCER = {
    **ADDRESSES,
    "type": "LoadBalancer",
    "externalTrafficPolicy": "Local",
    "healthCheckNodePort": 31000,
    "allocateLoadBalancerNodePorts": True,
    "loadBalancerClass": "a/b",
    "ports": [{"name": "x", "port": 80, "nodePort": 30001}, {"name": "y", "port": 81, "nodePort": 30002}],
}
CLUSTER = {**ADDRESSES, "type": "ClusterIP", "ports": [{"port": 80}]}


def updated(spec, before, status=None):
    old = {"kind": "Service", "spec": before, "status": status or {}}
    new = {"kind": "Service", "spec": spec, "status": status or {}}
    untouched = copy.deepcopy(new)
    result = carried(new, old)
    assert new == untouched
    return result


def test_a_manifest_without_allocated_values_changes_nothing():
    sent = {
        k: BALANCER[k] for k in ("type", "externalTrafficPolicy", "allocateLoadBalancerNodePorts", "loadBalancerClass")
    }
    sent["ports"] = [{"name": "x", "port": 80}, {"name": "y", "port": 81}]
    assert updated(sent, BALANCER)["spec"] == BALANCER


def test_node_ports_follow_the_name_of_their_port():
    ports = [{"name": "y", "port": 80}, {"name": "z", "port": 81}]
    assert updated({**BALANCER, "ports": ports}, BALANCER)["spec"]["ports"] == [
        {"name": "y", "port": 80, "nodePort": 30002},
        {"name": "z", "port": 81},
    ]


def test_a_node_port_given_to_another_port_is_not_restored():
    ports = [{"name": "x", "port": 80}, {"name": "y", "port": 81, "nodePort": 30001}]
    assert "nodePort" not in updated({**BALANCER, "ports": ports}, BALANCER)["spec"]["ports"][0]


def test_what_belonged_to_a_balancer_goes_with_the_type():
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    result = updated({**BALANCER, "type": "ClusterIP"}, BALANCER, status)
    assert result["spec"] == {
        **ADDRESSES,
        "type": "ClusterIP",
        "ports": [{"name": "x", "port": 80}, {"name": "y", "port": 81}],
    }
    assert result["status"] == {}


def test_what_the_client_changed_too_is_left_to_validation():
    result = updated({**BALANCER, "type": "ClusterIP", "externalTrafficPolicy": "Cluster"}, BALANCER)
    assert result["spec"]["externalTrafficPolicy"] == "Cluster"


def test_the_health_check_port_goes_with_the_policy():
    assert "healthCheckNodePort" not in updated({**BALANCER, "externalTrafficPolicy": "Cluster"}, BALANCER)["spec"]


def test_external_names_lose_their_addresses_and_get_new_ones():
    named = {"type": "ExternalName", "externalName": "a.b"}
    assert updated({**CLUSTER, **named}, CLUSTER)["spec"] == {**named, "ports": [{"port": 80}]}
    assert updated({"type": "ClusterIP", "externalName": "a.b"}, named)["spec"] == {
        "type": "ClusterIP",
        "externalName": "a.b",
    }


@pytest.mark.parametrize("type_", ["NodePort", "LoadBalancer"])
def test_node_ports_are_kept_between_types_that_have_them(type_):
    result = updated({**BALANCER, "type": type_, "ports": [{"name": "x", "port": 80}]}, BALANCER)
    assert result["spec"]["ports"][0]["nodePort"] == 30001


def test_other_kinds_are_copied():
    obj = {"kind": "Pod", "spec": {"a": [1]}}
    result = carried(obj, obj)
    assert result == obj
    assert result["spec"] is not obj["spec"]
