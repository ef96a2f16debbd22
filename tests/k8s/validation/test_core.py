import pytest

from switchboard.k8s.validation import validate


def fields(kind, old=None, api_version="v1", **body):
    meta = {"name": "x"} if kind == "Node" else {"name": "x", "namespace": "n"}
    obj = {"apiVersion": api_version, "kind": kind, "metadata": meta, **body}
    return [f.field for f in validate(obj, {**obj, **old} if old else None) if f.severity == "error"]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("ConfigMap", {"data": {"a.b-c_D": ""}}, []),
        ("ConfigMap", {"data": {"": "", "..": "", "a b": ""}}, ["data[]", "data[..]", "data[a b]"]),
        ("ConfigMap", {"data": {"a": ""}, "binaryData": {"a": ""}}, ["data[a]"]),
        ("ConfigMap", {"data": {"a": "x" * (1 << 20) + "x"}}, ["[]"]),
        ("Secret", {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, ["data[tls.key]"]),
        ("Secret", {"type": "kubernetes.io/basic-auth"}, ["data[username]", "data[password]"]),
        ("Secret", {"type": "kubernetes.io/basic-auth", "data": {"username": ""}}, []),
        ("Node", {"spec": {"taints": [{"key": "a", "effect": "x"}]}}, ["metadata.taints[0].effect"]),
        ("Node", {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}] * 2}}, ["metadata.taints[1]"]),
        ("ResourceQuota", {"spec": {"hard": {"pods": "-1", "x": "1", "a.b/x": "1"}}},
         ["spec.hard[pods]", "spec.hard[x]"]),
        ("LimitRange", {"spec": {"limits": [{"type": "Pod"}, {"type": "Pod"}]}}, ["spec.limits[1].type"]),
        ("LimitRange", {"spec": {"limits": [{"type": "Pod", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}},
         ["spec.limits[0].min[cpu]"]),
        ("Event", {"eventTime": None}, []),
        ("Event", {"eventTime": "x", "type": "Normal", "reason": "r"},
         ["reportingComponent", "reportingComponent", "reportingInstance", "action"]),
        ("PersistentVolumeClaim", {"spec": {"accessModes": ["x"]}}, ["spec.accessModes", "spec.resources[storage]"]),
    ],
)  # fmt: skip
def test_rules(kind, body, expected):
    assert fields(kind, **body) == expected


def test_leases():
    spec = {"leaseDurationSeconds": 0, "leaseTransitions": -1}
    found = fields("Lease", api_version="coordination.k8s.io/v1", spec=spec)
    assert found == ["spec.leaseDurationSeconds", "spec.leaseTransitions"]


def test_what_may_not_change():
    frozen = {"immutable": True, "data": {"a": "1"}}
    assert fields("ConfigMap", old=frozen, immutable=True, data={"a": "2"}) == ["data"]
    assert fields("ConfigMap", old=frozen, data={"a": "1"}) == ["immutable"]
    assert fields("Secret", old={"type": "a"}, type="b") == ["type"]
    assert fields("Node", old={"spec": {"providerID": "a"}}, spec={"providerID": "b"}) == ["spec.providerID"]
