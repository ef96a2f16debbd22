import pytest

from switchboard.k8s.resource_defaults import fill_in


def filled(api_version, kind, **fields):
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "n"}, **fields}
    fill_in(obj)
    return obj


def test_secrets_are_encoded():
    found = filled("v1", "Secret", stringData={"a": "b"}, data={"c": None})
    assert (found["data"], found["type"]) == ({"c": "", "a": "Yg=="}, "Opaque")
    assert "stringData" not in found


def test_slices_always_have_conditions():
    endpoints = [{"addresses": ["x"], "deprecatedTopology": {}}, None]
    found = filled("discovery.k8s.io/v1", "EndpointSlice", endpoints=endpoints, ports=[{}])
    assert found["endpoints"] == [{"addresses": ["x"], "conditions": {}}, {"addresses": [], "conditions": {}}]
    assert found["ports"] == [{"name": "", "protocol": "TCP"}]


def test_bindings_name_their_group():
    subjects = [{"kind": "User", "name": "u"}, {"kind": "ServiceAccount", "name": "a"}]
    found = filled(
        "rbac.authorization.k8s.io/v1", "RoleBinding", roleRef={"kind": "Role", "name": "r"}, subjects=subjects
    )
    assert found["roleRef"]["apiGroup"] == found["subjects"][0]["apiGroup"] == "rbac.authorization.k8s.io"
    assert found["subjects"][1]["namespace"] == "n"


def test_limits_follow_each_other():
    item = {"type": "Container", "max": {"cpu": "2000m"}, "min": {"memory": "1024Ki"}}
    found = filled("v1", "LimitRange", spec={"limits": [item]})["spec"]["limits"][0]
    assert (found["default"], found["defaultRequest"]) == ({"cpu": "2"}, {"cpu": "2", "memory": "1Mi"})


def test_times_of_leases_are_in_utc():
    found = filled(
        "coordination.k8s.io/v1", "Lease", spec={"renewTime": "2020-01-02T05:04:05+02:00", "acquireTime": None}
    )
    assert found["spec"] == {"renewTime": "2020-01-02T03:04:05.000000Z"}


def test_the_first_address_is_the_address():
    found = filled("v1", "Pod", status={"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.2"}]})
    assert found["status"]["podIPs"] == [{"ip": "10.0.0.1"}]


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap", "Endpoints", "LimitRange", "Node", "ResourceQuota", "Pod"])
@pytest.mark.parametrize("value", [None, 1, "x", [None], {"a": None}])
def test_no_shape_raises(kind, value):
    filled("v1", kind, spec=value, status=value, data=value, subsets=value, stringData=value)
