"""Rules that the recorded requests do not reach; the others are held to them in test_validation."""

import pytest

from switchboard.k8s.defaults import default
from switchboard.k8s.validation import validate


def pod(**spec):
    obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
    return default({**obj, "spec": {"containers": [{"name": "c", "image": "a:1"}], **spec}})


def found(obj, old=None):
    return [(f.reference, f.field) for f in validate(obj, old)]


SPREAD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"restartPolicy": "always"}, [("field-not-supported", "spec.restartPolicy")]),
        ({"subdomain": "a.b"}, [("field-invalid", "spec.subdomain")]),
        ({"nodeSelector": {"a b": "c"}}, [("field-invalid", "spec.nodeSelector")]),
        (
            {"volumes": [{"name": "A"}, {}]},
            [("field-invalid", "spec.volumes[0].name"), ("field-required", "spec.volumes[1].name")],
        ),
        ({"dnsPolicy": "None", "dnsConfig": {}}, [("field-required", "spec.dnsConfig.nameservers")]),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.0.0.1"]}}, []),
        ({"tolerations": [{"value": "a"}]}, [("field-invalid", "spec.tolerations[0].operator")]),
        (
            {"tolerations": [{"operator": "Exists", "effect": "x"}]},
            [("field-not-supported", "spec.tolerations[0].effect")],
        ),
        (
            {"tolerations": [{"operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 3}]},
            [("field-invalid", "spec.tolerations[0].effect")],
        ),
        ({"topologySpreadConstraints": [SPREAD]}, []),
        ({"topologySpreadConstraints": [SPREAD, SPREAD]}, [("field-duplicate", "spec.topologySpreadConstraints[1]")]),
        (
            {"topologySpreadConstraints": [{"maxSkew": 0, "whenUnsatisfiable": "x"}]},
            [
                ("field-invalid", "spec.topologySpreadConstraints[0].maxSkew"),
                ("field-required", "spec.topologySpreadConstraints[0].topologyKey"),
                ("field-not-supported", "spec.topologySpreadConstraints[0].whenUnsatisfiable"),
            ],
        ),
    ],
)
def test_pods(spec, expected):
    assert found(pod(**spec)) == expected


def test_of_a_running_pod_the_image_may_change_and_little_else():
    old = pod()
    assert found(pod(containers=[{"name": "c", "image": "b:1"}]), old) == []
    assert found(pod(activeDeadlineSeconds=3), old) == []
    assert found(pod(containers=[{"name": "c", "image": "a:1", "tty": True}]), old) == [("field-forbidden", "spec")]
    assert found(pod(hostNetwork=True), old) == [("field-forbidden", "spec")]
