"""Rules that the recorded requests do not reach; the others are held to them in test_validation."""

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.validation import validate

AT = "spec.containers[0]"


def found(*containers, **spec):
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    entries = [{"name": f"c{i}", "image": "a:1", **c} for i, c in enumerate(containers)]
    return [(f.reference, f.field) for f in validate(default({**obj, "spec": {"containers": entries, **spec}}))]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({}, []),
        ({"name": ""}, [("field-required", f"{AT}.name")]),
        ({"image": ""}, [("field-required", f"{AT}.image")]),
        ({"ports": [{"name": "http"}]}, [("field-required", f"{AT}.ports[0].containerPort")]),
        ({"ports": [{"containerPort": 70000}]}, [("field-invalid", f"{AT}.ports[0].containerPort")]),
        ({"ports": [{"containerPort": 1, "name": "8080"}]}, [("field-invalid", f"{AT}.ports[0].name")]),
        ({"ports": [{"containerPort": 1, "protocol": "tcp"}]}, [("field-not-supported", f"{AT}.ports[0].protocol")]),
        ({"ports": [{"containerPort": 1, "hostPort": 70000}]}, [("field-invalid", f"{AT}.ports[0].hostPort")]),
        ({"env": [{"value": "x"}]}, [("field-required", f"{AT}.env[0].name")]),
        (
            {"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
            [("field-invalid", f"{AT}.env[0].valueFrom")],
        ),
        ({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a']"}}}]}, []),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {}}}]},
            [("field-required", f"{AT}.env[0].valueFrom.fieldRef.fieldPath")],
        ),
        ({"resources": {"limits": {"example.com/gpu": 1, "hugepages-2Mi": 1}}}, []),
        (
            {"volumeMounts": [{"name": "v", "mountPath": p} for p in ("/a", "/a", "")]},
            [
                ("field-invalid", f"{AT}.volumeMounts[1].mountPath"),
                ("field-required", f"{AT}.volumeMounts[2].mountPath"),
            ],
        ),
        ({"readinessProbe": {"httpGet": {"port": "http_"}}}, [("field-invalid", f"{AT}.readinessProbe.httpGet.port")]),
        ({"readinessProbe": {"httpGet": {"port": 0}}}, [("field-invalid", f"{AT}.readinessProbe.httpGet.port")]),
        ({"readinessProbe": {"grpc": {"port": 80}, "successThreshold": 3}}, []),
        ({"lifecycle": {"preStop": {}}}, [("field-required", f"{AT}.lifecycle.preStop")]),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}, []),
    ],
)
def test_containers(container, expected):
    assert found(container, volumes=[{"name": "v"}]) == expected


def test_on_the_host_network_both_ports_are_one():
    assert found({"ports": [{"containerPort": 80, "hostPort": 81}]}, hostNetwork=True) == [
        ("field-invalid", f"{AT}.ports[0].hostPort")
    ]


def test_two_containers_share_the_ports_of_the_pod():
    port = {"ports": [{"containerPort": 80}]}
    assert found(port, port) == [("repeated-port", "spec.containers[1].ports[0]")]
